"""Where the browser comes back to: one request with the right state, on 127.0.0.1, and then it is closed."""

from __future__ import annotations

import asyncio
import hmac
import html
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from llm_tools_mcp.errors import LoginError

HOST = "127.0.0.1"
PATH = "/callback"
# Seconds, and bytes, that a request may take.
_REQUEST_SECONDS, _MAX_LINE = 10.0, 16 * 1024
# Seconds that the last page may take.
_PAGE_SECONDS = 2.0
_STYLE = "body{font:18px/1.5 system-ui,sans-serif;margin:18vh auto;max-width:34em;padding:0 1em}"


@dataclass(frozen=True, slots=True)
class Redirect:
    """What the authorization server sent back through the browser."""

    code: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    issuer: str | None = None
    error: str = ""
    description: str = ""

    def has_state(self, state: str) -> bool:
        return hmac.compare_digest(self.state.encode("utf-8", "replace"), state.encode())

    @classmethod
    def parsed(cls, text: str) -> Redirect:
        """From the whole url, or its query alone: what a person copies from the browser's address bar."""
        text = text.strip()
        query = text.partition("?")[2].partition("#")[0] if "?" in text else text
        found = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        return cls(
            found.get("code", ""),
            found.get("state", ""),
            found.get("iss"),
            found.get("error", ""),
            found.get("error_description", ""),
        )


class Listener:
    """`on_stray` is told of requests that are none of this login's."""

    def __init__(self, path: str, on_stray: Callable[[str], None]) -> None:
        self.port = 0
        self._path = path
        self._on_stray = on_stray
        self._server: asyncio.Server | None = None
        self._state = ""
        loop = asyncio.get_running_loop()
        self._redirect: asyncio.Future[Redirect] = loop.create_future()
        self._outcome: asyncio.Future[str] = loop.create_future()
        self._serving: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()  # of these, without a request so far

    async def start(self, port: int) -> None:
        """0 is any free one. Raises LoginError where the port is taken."""
        try:
            self._server = await asyncio.start_server(self._accept, HOST, port, limit=_MAX_LINE)
        except OSError as error:
            reason = f"the port {port} on {HOST}, to which the browser has to come back, cannot be used"
            raise LoginError(f"{reason}: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def redirect(self, state: str) -> Redirect:
        """The first request that carries the state."""
        self._state = state
        return await asyncio.shield(self._redirect)

    async def finish(self, outcome: str) -> None:
        """Tell the page that waits what came of it, and close. Harmless when repeated."""
        if self._server is None:
            return
        if not self._outcome.done():
            self._outcome.set_result(outcome)
        self._server.close()
        for task in self._idle:
            task.cancel()  # browsers open connections that they never use
        if self._serving:
            await asyncio.wait(self._serving, timeout=_PAGE_SECONDS)
        for task in self._serving:
            task.cancel()
        self._server = None

    # --- one request --------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._idle.add(task)
        try:
            # Whoever cancels it is `finish`, and asyncio would write a traceback.
            quiet = (OSError, ValueError, asyncio.TimeoutError, asyncio.IncompleteReadError)
            with suppress(*quiet, asyncio.CancelledError):
                target = await asyncio.wait_for(_target(reader), _REQUEST_SECONDS)
                self._idle.discard(task)
                status, text = await self._answer(target)
                writer.write(_page(status, text))
                await writer.drain()
        finally:
            self._serving.discard(task)
            self._idle.discard(task)
            writer.close()

    async def _answer(self, target: str | None) -> tuple[str, str]:
        if target is None:
            return "405 Method Not Allowed", "Only a browser that comes back from a login is expected here."
        if urlsplit(target).path != self._path:
            return "404 Not Found", "There is nothing here."
        redirect = Redirect.parsed(urlsplit(target).query)
        if not self._state or not redirect.has_state(self._state):
            self._on_stray("a page came back that belongs to another login (wrong `state`); ignored")
            return (
                "400 Bad Request",
                "This page belongs to another login than the one that waits. Start again.",
            )
        if self._redirect.done():
            self._on_stray("the browser came back a second time; only the first counts")
            return "409 Conflict", "This login was answered already. You can close this page."
        self._redirect.set_result(redirect)
        return "200 OK", await asyncio.shield(self._outcome)


async def _target(reader: asyncio.StreamReader) -> str | None:
    """What a GET asks for. The headers are read: a browser may take a close before that for an error."""
    method, target, _ = (await reader.readline()).decode("latin-1").split(" ", 2)
    while (await reader.readline()).strip():
        pass
    return target if method == "GET" else None


def _page(status: str, text: str) -> bytes:
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>llm mcp login</title>"
        f"<style>{_STYLE}</style><p>{html.escape(text)}</p></html>"
    ).encode()
    headers: Mapping[str, str] = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",  # the address of this page holds a code
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
