"""Which servers the configs want: when an entry of one changes, what it stood for is wanted no more."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llm_tools_mcp.config import ServerDefinition

_MAX_CONFIGS = 256
# A config that a process writes for another one: the next one there has nothing to do with it.
_PASSING = ("/dev/", "/proc/")


@dataclass(slots=True)
class _Config:
    entries: Mapping[str, Any] = field(repr=False)
    # By server name; several where callers differ (folder, environment), who share the entry.
    identities: dict[str, set[str]]
    max_servers: int | None = None


class Changes(NamedTuple):
    """Identities: of entries that are written otherwise now, and those that nothing stands for any more."""

    edited: AbstractSet[str] = frozenset()
    unwanted: AbstractSet[str] = frozenset()


class ConfiguredServers:
    """By config path. Only what is written there counts: callers with other variables replace nothing."""

    def __init__(self) -> None:
        self._configs: OrderedDict[str, _Config] = OrderedDict()

    @property
    def max_servers(self) -> int | None:
        """How many servers may live at once, as far as a config says so."""
        return max(filter(None, (config.max_servers for config in self._configs.values())), default=None)

    def note(
        self,
        path: str,
        entries: Mapping[str, Any],
        definitions: Sequence[ServerDefinition],
        max_servers: int | None = None,
    ) -> Changes:
        """Returns what a change of this config has changed. `entries`: those in use, as they are written."""
        if path.startswith(_PASSING):
            return Changes()
        former = self._configs.get(path)
        unchanged = _unchanged(former, entries)
        if former is None or not len(unchanged) == len(entries) == len(former.entries):
            self._configs[path] = _after_change(former, entries, unchanged)
        self._configs.move_to_end(path)
        now = self._configs[path]
        now.max_servers = max_servers
        for definition in definitions:
            now.identities.setdefault(definition.name, set()).add(definition.identity)
        while len(self._configs) > _MAX_CONFIGS:
            self._configs.popitem(last=False)
        if former is None or former is now:
            return Changes()
        edited = {definition.identity for definition in definitions if definition.name not in unchanged}
        return Changes(edited, self._dropped(former, now))

    def holds(self, identity: str) -> bool:
        """Whether a config that still exists means this one."""
        return any(
            any(identity in each for each in config.identities.values()) and os.path.exists(path)  # noqa: PTH110
            for path, config in self._configs.items()
        )

    def _dropped(self, former: _Config, now: _Config) -> AbstractSet[str]:
        dropped = _identities(former) - _identities(now)
        return dropped.difference(*map(_identities, self._configs.values())) if dropped else dropped


def _unchanged(former: _Config | None, entries: Mapping[str, Any]) -> AbstractSet[str]:
    """The names of those that are written as before. There may be thousands: looked at once."""
    if former is None or former.entries is entries:
        return entries.keys()
    before = former.entries
    return {name for name, entry in entries.items() if before.get(name) == entry}


def _after_change(former: _Config | None, entries: Mapping[str, Any], unchanged: AbstractSet[str]) -> _Config:
    known = {} if former is None else former.identities
    return _Config(entries, {name: known[name] for name in unchanged & known.keys()})


def _identities(config: _Config) -> set[str]:
    return set().union(*config.identities.values())
