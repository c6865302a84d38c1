"""Which servers the configs want: when an entry of one changes, what it stood for is wanted no more."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llm_tools_mcp.config import ServerDefinition, is_disabled, named_entries

_MAX_CONFIGS = 256
# A config that a process writes for another one: the next one there has nothing to do with it.
_PASSING = ("/dev/", "/proc/")


@dataclass(slots=True)
class _Config:
    text: str = field(repr=False)
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
        text: str,
        definitions: Sequence[ServerDefinition],
        max_servers: int | None = None,
    ) -> Changes:
        """Returns what a change of this config has changed."""
        if path.startswith(_PASSING):
            return Changes()
        former = self._configs.get(path)
        if former is None or former.text != text:
            self._configs[path] = _after_change(former, text)
        self._configs.move_to_end(path)
        self._configs[path].max_servers = max_servers
        for definition in definitions:
            self._configs[path].identities.setdefault(definition.name, set()).add(definition.identity)
        while len(self._configs) > _MAX_CONFIGS:
            self._configs.popitem(last=False)
        now = self._configs[path]
        return Changes() if former is None or former is now else self._changes(former, now, definitions)

    def holds(self, identity: str) -> bool:
        """Whether a config that still exists means this one."""
        return any(
            any(identity in each for each in config.identities.values()) and os.path.exists(path)  # noqa: PTH110
            for path, config in self._configs.items()
        )

    def _changes(self, former: _Config, now: _Config, definitions: Sequence[ServerDefinition]) -> Changes:
        edited = {
            definition.identity
            for definition in definitions
            if former.entries.get(definition.name) != now.entries.get(definition.name)
        }
        dropped = _identities(former) - _identities(now)
        return Changes(
            edited, dropped.difference(*map(_identities, self._configs.values())) if dropped else dropped
        )


def _after_change(former: _Config | None, text: str) -> _Config:
    entries = _entries(text)
    kept: dict[str, set[str]] = {}
    if former is not None:
        kept = {
            name: set(claimed)
            for name, claimed in former.identities.items()
            if name in entries and entries[name] == former.entries.get(name)
        }
    return _Config(text, entries, kept)


def _entries(text: str) -> Mapping[str, Any]:
    """Those in use. The text was parsed before, with all its errors reported."""
    return {name: entry for name, entry in named_entries(text).items() if not is_disabled(entry)}


def _identities(config: _Config) -> set[str]:
    return set().union(*config.identities.values())
