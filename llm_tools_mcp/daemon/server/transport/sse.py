"""The http+sse transport of MCP 2024-11-05: a stream of events, and an endpoint that it names for messages.

The SDK's own client cannot take events over 1 MiB, and when one POST fails it sends no other, while its
caller waits for ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.config.definition import public_url
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server import sdk
from llm_tools_mcp.daemon.server.error_words import words_of
from llm_tools_mcp.daemon.server.tokens import Renewals

from .authorization import authorized_client, refused
from .events import events_of, is_event_stream, messages_of
from .http_client import NOT_SENT, described, unreachable
from .link import MAX_MESSAGE_BYTES, Link, Streams, Verdict
from .messages import read
from .refusal import MAX_REFUSAL, refusal_of
from .streams import Inbox

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus

_SAY_SECONDS = 2.0  # for the body of a refusal
_POST_SECONDS = 30.0  # the answer comes as an event: a POST is acknowledged at once
_MAX_REDIRECTS = 5
# What a server of the newer transport says to a GET, and what helps.
_NO_STREAM = (200, 400, 404, 405, 406)
_OTHERWISE = (
    '; it gives no stream of events there: where it speaks streamable http, say so with "type": "http"'
)


@asynccontextmanager
async def open_sse(definition: ServerDefinition, link: Link, renewals: Renewals) -> AsyncIterator[Streams]:
    inbox = Inbox()
    client = authorized_client(definition, link, renewals)
    async with client, anyio.create_task_group() as tasks:
        try:
            yield inbox, await begin_sse(client, definition, inbox, link, tasks)
        finally:
            inbox.close()
            tasks.cancel_scope.cancel()


async def begin_sse(
    client: httpx2.AsyncClient, definition: ServerDefinition, inbox: Inbox, link: Link, tasks: TaskGroup
) -> Poster:
    """Read events into the inbox from now on. Raises ServerFailure where there are none."""
    endpoint = await tasks.start(_read_events, client, definition, inbox, link)
    link.has_session = True  # in the endpoint's url
    return Poster(client, endpoint, inbox, link, tasks)


async def _read_events(
    client: httpx2.AsyncClient,
    definition: ServerDefinition,
    inbox: Inbox,
    link: Link,
    *,
    task_status: TaskStatus[str],
) -> None:
    started = False
    try:
        async with sdk.sse_within_origin(client, definition.url, max_event_size=MAX_MESSAGE_BYTES) as events:
            await _check(events.response, definition.target, link)
            async for event in events_of(events.response):
                if event.event == "endpoint":
                    endpoint = _endpoint(definition, event.data)
                    if not started:
                        task_status.started(endpoint)
                        started = True
                for message in await messages_of(event, link):
                    await inbox.send(message)
        why = "the server closed the stream"
    except anyio.BrokenResourceError:
        return  # the session ends
    except httpx2.TransportError as error:
        if not started:
            raise ServerFailure(Kind.START_FAILED, unreachable(definition.target, error, link)) from error
        why = f"the stream broke: {described(error, link)}"
    if not started:
        raise ServerFailure(Kind.START_FAILED, f"{definition.target} named no endpoint for messages")
    link.lose(why)
    inbox.finish()


async def _check(response: httpx2.Response, target: str, link: Link) -> None:
    if response.status_code == httpx2.codes.OK and is_event_stream(response):
        return
    if meaning := refused(response):
        verdict, text = meaning
        raise ServerFailure(verdict.failure_kind, text)
    refusal = refusal_of(response.status_code, response.headers, await _beginning(response), link.redacted)
    hint = _OTHERWISE if response.status_code in _NO_STREAM else ""
    raise ServerFailure(Kind.START_FAILED, link.cleaned(refusal.text(target)) + hint)


async def _beginning(response: httpx2.Response) -> bytes:
    """As much of the body as is quoted, and comes soon; it may have no end."""
    body = bytearray()
    with anyio.move_on_after(_SAY_SECONDS):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= MAX_REFUSAL:
                break
    return bytes(body)


def _endpoint(definition: ServerDefinition, named: str) -> str:
    """Headers go with each message: to the same origin only."""
    endpoint = urljoin(definition.url, named)
    here, there = urlsplit(definition.url), urlsplit(endpoint)
    if (here.scheme, here.netloc.rpartition("@")[2]) != (there.scheme, there.netloc.rpartition("@")[2]):
        text = f"{definition.target} names an endpoint at another origin, {public_url(endpoint)}; refused"
        raise ServerFailure(Kind.START_FAILED, text)
    return endpoint


class Poster:
    """Sends messages, each by a POST of its own."""

    def __init__(
        self, client: httpx2.AsyncClient, endpoint: str, inbox: Inbox, link: Link, tasks: TaskGroup
    ) -> None:
        self._client, self._endpoint = client, endpoint
        self._inbox, self._link, self._tasks = inbox, link, tasks

    async def send(self, item: sdk.SessionMessage) -> None:
        """Begin to send it. Only `initialized` is waited for: it comes before all that follows."""
        message: Any = item.message
        body = message.model_dump_json(by_alias=True, exclude_unset=True)
        if isinstance(message, sdk.mcp_types.JSONRPCRequest):
            self._tasks.start_soon(self._ask, body, message.id, message.method)
        elif getattr(message, "method", "") == "notifications/initialized":
            await self._failed(body)
        else:
            self._tasks.start_soon(self._failed, body)

    async def _ask(self, body: str, request_id: int | str, method: str) -> None:
        failed = await self._failed(body, request_id, may_follow=method != "tools/call")
        if failed is None:
            return
        try:
            await self._inbox.send(sdk.error_message(request_id, self._link.error(*failed)))
        except anyio.BrokenResourceError:
            return  # the session ends

    async def _failed(
        self, body: str, request_id: int | str | None = None, *, may_follow: bool = True
    ) -> tuple[Verdict, str] | None:
        target = public_url(self._endpoint)
        try:
            response, said = await self._posted(body, may_follow=may_follow)
        except NOT_SENT as error:
            return Verdict.NOT_SENT, unreachable(target, error, self._link)
        except httpx2.HTTPError as error:
            return Verdict.BROKEN, f"the connection broke: {described(error, self._link)}"
        if response.is_success:
            return await self._reported(said, request_id)
        if meaning := refused(response):
            return meaning
        refusal = refusal_of(response.status_code, response.headers, said, self._link.redacted)
        is_unknown = response.status_code == httpx2.codes.NOT_FOUND and not refusal.is_page
        verdict = Verdict.UNKNOWN_SESSION if is_unknown else Verdict.BROKEN
        if response.status_code in (401, 403) and refusal.challenge is not None:
            verdict = Verdict.REFUSED
        return verdict, self._link.cleaned(refusal.text(target))

    async def _reported(self, said: bytes, request_id: int | str | None) -> tuple[Verdict, str] | None:
        """An error in the place of an acknowledgement: for some there is no other answer."""
        if request_id is None or b'"error"' not in said or len(said) >= MAX_REFUSAL:
            return None
        for item in await read(said, self._link, "a response"):
            message = item.message
            if isinstance(message, sdk.mcp_types.JSONRPCError) and message.id in (request_id, None):
                error = message.error
                words = words_of(error.code, error.message, error.data, self._link.redacted)
                return Verdict.REFUSED, self._link.cleaned(words)
        return None

    async def _posted(self, body: str, *, may_follow: bool) -> tuple[httpx2.Response, bytes]:
        """The answer, and the beginning of what it says; redirects may be followed within the origin."""
        headers = {"content-type": "application/json"}
        request = self._client.build_request(
            "POST", self._endpoint, content=body, headers=headers, timeout=_POST_SECONDS
        )
        for left in reversed(range(_MAX_REDIRECTS)):
            response = await self._client.send(request, stream=True, follow_redirects=False)
            try:
                following = sdk.next_request_within_origin(response) if may_follow and left else None
                if following is None:
                    return response, await _beginning(response)
                request = following
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
        raise AssertionError("unreachable")

    # --- as a stream of the SDK's -------------------------------------------------------------------

    async def aclose(self) -> None:
        """It ends with its transport."""

    async def __aenter__(self) -> Poster:  # noqa: PYI034 - Self is Python 3.11
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
