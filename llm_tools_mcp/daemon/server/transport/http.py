"""Streamable http: each message is a POST of its own, whose response is the answer, or a stream up to it.

Not the SDK's client (2.3.0): one request that fails before its headers ends all others, an abandoned one
keeps its socket, an unreadable notification costs the call, and a call that a gateway redirects is sent on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx2

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.config.definition import public_url
from llm_tools_mcp.daemon.failure import ServerFailure
from llm_tools_mcp.daemon.server import sdk
from llm_tools_mcp.daemon.server.tokens import Renewals

from .authorization import authorized_client
from .events import deliver, events_of, is_event_stream, messages_of
from .exchange import Exchange
from .link import Link, Streams
from .sse import Poster, begin_sse
from .streams import Inbox

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

# Seconds for the answer to a message that asks for none.
_NOTIFY_SECONDS = 10.0
# Seconds that a server has to end a cancelled call by itself, before its connection is closed.
_CANCEL_SECONDS = 1.0
# Seconds to take leave of a session.
_LEAVE_SECONDS = 2.0
# Seconds for a server to show that it speaks the older transport.
_FALLBACK_SECONDS = 5.0
_MAX_REDIRECTS = 5
# Ids of calls whose answers are not taken for those of others.
_KNOWN_CALLS = 100
# Seconds until a stream that ended is asked for again, doubling, unless it lived for a good while.
_AGAIN_SECONDS, _MOST_SECONDS, _GOOD_SECONDS = 1.0, 60.0, 30.0

_SESSION, _VERSION, _LAST_EVENT = "mcp-session-id", "mcp-protocol-version", "last-event-id"
# From this version of the protocol on a request is cancelled by closing it, and nothing is sent for it.
_MODERN_SINCE = "2026"


@asynccontextmanager
async def open_http(definition: ServerDefinition, link: Link, renewals: Renewals) -> AsyncIterator[Streams]:
    inbox = Inbox()
    link.is_http = True
    client = authorized_client(definition, link, renewals)
    async with client, anyio.create_task_group() as tasks:
        server = HttpServer(client, definition, inbox, link, tasks)
        try:
            yield inbox, server
        finally:
            inbox.close()
            tasks.cancel_scope.cancel()
            await server.leave()


class HttpServer:
    """The far end of a session, its url and its requests under way; for the SDK a stream to send on."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        definition: ServerDefinition,
        inbox: Inbox,
        link: Link,
        tasks: TaskGroup,
    ) -> None:
        self.inbox, self.link = inbox, link
        self._client, self._definition, self._tasks = client, definition, tasks
        self._url = httpx2.URL(definition.url)
        self._session = self._version = ""
        self._exchanges: dict[int | str, Exchange] = {}
        self._calls: deque[str] = deque(maxlen=_KNOWN_CALLS)
        self._older: Poster | None = None

    @property
    def target(self) -> str:
        """The url, without secrets."""
        return public_url(str(self._url))

    # --- what the SDK sends -------------------------------------------------------------------------

    async def send(self, item: sdk.SessionMessage) -> None:
        """Begin to send it. Only `initialized` is waited for: it comes before all that follows."""
        if self._older is not None:
            await self._older.send(item)
            return
        message = item.message
        body = message.model_dump_json(by_alias=True, exclude_unset=True).encode()
        headers = self._headers(getattr(item.metadata, "headers", None), message)
        if isinstance(message, sdk.mcp_types.JSONRPCRequest):
            exchange = Exchange(self, message, is_modern=self._is_modern, has_session=_SESSION in headers)
            self._exchanges[message.id] = exchange
            if message.method == "tools/call":
                self._calls.append(str(message.id))
            # In the sender's context: it goes with what comes on this request's stream.
            self._tasks.start_soon(self._run, exchange, item, body, headers)
        else:
            await self._send_note(message, body, headers)

    async def _send_note(self, message: Any, body: bytes, headers: dict[str, str]) -> None:
        method = getattr(message, "method", "")
        if method == "notifications/cancelled":
            self._tasks.start_soon(self._cancel, message, body, headers)
        elif method == "notifications/initialized":
            await self._notify(body, headers, _NOTIFY_SECONDS)
            if self._session:
                self._tasks.start_soon(self._listen)
        else:
            self._tasks.start_soon(self._notify, body, headers, _NOTIFY_SECONDS)

    @property
    def _is_modern(self) -> bool:
        return self._version >= _MODERN_SINCE

    def _headers(self, own: dict[str, str] | None, message: Any = None) -> dict[str, str]:
        if getattr(message, "method", "") == "initialize":
            self._version = ""  # what a probe was stamped with does not count for the handshake
        elif own and _VERSION in own:
            self._version = own[_VERSION]
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if self._session:
            headers[_SESSION] = self._session
        if self._version:
            headers[_VERSION] = self._version
        return {**headers, **(own or {})}

    async def _run(self, exchange: Exchange, item: Any, body: bytes, headers: dict[str, str]) -> None:
        try:
            with exchange.scope:
                answer, status = await exchange.answer(body, headers)
                if await self._falls_back(exchange, status):
                    assert self._older is not None
                    await self._older.send(item)
                else:
                    await self.inbox.send_in_context(answer)
        except anyio.BrokenResourceError:
            return  # the session ends
        finally:
            if self._exchanges.get(exchange.id) is exchange:
                del self._exchanges[exchange.id]

    async def _cancel(self, message: Any, body: bytes, headers: dict[str, str]) -> None:
        """Its caller has gone: nothing may stay of it, neither its socket nor what was received."""
        exchange = self._exchanges.get((message.params or {}).get("requestId", ""))
        if not (self._is_modern if exchange is None else exchange.is_modern):
            await self._notify(body, headers, _NOTIFY_SECONDS if exchange is None else _CANCEL_SECONDS)
        if exchange is not None:
            exchange.scope.cancel()

    async def _notify(self, body: bytes, headers: dict[str, str], seconds: float) -> None:
        with suppress(httpx2.HTTPError), anyio.move_on_after(seconds):
            async with self.opened("POST", headers, body) as response:
                if response.is_success and _SESSION in headers:
                    self.note_session(response)

    def note_session(self, response: httpx2.Response) -> None:
        """By the name that an answer gives it."""
        if name := response.headers.get(_SESSION):
            self._session = name
            self.link.has_session = True

    def is_of_another_call(self, answered: object, request_id: int | str) -> bool:
        """Whether an answer to this request has the id of a call beside or before it."""
        return str(answered) != str(request_id) and str(answered) in self._calls

    async def _falls_back(self, exchange: Exchange, status: int) -> bool:
        """Whether the server speaks the transport of 2024-11-05, found out as the specification has it."""
        if exchange.method != "initialize" or status not in (400, 404, 405):
            return False
        with suppress(ServerFailure), anyio.move_on_after(_FALLBACK_SECONDS):
            self._older = await begin_sse(self._client, self._definition, self.inbox, self.link, self._tasks)
        return self._older is not None

    # --- what comes unasked -------------------------------------------------------------------------

    async def _listen(self) -> None:
        """The stream of a session for what belongs to no request. A server need not have one."""
        last_event, pause = "", _AGAIN_SECONDS
        while True:
            began = anyio.current_time()
            with suppress(httpx2.HTTPError):
                async with self.resumed(last_event) as response:
                    if not is_event_stream(response) and response.status_code < 500:
                        return
                    async with aclosing(events_of(response)) as events:
                        async for event in events:
                            last_event = event.id or last_event
                            await deliver(await messages_of(event, self.link), self.inbox)
            if anyio.current_time() - began > _GOOD_SECONDS:
                pause = _AGAIN_SECONDS
            await anyio.sleep(pause)
            pause = min(_MOST_SECONDS, 2 * pause)

    # --- connections --------------------------------------------------------------------------------

    @asynccontextmanager
    async def resumed(self, last_event: str) -> AsyncIterator[httpx2.Response]:
        """A stream (GET): what follows this event, if it is one."""
        own = {"accept": "text/event-stream", "cache-control": "no-store"}
        headers = self._headers({**own, _LAST_EVENT: last_event} if last_event else own)
        async with self.opened("GET", headers) as response:
            yield response

    @asynccontextmanager
    async def opened(
        self, method: str, headers: dict[str, str], body: bytes | None = None, *, may_follow: bool = True
    ) -> AsyncIterator[httpx2.Response]:
        """Redirects that may be followed are, within the origin, where the headers may go, and remembered."""
        for left in reversed(range(_MAX_REDIRECTS)):
            request = self._client.build_request(method, self._url, headers=headers, content=body)
            response = await self._client.send(request, stream=True, follow_redirects=False)
            following = sdk.next_request_within_origin(response)
            if following is None or not may_follow:
                break
            self._url = following.url
            if not left:
                break
            await response.aclose()
        try:
            yield response
        finally:
            # Shielded: of a request that was cancelled, too, the socket is closed and not kept.
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def leave(self) -> None:
        if not self._session or self._older is not None:
            return
        with anyio.CancelScope(shield=True), anyio.move_on_after(_LEAVE_SECONDS), suppress(httpx2.HTTPError):
            async with self.opened("DELETE", self._headers(None)):
                return

    # --- as a stream of the SDK's -------------------------------------------------------------------

    async def aclose(self) -> None:
        """It ends with its transport."""

    async def __aenter__(self) -> HttpServer:  # noqa: PYI034 - Self is Python 3.11
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
