"""Known lists of tools that may be old are asked for again, behind the prompt that was given them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container

from llm_tools_mcp.config import FileIdentity, ServerDefinition
from llm_tools_mcp.daemon.failure import ServerFailure

_log = logging.getLogger(__name__)

_STALE_SECONDS = 24 * 3600.0
# Bounds what grows with every edit of a program; to forget costs a listing.
_MAX_ASKED = 4096
# Seconds: the prompt that finds a list old goes first; servers that start take its processor time.
_PAUSE = 0.5


class CacheRefresh:
    """`list_tools` asks a server, and notes it here; it may raise ServerFailure. `clock`: the lists' own."""

    def __init__(
        self, list_tools: Callable[[ServerDefinition], Awaitable[object]], clock: Callable[[], float]
    ) -> None:
        self._list_tools = list_tools
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[None]] = {}  # by cache key
        # When lists were last asked for since this daemon began, with the program that was asked.
        self._asked: dict[tuple[str, FileIdentity], float] = {}

    @property
    def is_under_way(self) -> bool:
        return bool(self._under_way)

    def begin_if_stale(self, definition: ServerDefinition, age: float) -> None:
        """Where the list is old (`age` in seconds), of another version of the program, or of a time before
        this daemon.
        """
        key = definition.cache_key
        if key in self._under_way or self._was_asked(definition, age):
            return
        task = asyncio.create_task(self._refresh(definition), name=f"refresh of {definition.name}")
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))

    def _was_asked(self, definition: ServerDefinition, age: float) -> bool:
        """Within a day and, where the list is old, since it is.

        Also in vain: a server that is out of order is not tried each time.
        """
        asked = self._asked.get((definition.cache_key, definition.program))
        if asked is None:
            return False
        since = self._clock() - asked  # negative where the clock was set back
        return 0 <= since < _STALE_SECONDS and (age <= _STALE_SECONDS or since <= age - _STALE_SECONDS)

    async def _refresh(self, definition: ServerDefinition) -> None:
        await asyncio.sleep(_PAUSE)
        try:
            await self._list_tools(definition)
        except ServerFailure as failure:
            _log.info("the old tool list of %s stays: %s", definition.name, failure)

    def note_asked(self, definition: ServerDefinition) -> None:
        if len(self._asked) > _MAX_ASKED:
            self._asked.clear()
        self._asked[definition.cache_key, definition.program] = self._clock()

    def doubt(self, keys: Container[str]) -> None:
        """What is known under these cache keys may be of a time before a restart."""
        for asked in [asked for asked in self._asked if asked[0] in keys]:
            del self._asked[asked]

    def cancel(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
