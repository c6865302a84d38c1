"""Streamable http, and the HTTP client that it shares with sse.

The SDK's transport ends, with all its calls, when one request meets a network error. So such a request is
answered here, at the edge, in the server's place; see `link`.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import TOO_MANY_FILES, Kind, ServerFailure, lacks_files
from llm_tools_mcp.daemon.server import sdk

from .link import MAX_MESSAGE_BYTES, TOO_LONG, Link, Streams, Verdict
from .messages import Mender, mended
from .streams import forget

# Seconds to connect and to write. Reading has no limit: calls have their own.
_HTTP_SECONDS = 30.0
# Seconds for the answer to a message that asks for none; the SDK sends nothing else meanwhile.
_NOTIFY_SECONDS = 10.0
# Seconds to take leave of a session.
_LEAVE_SECONDS = 2.0
# Notifications and answers are small: a larger body is a request.
_MAX_NOTE = 64 * 1024
_MAX_REFUSAL = 64 * 1024
_SESSION_HEADER = "mcp-session-id"
# Servers on node answer 400 to a session from before their restart.
_UNKNOWN_SESSION = re.compile(r"session|not initialized", re.IGNORECASE)


@asynccontextmanager
async def open_http(definition: ServerDefinition, link: Link) -> AsyncIterator[Streams]:
    async with (
        http_client(definition, partial(_Edge, link, definition.target)) as client,
        sdk.streamable_http_client(definition.url, http_client=client, max_event_size=MAX_MESSAGE_BYTES) as (
            read,
            write,
        ),
    ):
        yield Watched(read, link), write


def http_client(
    definition: ServerDefinition,
    transport: Callable[..., httpx2.AsyncHTTPTransport] = httpx2.AsyncHTTPTransport,
) -> httpx2.AsyncClient:
    """With the definition's headers and the proxies and certificates of its caller's environment."""
    environment = dict(definition.proxy_env)
    options: dict[str, Any] = {
        "verify": _ssl_context(environment.get("SSL_CERT_FILE", ""), environment.get("SSL_CERT_DIR", "")),
        "trust_env": False,  # the environment that counts is the caller's, not this daemon's
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20),
    }
    try:
        made = transport(proxy=proxy_for(definition.url, environment), **options)
    except (ValueError, ImportError) as error:
        raise ServerFailure(Kind.START_FAILED, f"the caller's proxy cannot be used: {error}") from error
    return httpx2.AsyncClient(
        headers=dict(definition.headers),
        timeout=httpx2.Timeout(_HTTP_SECONDS, read=None),
        transport=made,
        trust_env=False,
    )


# --- the edge ---------------------------------------------------------------------------------------


class _Edge(httpx2.AsyncHTTPTransport):
    """What goes wrong with one POST becomes the answer to its request; what comes is made readable."""

    def __init__(self, link: Link, target: str, **options: Any) -> None:
        super().__init__(**options)
        self._link, self._target = link, target

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        _limit_reading(request)
        if request.method != "POST":
            return _with_whole_characters(await super().handle_async_request(request), self._link)
        try:
            response = await super().handle_async_request(request)
            return await self._settled(request, response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            return self._answer(Verdict.NOT_SENT, unreachable(self._target, error, self._link))
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            text = f"the connection to {self._target} broke: {described(error, self._link)}"
            return self._answer(Verdict.BROKEN, text)

    async def _settled(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        """Streams and redirects pass; other answers are read here, where their loss can be told."""
        status = response.status_code
        if status < 400 and (status >= 300 or status == 202 or _is_event_stream(response)):
            return _with_whole_characters(response, self._link)
        body = await _read(response, MAX_MESSAGE_BYTES if status < 400 else _MAX_REFUSAL)
        if body is None:
            return self._answer(Verdict.BROKEN, TOO_LONG)
        self._link.note_size(len(body))
        if status >= 400 and (answer := self._refusal(request, status, body)):
            return answer
        return _rebuilt(response, mended(body))

    def _refusal(self, request: httpx2.Request, status: int, body: bytes) -> httpx2.Response | None:
        """None for errors of the protocol: they pass as they came."""
        if _SESSION_HEADER in request.headers and is_unknown_session(status, body):
            return self._answer(Verdict.SESSION_GONE, "the server does not know this session any more")
        if _is_protocol_error(body):
            return None
        verdict = Verdict.BROKEN if status >= 500 else Verdict.REFUSED
        return self._answer(verdict, refusal(self._target, status))

    def _answer(self, verdict: Verdict, text: str) -> httpx2.Response:
        error = {"jsonrpc": "2.0", "id": None, "error": self._link.error(verdict, text)}
        return httpx2.Response(502, json=error)


def _limit_reading(request: httpx2.Request) -> None:
    """What nobody waits for must not wait for ever either."""
    seconds = _LEAVE_SECONDS if request.method == "DELETE" else _NOTIFY_SECONDS if _is_note(request) else None
    if seconds is not None:
        timeout = {**request.extensions["timeout"], "read": seconds}
        request.extensions = {**request.extensions, "timeout": timeout}


def _is_note(request: httpx2.Request) -> bool:
    """A notification, or our answer to a request of the server's."""
    with suppress(ValueError, httpx2.StreamError):
        if request.method == "POST" and len(request.content) <= _MAX_NOTE:
            message = json.loads(request.content)
            return not ("id" in message and "method" in message)
    return False


