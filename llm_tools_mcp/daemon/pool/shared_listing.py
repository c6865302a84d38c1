"""A server's listing: shared by all who ask at the same time, and asked anew when the server says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure

from .deadline import Deadline
from .offer import not_listed

_log = logging.getLogger(__name__)

# Seconds before a notice is followed. Each that brought nothing new doubles it: some servers send one
# whenever they are asked.
_PAUSE, _LONGEST_PAUSE = 0.1, 60.0

Tools = list[v1.Tool]


class SharedListing:
    """At most one is under way. `name` is the server's, for the log."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._current: asyncio.Task[Tools | None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._pause = _PAUSE
        self._last: Tools | None = None

    @property
    def is_under_way(self) -> bool:
        return self._current is not None and not self._current.done()

    async def shared(self, ask: Callable[[], Awaitable[Tools]], seconds: float) -> Tools:
        """The listing under way, or a new one. It goes on when this caller is cancelled, or is over its time.

        That may be shorter than the one of whoever began it. Raises ServerFailure.
        """
        listing = self.begin(ask)
        with Deadline(seconds):
            await asyncio.wait([listing])
            if listing.cancelled():
                raise ServerFailure(Kind.STOPPING, "the daemon stops; try again")
            return listing.result() or []
        raise not_listed(seconds)

    def begin(self, ask: Callable[[], Awaitable[Tools | None]]) -> asyncio.Task[Tools | None]:
        if self._current is None or self._current.done():
            self._current = asyncio.create_task(_awaited(ask), name=f"listing of {self._name}")
            self._current.add_done_callback(self._note)
        return self._current

    def again(self, ask: Callable[[], Awaitable[Tools | None]]) -> None:
        """After a moment, once for a burst of notices, and after one under way: it may have missed it."""
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow(ask), name=f"new listing of {self._name}")

    async def _follow(self, ask: Callable[[], Awaitable[Tools | None]]) -> None:
        await asyncio.sleep(self._pause)
        if self.is_under_way and self._current is not None:
            await asyncio.wait([self._current])
        before = self._last
        self.begin(ask).add_done_callback(lambda _: self._learn(before))

    def _learn(self, before: Tools | None) -> None:
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause) if self._last == before else _PAUSE

    def _note(self, listing: asyncio.Task[Tools | None]) -> None:
        if listing.cancelled():
            return
        if error := listing.exception():
            _log.warning("%s did not list its tools: %s", self._name, error)
        else:
            self._last = listing.result()

    def cancel(self) -> None:
        for task in (self._current, self._following):
            if task is not None:
                task.cancel()


async def _awaited(ask: Callable[[], Awaitable[Any]]) -> Any:
    return await ask()
