"""Puts an MCP server of the tests behind a port of this machine, with a token or a redirect if wanted."""

from __future__ import annotations

import argparse
import socket
from typing import Any

import uvicorn


class Guard:
    """In front of the app: 401 without the token, or a redirect for everything."""

    def __init__(self, app: Any, token: str | None, redirect_to: str | None) -> None:
        self.app, self.token, self.redirect_to = app, token, redirect_to

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers") or ()).get(b"authorization", b"").decode()
        if scope["type"] == "http" and self.redirect_to:
            await refuse(send, 307, [(b"location", self.redirect_to.encode())])
        elif scope["type"] == "http" and self.token and given != f"Bearer {self.token}":
            await refuse(send, 401, [(b"www-authenticate", b"Bearer")])
        else:
            await self.app(scope, receive, send)


async def refuse(send: Any, status: int, extra: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": extra})
    await send({"type": "http.response.body", "body": b""})


def serve_http(app: Any, port: int, options: argparse.Namespace) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    print("PORT", listener.getsockname()[1], flush=True)
    guarded = Guard(app, options.token, options.redirect_to)
    config = uvicorn.Config(guarded, log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([listener])
