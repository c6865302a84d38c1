"""What a call reports while it runs, on its way to the client: in order, bounded, and only if it takes time.

Most calls end within milliseconds. They cost one message and no task besides their own; `accepted` is
for those that make the client wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from llm_tools_mcp import v1

# Seconds until the client is told that its call has begun: it takes silence for a hung daemon after ten.
ACCEPTED_AFTER = 0.05
# What a slow client has not read yet is dropped beyond this.
_MAX_WAITING = 64

Event = v1.CallToolEvent | v1.RequestEvent
Write = Callable[[Event], Awaitable[None]]


class EventWriter:
    """Writes the events of one call, all of a `kind`, until `flush` before its last one, or `cancel`."""

    def __init__(self, write: Write, kind: type[Event] = v1.CallToolEvent) -> None:
        self._write = write
        self._kind = kind
        self._waiting: deque[Event] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._accept: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            ACCEPTED_AFTER, self._accepted
        )

    def put(self, event: v1.Progress | v1.LogMessage) -> None:
        self._accepted()
        if len(self._waiting) < _MAX_WAITING:
            self._send(self._wrapped(event))

    def _wrapped(self, event: v1.Progress | v1.LogMessage) -> Event:
        return self._kind(progress=event) if isinstance(event, v1.Progress) else self._kind(log=event)

    def put_question(self, event: v1.Question | v1.QuestionOver) -> None:
        """Never dropped: somebody waits for what comes of it. There are few of them."""
        self._accepted()
        if isinstance(event, v1.Question):
            self._send(self._kind(question=event))
        else:
            self._send(self._kind(question_over=event))

    def _accepted(self) -> None:
        if self._accept is not None:
            self._accept.cancel()
            self._accept = None
            self._send(self._kind(accepted=v1.Accepted()))

    def _send(self, event: Event) -> None:
        self._waiting.append(event)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())

    async def _write_waiting(self) -> None:
        with suppress(Exception):  # the client has gone, and the call is about to be cancelled
            while self._waiting:
                await self._write(self._waiting.popleft())

    async def flush(self) -> None:
        """Until everything is written; nothing may come after."""
        if self._accept is not None:
            self._accept.cancel()
        if self._writing is not None:
            await self._writing

    def cancel(self) -> None:
        """The client has gone."""
        if self._accept is not None:
            self._accept.cancel()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None  # a cancelled task keeps its error, and that what it was writing
