"""Server-sent events, and the messages that they hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

import httpx2

from llm_tools_mcp.daemon.server import sdk

from .event_filter import sieved
from .link import MAX_MESSAGE_BYTES, Link
from .messages import read
from .streams import Inbox

# What an event is called that holds no message.
_NO_MESSAGES = ("endpoint", "ping", "heartbeat", "keepalive")


def is_event_stream(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-type", "").lower().startswith("text/event-stream"))


def events_of(response: httpx2.Response) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
    source: Any = httpx2.EventSource(sieved(response), max_event_size=MAX_MESSAGE_BYTES)
    events: AsyncGenerator[httpx2.ServerSentEvent, None] = source.__aiter__()
    return events


async def messages_of(
    event: httpx2.ServerSentEvent, link: Link, asked: int | str | None = None
) -> list[sdk.SessionMessage]:
    """Of an event of any name: some servers call one that holds an error `error`."""
    is_expected = event.event == "message" or event.data.startswith("{")
    if not event.data or not is_expected or event.event in _NO_MESSAGES:
        return []
    return await read(event.data.encode("utf-8", "replace"), link, "an event", asked=asked)


async def deliver(messages: Iterable[sdk.SessionMessage], inbox: Inbox) -> Any:
    """Pass on what is no answer to a request, and return the message that is one, or None."""
    answer = None
    for item in messages:
        if isinstance(item.message, sdk.mcp_types.JSONRPCRequest | sdk.mcp_types.JSONRPCNotification):
            await inbox.send_in_context(item)
        else:
            answer = item
    return answer
