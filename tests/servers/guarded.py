"""An authorization server, and an MCP server behind it, in the test's process: real ones, on one port.

What a test wants to be otherwise it sets: lifetimes, rotation, scopes, and `faults`, which answer in the
place of a path. Everything that was asked for is in `requests`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

RESOURCE_METADATA = "/.well-known/oauth-protected-resource/mcp"
SERVER_METADATA = "/.well-known/oauth-authorization-server"
TOOLS = ("echo", "whoami", "repeat_token", "write")


@dataclass
class Access:
    client: str
    scopes: list[str]
    ends: float
    family: int


@dataclass
class Refresh:
    """Replaced by `successor`, and of no use once that or what came with it was used."""

    access: Access
    successor: str = ""


@dataclass
class Guarded:
    lifetime: float = 3600
    rotates: bool = True
    needs: list[str] = field(default_factory=lambda: ["read"])
    announces: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Callable[[], Response]] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)  # seconds, by path
    held: dict[str, threading.Event] = field(default_factory=dict)  # answered once it is set
    late: dict[str, threading.Event] = field(default_factory=dict)  # so, after what was asked is done
    deny: bool = False
    iss: str | None = ""  # "" is the right one, None none
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tokens: dict[str, Access] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # public ones of clients, PEM
    grants: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # issuer, resource, client
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)  # all that must never be seen elsewhere
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def asked(self, path: str) -> list[dict[str, str]]:
        return [form for asked, form in self.requests if asked == path]

    def app(self) -> Starlette:
        routes = {
            RESOURCE_METADATA: (self._resource, "GET"),
            SERVER_METADATA: (self._server, "GET"),
            "/register": (self._register, "POST"),
            "/authorize": (self._authorize, "GET"),
            "/token": (self._token, "POST"),
            "/revoke": (self._revoke, "POST"),
            "/mcp": (self._mcp, "POST"),
        }
        return Starlette(
            routes=[
                Route(path, self._noted(path, handler), methods=[m]) for path, (handler, m) in routes.items()
            ]
        )

    def _noted(self, path: str, handler: Callable[[Request, dict[str, str]], Response]) -> Any:
        async def handle(request: Request) -> Response:
            form = dict(request.query_params)
            if path not in ("/mcp", "/register") and request.method == "POST":
                form = {**await request.form()}  # type: ignore[dict-item]
            form["authorization"] = request.headers.get("authorization", "")
            self.requests.append((path, form))
            if seconds := self.slow.get(path):
                await asyncio.sleep(seconds)
            while (hold := self.held.get(path)) and not hold.is_set():  # noqa: ASYNC110 - by another thread
                await asyncio.sleep(0.01)
            if path in self.faults:
                return self.faults[path]()
            body = await request.body() if path in ("/mcp", "/register") else b""
            answer = handler(request, form | {"body": body.decode()})
            while (late := self.late.get(path)) and not late.is_set():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            return answer

        return handle

    # --- the authorization server -------------------------------------------------------------------

    def _resource(self, _request: Request, _form: dict[str, str]) -> Response:
        return JSONResponse(
            {"resource": self.url, "authorization_servers": [self.origin], "scopes_supported": self.needs}
        )

    def _server(self, _request: Request, _form: dict[str, str]) -> Response:
        metadata = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register",
            "revocation_endpoint": f"{self.origin}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.announces,
        }
        return JSONResponse({name: value for name, value in metadata.items() if value is not None})

    def _register(self, _request: Request, form: dict[str, str]) -> Response:
        wanted = json.loads(form["body"])
        client = f"client-{len(self.clients) + 1}"
        self.clients[client] = ""
        return JSONResponse({**wanted, "client_id": client}, 201)

    def _authorize(self, _request: Request, form: dict[str, str]) -> Response:
        answer = {"state": form["state"]}
        if self.iss is not None:
            answer["iss"] = self.iss or self.origin
        if self.deny:
            answer["error"] = "access_denied"
        else:
            code = self._secret("code")
            self.codes[code] = form
            answer["code"] = code
        return RedirectResponse(f"{form['redirect_uri']}?{urlencode(answer)}", 302)

    def _token(self, _request: Request, form: dict[str, str]) -> Response:
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._for_code(form)
        if kind == "refresh_token":
            return self._for_refresh(form)
        client = self._client_of(form)
        if not client:
            return error("invalid_client", 401)
        if kind == "client_credentials":
            return self._given(Access(client, form.get("scope", "").split(), 0, next(_families)), "")
        if (grant := self.grants.pop(form.get("assertion", ""), None)) == (self.origin, self.url, client):
            return self._given(Access(client, self.needs, 0, next(_families)), "")
        return error("invalid_grant" if grant is None else "invalid_target")

    def _client_of(self, form: dict[str, str]) -> str:
        """By basic, post or a signed assertion; empty for a stranger."""
        if assertion := form.get("client_assertion"):
            claims = jwt.decode(assertion, self.keys[form["client_id"]], ["ES256"], audience=self.origin)
            return str(claims["sub"])
        given = base64.b64decode(form["authorization"].removeprefix("Basic ")).decode()
        client, _, secret = map(unquote, given.partition(":"))
        client, secret = client or form["client_id"], secret or form.get("client_secret", "")
        return client if self.clients.get(client, "") == secret != "" else ""

    def _for_code(self, form: dict[str, str]) -> Response:
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or form["client_id"] not in self.clients:
            return error("invalid_grant")
        if asked.get("resource") != form.get("resource") or asked["redirect_uri"] != form["redirect_uri"]:
            return error("invalid_target")
        access = Access(form["client_id"], asked.get("scope", "").split(), 0, next(_families))
        return self._given(access, self._secret("refresh"))

    def _for_refresh(self, form: dict[str, str]) -> Response:
        given = form.get("refresh_token", "")
        known = self.refreshes.get(given)
        if known is None or known.access.family in self.revoked:
            return error("invalid_grant")
        if known.successor and known.successor in self.refreshes and self._was_used(known.successor):
            self.revoked.add(known.access.family)  # somebody has stolen one of the two
            return error("invalid_grant")
        if not self.rotates:
            return self._given(known.access, given)
        known.successor = self._secret("refresh")
        return self._given(known.access, known.successor)

    def _was_used(self, refresh: str) -> bool:
        known = self.refreshes[refresh]
        return bool(known.successor) or refresh in self._used

    @property
    def _used(self) -> set[str]:
        """Refresh tokens whose access token has been seen at the MCP server."""
        seen = {form["authorization"].removeprefix("Bearer ") for form in self.asked("/mcp")}
        return {self._came_with[token] for token in seen if token in self._came_with}

    _came_with: dict[str, str] = field(default_factory=dict)

    def _given(self, access: Access, refresh: str) -> Response:
        token = self._secret("access")
        self.tokens[token] = Access(access.client, access.scopes, time.time() + self.lifetime, access.family)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime}
        if access.scopes:
            answer["scope"] = " ".join(access.scopes)
        if refresh:
            self.refreshes.setdefault(refresh, Refresh(access))
            self._came_with[token] = refresh
            answer["refresh_token"] = refresh
        return JSONResponse(answer)

    def _secret(self, kind: str) -> str:
        made = f"{kind}-{secrets.token_urlsafe(12)}"
        self.secrets.add(made)
        return made

    def _revoke(self, _request: Request, form: dict[str, str]) -> Response:
        token = form.get("token", "")
        family = self.refreshes[token].access if token in self.refreshes else self.tokens.get(token)
        if family is not None:
            self.revoked.add(family.family)
        return Response(status_code=200)

    # --- the MCP server -----------------------------------------------------------------------------

    def _mcp(self, request: Request, form: dict[str, str]) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        access = self.tokens.get(given)
        metadata = f'resource_metadata="{self.origin}{RESOURCE_METADATA}"'
        if access is None or access.ends < time.time() or access.family in self.revoked:
            challenge = f'Bearer error="invalid_token", scope="{" ".join(self.needs)}", {metadata}'
            return Response(status_code=401, headers={"www-authenticate": challenge})
        message = json.loads(form["body"])
        tool = message.get("params", {}).get("name")
        if tool == "write" and "write" not in access.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="write", {metadata}'
            return Response(status_code=403, headers={"www-authenticate": challenge})
        if "id" not in message:
            return Response(status_code=202)
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], **_answer(message, access, given)})


_families = itertools.count(1)


def error(code: str, status: int = 400) -> Response:
    return JSONResponse({"error": code, "error_description": f"the test says {code}"}, status)


def repeating(server: Guarded, code: str, status: int = 400) -> Response:
    """An error that repeats all that the token endpoint has just been sent, and what it knows besides."""
    said = " ".join(server.asked("/token")[-1].values())
    known = " ".join(server.tokens)
    return JSONResponse({"error": code, "error_description": f"no: {known} {said}"[:4000]}, status)


def _answer(message: dict[str, Any], access: Access, token: str) -> dict[str, Any]:
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        server = {"name": "guarded", "version": "1"}
        return {
            "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": server}
        }
    if method == "tools/list":
        return {"result": {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}}
    if method == "tools/call" and params["name"] == "repeat_token":
        return {"error": {"code": -32000, "message": f"I was given {token}"}}
    if method == "tools/call":
        text = (
            access.client
            if params["name"] == "whoami"
            else str(params.get("arguments", {}).get("text", "hi"))
        )
        return {"result": {"content": [{"type": "text", "text": text}]}}
    return {"result": {}} if method == "ping" else {"error": {"code": -32601, "message": "Method not found"}}


@contextmanager
def guarded(kind: Callable[..., Guarded] = Guarded, **settings: Any) -> Iterator[Any]:
    """Runs in a thread, so that tests with and without an event loop can use it."""
    made = kind(**settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    made.port = listener.getsockname()[1]
    config = uvicorn.Config(made.app(), log_level="error", timeout_graceful_shutdown=1, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
