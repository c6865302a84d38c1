"""What servers have listed besides tools: believed as long as they let us, and not a moment longer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from llm_tools_mcp.cache import known_lists
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.server.to_wire import JsonObject

from .session import Session

_log = logging.getLogger(__name__)

_MAX_IN_MEMORY = 256


class ListCache:
    """By identity and method, in memory and in `folder`. They may depend on the caller's folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._writing = asyncio.Lock()  # of two lists the later one stays
        self._lists: OrderedDict[tuple[str, str], known_lists.KnownList] = OrderedDict()

    def get(self, identity: str, method: str) -> JsonObject | None:
        """The last known one, however old."""
        entry = self._entry(identity, method)
        return None if entry is None else entry.result

    def current(self, identity: str, method: str, sessions: Sequence[Session]) -> JsonObject | None:
        """The last known one, if it can still be true.

        Of a server that is connected it is when the server would have said that it is not; a server that
        does not say so is asked each time. Of one that is not connected it is for a while.
        """
        entry = self._entry(identity, method)
        if entry is None or not entry.is_fresh(self._clock()):
            return None
        connected = [session for session in sessions if session.connection is not None]
        return entry.result if all(session.offer.vouches_for(method) for session in connected) else None

    async def put(self, definition: ServerDefinition, method: str, result: JsonObject) -> None:
        """Also for shells in other folders, which complete by what was last seen anywhere."""
        entry = known_lists.KnownList(dict(result), self._clock())
        self._remember(definition.identity, method, entry)
        keys = (definition.identity, definition.cache_key)
        try:
            async with self._writing:
                await asyncio.to_thread(known_lists.store, self._folder, keys, method, entry)
        except OSError as error:
            _log.warning("cannot write the lists in %s: %s", self._folder, error.strerror)

    def _entry(self, identity: str, method: str) -> known_lists.KnownList | None:
        entry = self._lists.get((identity, method)) or known_lists.load(self._folder, identity, method)
        if entry is not None:
            self._remember(identity, method, entry)
        return entry

    def _remember(self, identity: str, method: str, entry: known_lists.KnownList) -> None:
        self._lists[identity, method] = entry
        self._lists.move_to_end((identity, method))
        if len(self._lists) > _MAX_IN_MEMORY:
            self._lists.popitem(last=False)
