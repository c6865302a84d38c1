"""Tool lists on disk, so that a prompt needs no server to be started before one is called.

One file a definition, named by its cache key (a hash that covers env and headers, see config). A
damaged or unreadable entry counts as absent; a cache that cannot be written only costs time.
"""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.cache import tool_lists
from llm_tools_mcp.system.access import make_private_folder
from llm_tools_mcp.system.replacing import replace_private

_log = logging.getLogger(__name__)

_MAX_IN_MEMORY = 256

# Which version of a file an entry in memory is; None for one that is only there.
_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class ToolList:
    """What a server offered when it was last asked. `tools` is in the server's order."""

    tools: tuple[v1.Tool, ...]
    listed_at: float  # seconds since the epoch
    is_legacy: bool  # the server is known to need the older handshake
    asks: bool = False  # it has asked a person something, without saying for which call
    instructions: str = ""  # what it says about its use as a whole


class ToolCache:
    """Lists by cache key, in memory and in `folder`, which several daemons may share."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self.clock = clock
        self._lists: OrderedDict[str, tuple[_Stamp, ToolList]] = OrderedDict()

    def get(self, key: str) -> ToolList | None:
        stamp = self._stamp(key)
        remembered = self._lists.get(key)
        if remembered is not None and remembered[0] in (stamp, None):
            self._lists.move_to_end(key)
            return remembered[1]
        known = self._load(key) if stamp is not None else None
        if known is None:
            self._lists.pop(key, None)
        else:
            self._remember(key, stamp, known)
        return known

    def put(self, key: str, tools: Iterable[v1.Tool], **facts: Any) -> ToolList:
        """As `listed`, and kept."""
        known = self.listed(tools, **facts)
        stored = self._store(key, known)
        self._remember(key, self._stamp(key) if stored else None, known)
        return known

    def listed(
        self, tools: Iterable[v1.Tool], *, is_legacy: bool, asks: bool = False, instructions: str = ""
    ) -> ToolList:
        """A list that a server gave just now."""
        return ToolList(tuple(tools), self.clock(), is_legacy, asks, instructions)

    def age(self, known: ToolList) -> float:
        """Seconds since it was listed; negative where the clock was set back."""
        return self.clock() - known.listed_at

    # --- in memory and on disk ----------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self._folder / tool_lists.file_name(key)

    def _stamp(self, key: str) -> _Stamp:
        try:
            status = os.stat(f"{self._folder}/{tool_lists.file_name(key)}")  # noqa: PTH116 - asked for each server and prompt
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_ino, status.st_size)

    def _remember(self, key: str, stamp: _Stamp, known: ToolList) -> None:
        self._lists[key] = (stamp, known)
        self._lists.move_to_end(key)
        if len(self._lists) > _MAX_IN_MEMORY:
            self._lists.popitem(last=False)

    def _load(self, key: str) -> ToolList | None:
        path = self._path(key)
        try:
            entry = tool_lists.load(self._folder, key)
        except (OSError, tool_lists.Damaged) as error:
            _log.warning("discarding the cached tool list %s: %s", path.name, type(error).__name__)
            return None
        if entry is None:
            return None
        return ToolList(tuple(entry.tools), entry.listed_at, entry.is_legacy, entry.asks, entry.instructions)

    def _store(self, key: str, known: ToolList) -> bool:
        entry = v1.CachedTools(
            tools=known.tools,
            listed_at=known.listed_at,
            is_legacy=known.is_legacy,
            asks=known.asks,
            instructions=known.instructions,
        )
        try:
            make_private_folder(self._folder)
            replace_private(self._path(key), tool_lists.encoded(entry))
        except OSError as error:
            _log.warning("cannot write the tool cache in %s: %s", self._folder, error.strerror)
            return False
        return True
