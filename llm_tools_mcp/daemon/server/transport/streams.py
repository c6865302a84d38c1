"""The two streams of a stdio server as the SDK takes them, in as few turns of the event loop as possible.

anyio's memory streams yield to the loop at every item, and need a task at their other end: six turns a
call, of 33 in all, where these need two.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any

import anyio

from llm_tools_mcp.daemon.server import sdk
from llm_tools_mcp.daemon.server.process import Child

from .link import Link

# Messages that the SDK has not taken yet; the reader waits beyond this.
_CAPACITY = 64
# Bytes that a server may leave unread and still get answers to what it asks.
_MAX_UNREAD = 16 * 1024 * 1024


class Inbox:
    """From the tasks that read to the one that receives: the SDK's loop.

    `last_context` is that of whom the message last received answers, which the SDK runs its callbacks in.
    """

    def __init__(self) -> None:
        self.last_context: Context | None = None
        self._items: deque[tuple[sdk.SessionMessage, Context | None]] = deque()
        self._taken: sdk.SessionMessage | None = None
        self._changed: deque[asyncio.Future[None]] = deque()  # for whoever waits for an item, or for room
        self._finished = False  # nothing more will be sent
        self._closed = False  # nobody receives any more

    async def send_in_context(self, item: sdk.SessionMessage) -> None:
        """As `send`; what it leads to runs in the context of this task."""
        await self.send(item, copy_context())

    async def send(self, item: sdk.SessionMessage, context: Context | None = None) -> None:
        """Raises anyio.BrokenResourceError when nobody receives any more."""
        while len(self._items) >= _CAPACITY and not self._closed:
            await self._change()
        if self._closed:
            raise anyio.BrokenResourceError
        self._items.append((item, context))
        self._wake()

    def finish(self) -> None:
        self._finished = True
        self._wake()

    async def receive(self) -> sdk.SessionMessage:
        """Raises anyio.EndOfStream."""
        forget(self._taken)
        while not self._items:
            if self._finished or self._closed:
                raise anyio.EndOfStream
            await self._change()
        item, self.last_context = self._items.popleft()
        self._taken = item
        if len(self._items) == _CAPACITY - 1:
            self._wake()
        return item

    async def _change(self) -> None:
        self._changed.append(asyncio.get_running_loop().create_future())
        await self._changed[-1]

    def _wake(self) -> None:
        while self._changed:
            waiting = self._changed.popleft()
            if not waiting.done():  # it may have been cancelled
                waiting.set_result(None)

    def close(self) -> None:
        self._closed = True
        self._wake()

    async def aclose(self) -> None:
        self.close()

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> sdk.SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Inbox:  # noqa: PYI034 - Self is Python 3.11
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def forget(item: sdk.SessionMessage | None) -> None:
    """The SDK's loop holds what it took last, 100 MB perhaps, until it gets the next: hours later."""
    if item is not None:
        item.message = None  # type: ignore[assignment]  # it was dispatched: nobody looks again


class Stdin:
    """Straight into the pipe, and never waits.

    Whoever gives up on a server that does not read must be able to say so, and each message is one of a
    caller's that is held in memory anyway.
    """

    def __init__(self, child: Child, link: Link, why_deaf: Callable[[], Awaitable[str]]) -> None:
        self._stdin = child.stdin
        self._link = link
        self._why_deaf = why_deaf
        self._closed = False
        self._waiting: list[bytes] | None = None  # what follows the first message of this turn of the loop

    async def send(self, item: Any) -> None:
        """Raises anyio.BrokenResourceError when the server does not read any more."""
        if self._link.unwritten() > _MAX_UNREAD and _is_answer(item.message):
            self._link.lose("it asks, and does not read the answers")
            raise anyio.BrokenResourceError
        if self._closed or self._link.is_deaf():
            self._link.lose(await self._why_deaf())
            raise anyio.BrokenResourceError
        self._write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        """The first one at once, those of the same turn of the loop together: a write wakes the server."""
        if self._waiting is not None:
            self._waiting.append(line)
            return
        self._waiting = []
        asyncio.get_running_loop().call_soon(self._write_waiting)
        self._stdin.write(line)

    def _write_waiting(self) -> None:
        if self._waiting:
            self._stdin.write(b"".join(self._waiting))
        self._waiting = None

    def close(self) -> None:
        self._closed = True
        self._write_waiting()

    async def aclose(self) -> None:
        self.close()

    async def __aenter__(self) -> Stdin:  # noqa: PYI034 - Self is Python 3.11
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def _is_answer(message: object) -> bool:
    return isinstance(message, sdk.mcp_types.JSONRPCResponse | sdk.mcp_types.JSONRPCError)
