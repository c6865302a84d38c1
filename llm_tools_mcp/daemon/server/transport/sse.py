"""The http+sse transport of MCP 2024-11-05: a stream of events, and an endpoint that it names for messages.

The SDK's own client cannot take events over 1 MiB, and when one POST fails it sends no other, while its
caller waits for ever.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server import sdk

from .http import described, http_client, is_unknown_session, refusal, unreachable
from .link import MAX_MESSAGE_BYTES, Link, Streams, Verdict
from .messages import parse

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    Incoming = MemoryObjectSendStream[sdk.SessionMessage | Exception]

_POST_SECONDS = 30.0  # the answer comes as an event: a POST is acknowledged at once


@asynccontextmanager
async def open_sse(definition: ServerDefinition, link: Link) -> AsyncIterator[Streams]:
    incoming, read = anyio.create_memory_object_stream[sdk.SessionMessage | Exception](0)
    write, outgoing = anyio.create_memory_object_stream[sdk.SessionMessage](math.inf)
    async with (
        incoming,
        read,
        write,
        outgoing,
        http_client(definition) as client,
        anyio.create_task_group() as tasks,
    ):
        endpoint = await tasks.start(_read_events, client, definition, incoming, link)
        poster = _Poster(client, endpoint, definition.target, incoming, link)
        tasks.start_soon(poster.run, outgoing, tasks)
        yield read, write
        tasks.cancel_scope.cancel()


async def _read_events(
    client: httpx2.AsyncClient,
    definition: ServerDefinition,
    incoming: Incoming,
    link: Link,
    *,
    task_status: TaskStatus[str],
) -> None:
    started = False
    try:
        async with sdk.sse_within_origin(client, definition.url, max_event_size=MAX_MESSAGE_BYTES) as events:
            _check(events.response, definition.target)
            async for event in events:
                if event.event == "endpoint":
                    endpoint = _endpoint(definition, event.data)
                    if not started:
                        task_status.started(endpoint)
                        started = True
                elif event.event == "message" and (message := _parse(event.data, link)):
                    await incoming.send(message)
        why = "the server closed the stream"
    except httpx2.TransportError as error:
        if not started:
            raise ServerFailure(Kind.START_FAILED, unreachable(definition.target, error, link)) from error
        why = f"the stream broke: {described(error, link)}"
    if not started:
        raise ServerFailure(Kind.START_FAILED, f"{definition.target} named no endpoint for messages")
    link.lose(why)
    await incoming.aclose()


def _check(response: httpx2.Response, target: str) -> None:
    if response.status_code != httpx2.codes.OK:
        raise ServerFailure(Kind.START_FAILED, refusal(target, response.status_code))


def _endpoint(definition: ServerDefinition, named: str) -> str:
    """Headers go with each message: to the same origin only."""
    endpoint = urljoin(definition.url, named)
    here, there = urlsplit(definition.url), urlsplit(endpoint)
    if (here.scheme, here.netloc.rpartition("@")[2]) != (there.scheme, there.netloc.rpartition("@")[2]):
        text = f"{definition.target} names an endpoint at another origin; refused"
        raise ServerFailure(Kind.START_FAILED, text)
    return endpoint


def _parse(data: str, link: Link) -> sdk.SessionMessage | None:
    return parse(data.encode(), link, "an event") if data else None


class _Poster:
    """Sends messages, each by a POST of its own."""

    def __init__(
        self, client: httpx2.AsyncClient, endpoint: str, target: str, incoming: Incoming, link: Link
    ) -> None:
        self._client, self._endpoint, self._target = client, endpoint, target
        self._incoming, self._link = incoming, link

    async def run(self, outgoing: MemoryObjectReceiveStream[sdk.SessionMessage], tasks: TaskGroup) -> None:
        async for item in outgoing:
            body = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            request_id = item.message.id if isinstance(item.message, sdk.mcp_types.JSONRPCRequest) else None
            if request_id is None:
                await self._post(body, None)  # in order: `initialized` comes before the first request
            else:
                tasks.start_soon(self._post, body, request_id)

    async def _post(self, body: str, request_id: int | str | None) -> None:
        failed = await self._failed(body)
        if failed is not None and request_id is not None:
            try:
                await self._incoming.send(sdk.error_message(request_id, self._link.error(*failed)))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # the connection ends anyway

    async def _failed(self, body: str) -> tuple[Verdict, str] | None:
        timeout = httpx2.Timeout(_POST_SECONDS)
        headers = {"content-type": "application/json"}
        try:
            response = await sdk.request_within_origin(
                self._client, "POST", self._endpoint, content=body, headers=headers, timeout=timeout
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            return Verdict.NOT_SENT, unreachable(self._target, error, self._link)
        except httpx2.HTTPError as error:
            return Verdict.BROKEN, f"the connection broke: {described(error, self._link)}"
        if response.is_success:
            return None
        if is_unknown_session(response.status_code, response.content):
            return Verdict.SESSION_GONE, "the server does not know this session any more"
        verdict = Verdict.BROKEN if response.is_server_error else Verdict.REFUSED
        return verdict, refusal(self._target, response.status_code)
