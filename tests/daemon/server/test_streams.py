"""The streams of a stdio server: bounded on the way in, never waiting on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from llm_tools_mcp.daemon.server import process, sdk
from llm_tools_mcp.daemon.server.transport import Link, open_transport
from llm_tools_mcp.daemon.server.transport.streams import Inbox, Stdin
from tests.daemon.live import Live, python, with_live
from tests.daemon.stack import in_loop
from tests.waiting import wait_until_async

# What the reader may take of a server that nobody listens to: its buffers, and 64 messages.
BOUND = 4_000_000


def message(number: int, text: str = "") -> sdk.SessionMessage:
    params = {"progressToken": number, "progress": 1, "message": text}
    notification = sdk.mcp_types.JSONRPCNotification(
        jsonrpc="2.0", method="notifications/progress", params=params
    )
    return sdk.SessionMessage(notification)


def number_of(item: Any) -> int:
    return int(item.message.params["progressToken"])


# --- the way in -------------------------------------------------------------------------------------


@in_loop
async def test_inbox_holds_a_bounded_number() -> None:
    """The sender waits when 64 messages wait, and goes on when one is taken; none is lost or overtaken."""
    inbox = Inbox()
    sent: list[int] = []

    async def send() -> None:
        for number in range(200):
            await inbox.send(message(number))
            sent.append(number)
        inbox.finish()

    sender = asyncio.create_task(send())
    await wait_until_async(lambda: len(sent) == 64)
    await asyncio.sleep(0)
    assert len(sent) == 64
    first = number_of(await inbox.receive())
    await wait_until_async(lambda: len(sent) == 65)
    assert [first, *[number_of(item) async for item in inbox]] == list(range(200))
    await sender


@in_loop
async def test_what_was_read_before_the_end_is_received() -> None:
    """The end comes after the last message, for a receiver that waits as for one that comes later."""
    inbox = Inbox()
    await inbox.send(message(1))
    inbox.finish()
    assert number_of(await inbox.receive()) == 1
    for _ in range(2):
        with pytest.raises(anyio.EndOfStream):
            await inbox.receive()
    empty = Inbox()
    waiting = asyncio.create_task(empty.receive())
    await asyncio.sleep(0)
    empty.finish()
    with pytest.raises(anyio.EndOfStream):
        await waiting


@in_loop
async def test_sender_learns_that_nobody_receives() -> None:
    """Closing wakes a sender that waits for room, and refuses whoever comes later."""
    inbox = Inbox()
    for number in range(64):
        await inbox.send(message(number))
    waiting = asyncio.create_task(inbox.send(message(64)))
    await asyncio.sleep(0)
    await inbox.aclose()
    for send in (waiting, inbox.send(message(65))):
        with pytest.raises(anyio.BrokenResourceError):
            await send


@in_loop
async def test_cancelled_receiver_loses_nothing() -> None:
    """A receiver that gives up leaves the message to the next one."""
    inbox = Inbox()
    receiver = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0)
    await inbox.send(message(1))
    receiver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiver
    assert number_of(await inbox.receive()) == 1


@in_loop
async def test_message_is_let_go_when_the_next_is_asked_for() -> None:
    """Whoever still holds the last message, as the SDK's loop does for hours, does not hold its content."""
    inbox = Inbox()
    await inbox.send(message(1, "x" * 1_000_000))
    item = await inbox.receive()
    waiting = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0)
    assert item.message is None
    inbox.finish()
    with pytest.raises(anyio.EndOfStream):
        await waiting


FLOOD = """
import json, sys
for number in range(4000):
    params = {"progressToken": number, "progress": 1, "message": "x" * 20000}
    print(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
sys.stdout.flush()
sys.stdin.read()
"""


@with_live
async def test_flood_of_messages_is_held_back(live: Live) -> None:
    """A server that writes 80 MB which nobody takes is made to wait: memory is bounded, nothing is lost."""
    link = Link(lambda _: None)
    async with open_transport(live.define({"flood": python(FLOOD)}), link, live.mark, live.renewals) as (
        read,
        _,
    ):
        await wait_until_async(lambda: len(read._items) == 64)
        assert link.received < BOUND
        numbers = [number_of(await read.receive()) for _ in range(4000)]
    assert numbers == list(range(4000))
    assert link.received > 80_000_000


# --- the way out ------------------------------------------------------------------------------------


@asynccontextmanager
async def child_of(live: Live, script: str) -> AsyncIterator[tuple[process.Child, Link, Stdin]]:
    """A process, and the stream to it as the transport makes it."""
    child = await process.start(live.define({"child": python(script)}), live.mark)
    link = Link(lambda _: None)
    link.is_deaf = child.stdin.transport.is_closing

    async def why() -> str:
        return "it closed its input"

    try:
        yield child, link, Stdin(child, link, why)
    finally:
        await process.stop(child)


@with_live
async def test_server_that_asks_and_does_not_read_is_lost(live: Live) -> None:
    """Answers to what it asks do not pile up without end; a call may be as large as it is."""
    answer = sdk.SessionMessage(
        sdk.mcp_types.JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": "x" * 1_000_000})
    )
    async with child_of(live, "import signal; signal.pause()") as (child, link, stdin):
        link.unwritten = child.stdin.transport.get_write_buffer_size
        await stdin.send(message(1, "x" * 20_000_000))
        with pytest.raises(anyio.BrokenResourceError):
            await stdin.send(answer)
        assert link.lost_why == "it asks, and does not read the answers"


@with_live
async def test_sending_never_waits_for_the_server(live: Live) -> None:
    """Megabytes to a server that does not read return at once; the cancellation after them does, too."""
    async with child_of(live, "import signal; signal.pause()") as (child, _, stdin):
        with anyio.fail_after(2):
            for number in range(4):
                await stdin.send(message(number, "x" * 1_000_000))
            await stdin.send(message(5))
        await asyncio.sleep(0)  # what comes in one turn of the loop is written together
        assert child.stdin.transport.get_write_buffer_size() > 3_000_000


@with_live
async def test_server_that_is_deaf_is_told_of(live: Live) -> None:
    """What a server cannot be told any more fails at once, with the reason; the link is lost."""
    async with child_of(live, "import os, signal; os.close(0); print(flush=True); signal.pause()") as (
        child,
        link,
        stdin,
    ):
        await child.stdout.readline()
        await wait_until_async(link.is_deaf)
        with pytest.raises(anyio.BrokenResourceError):
            await stdin.send(message(1))
        assert link.lost.is_set()
        assert link.lost_why == "it closed its input"


@with_live
async def test_nothing_is_sent_after_the_end(live: Live) -> None:
    """A closed stream refuses; closing it twice is harmless."""
    async with child_of(live, "import sys; sys.stdin.read()") as (_, _, stdin):
        async with stdin:
            await stdin.send(message(1))
        await stdin.aclose()
        with pytest.raises(anyio.BrokenResourceError):
            await stdin.send(message(2))