async def _read(response: httpx2.Response, limit: int) -> bytes | None:
    """The decoded body; None when it is too long."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.aiter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                return b"".join(chunks)[:limit] if response.status_code >= 400 else None
    finally:
        await response.aclose()
    return b"".join(chunks)


def _is_event_stream(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-type", "").lower().startswith("text/event-stream"))


def _with_whole_characters(response: httpx2.Response, link: Link) -> httpx2.Response:
    return _rebuilt(response, _MendedStream(response, link)) if _is_event_stream(response) else response


class _MendedStream(httpx2.AsyncByteStream):
    """The events of a response, decoded, without half characters."""

    def __init__(self, response: httpx2.Response, link: Link) -> None:
        self._response, self._link = response, link
        self._size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        mender = Mender()
        async for piece in self._response.aiter_bytes():
            self._size += len(piece)
            yield mender.feed(piece)
        yield mender.end()

    async def aclose(self) -> None:
        self._link.note_size(self._size)
        await self._response.aclose()


def _rebuilt(response: httpx2.Response, body: bytes | _MendedStream) -> httpx2.Response:
    """The same response with another body, which is decoded."""
    framing = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in framing]
    if isinstance(body, bytes):
        return httpx2.Response(response.status_code, headers=headers, content=body)
    return httpx2.Response(response.status_code, headers=headers, stream=body)


def is_unknown_session(status: int, body: bytes) -> bool:
    return status == 404 or (status == 400 and bool(_UNKNOWN_SESSION.search(body.decode("utf-8", "replace"))))


def _is_protocol_error(body: bytes) -> bool:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and isinstance(message.get("error"), dict)


# --- words ------------------------------------------------------------------------------------------


def refusal(target: str, status: int) -> str:
    if status in range(300, 400):
        return f"{target} redirects to another place (HTTP {status}), where its headers are not sent"
    hint = "; check its `headers` in the config" if status in (401, 403) else ""
    return f"{target} answered HTTP {status}{hint}"


def unreachable(target: str, error: Exception, link: Link) -> str:
    return f"{target} cannot be reached: {described(error, link)}"


def described(error: BaseException, link: Link) -> str:
    if lacks_files(error):
        return TOO_MANY_FILES
    return link.cleaned(str(error)) or type(error).__name__


# --- streams, certificates, proxies -----------------------------------------------------------------


class Watched:
    """A read stream whose end is noticed: the SDK has no callback for a connection that died while idle."""

    def __init__(self, stream: Any, link: Link) -> None:
        self._stream, self._link = stream, link
        self._taken: Any = None

    async def receive(self) -> Any:
        if isinstance(self._taken, sdk.SessionMessage):
            forget(self._taken)
        try:
            self._taken = await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._link.lose("the connection was closed")
            raise
        return self._taken

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    def __aiter__(self) -> Watched:
        return self

    async def __aenter__(self) -> Watched:  # noqa: PYI034 - Self needs Python 3.11
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # the SDK looks for `last_context`


def _ssl_context(cafile: str, capath: str) -> ssl.SSLContext:
    try:
        changed = Path(cafile).stat().st_mtime_ns if cafile else 0
        return _made_ssl_context(cafile, capath, changed)
    except (OSError, ssl.SSLError) as error:
        what = f"SSL_CERT_FILE ({cafile})" if cafile else f"SSL_CERT_DIR ({capath})"
        text = f"the caller's {what} cannot be used: {error.strerror}"
        raise ServerFailure(Kind.START_FAILED, text) from error


@lru_cache(maxsize=16)
def _made_ssl_context(cafile: str, capath: str, _changed: int) -> ssl.SSLContext:
    """Shared by all connections: a context costs 21 ms and 0.8 MB to make."""
    return ssl.create_default_context(cafile=cafile or None, capath=capath or None)


def proxy_for(url: str, environment: dict[str, str]) -> str | None:
    """The proxy that the caller's environment names for the url, as curl and httpx understand it."""
    proxies = {
        name[: -len("_proxy")].lower(): value
        for name, value in environment.items()
        if name.lower().endswith("_proxy") and value
    }
    parts = urlsplit(url)
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # not in the stub

    if proxy_bypass_environment(parts.netloc.rpartition("@")[2], proxies):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
