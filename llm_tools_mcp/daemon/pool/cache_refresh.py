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
    """`list_tools` asks a server; it may raise ServerFailure."""

    def __init__(self, list_tools: Callable[[ServerDefinition], Awaitable[object]]) -> None:
        self._list_tools = list_tools
        self._under_way: dict[str, asyncio.Task[None]] = {}  # by cache key
        # Lists that were asked for since this daemon began, with the program that was asked.
        self._asked: set[tuple[str, FileIdentity]] = set()

    @property
    def is_under_way(self) -> bool:
        return bool(self._under_way)

    def begin_if_stale(self, definition: ServerDefinition, age: float) -> None:
        """Where the list is old (`age` in seconds), of another version of the program, or of a time before
        this daemon.
        """
        key = definition.cache_key
        is_young = 0 <= age <= _STALE_SECONDS
        if (is_young and (key, definition.program) in self._asked) or key in self._under_way:
            return
        self.note_asked(definition)  # also if it fails: a server that is out of order is not tried each time
        task = asyncio.create_task(self._refresh(definition), name=f"refresh of {definition.name}")
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))

    async def _refresh(self, definition: ServerDefinition) -> None:
        await asyncio.sleep(_PAUSE)
        try:
            await self._list_tools(definition)
        except ServerFailure as failure:
            _log.info("the old tool list of %s stays: %s", definition.name, failure)

    def note_asked(self, definition: ServerDefinition) -> None:
        if len(self._asked) > _MAX_ASKED:
            self._asked.clear()
        self._asked.add((definition.cache_key, definition.program))

    def doubt(self, keys: Container[str]) -> None:
        """What is known under these cache keys may be of a time before a restart."""
        self._asked -= {asked for asked in self._asked if asked[0] in keys}

    def cancel(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
