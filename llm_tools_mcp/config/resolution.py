"""From the text of a config to ServerDefinitions, as the caller would start them.

Relative things are relative to the caller's folder, commands are looked up in the child's PATH, and
~ is the caller's: the daemon's own surroundings never count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from llm_tools_mcp.errors import ConfigError

from .approval_mode import NEVER, strictest
from .context import Context, variables_for, with_absolute_certificates
from .definition import Protocol, ServerDefinition
from .expansion import Expansion, Unresolvable
from .problems import config_error
from .remote import remote_server
from .stdio import stdio_server

if TYPE_CHECKING:
    from .model import Entry, RemoteEntry, StdioEntry

_OAUTH = "oauth"
_IN_OAUTH = f"{_OAUTH}."


class UnknownKey(NamedTuple):
    """A key that nothing reads; `doctor` reports it. `reason`: where it would be read.

    One inside `oauth` is `oauth.KEY`.
    """

    server: str
    key: str
    reason: str = ""

    @property
    def suggestion(self) -> str:
        """The known key that was probably meant, or ''."""
        from .advice import meant_key
        from .model import KNOWN_KEYS, KNOWN_OAUTH_KEYS

        if self.reason:
            return ""
        section = _IN_OAUTH if self.key.startswith(_IN_OAUTH) else ""
        known = KNOWN_OAUTH_KEYS if section else KNOWN_KEYS
        near = meant_key(self.key.removeprefix(section), known)
        return f"{section}{near}" if near else ""


@dataclass(frozen=True, slots=True)
class Config:
    """Servers in the config's order, without the disabled ones. A ConfigError fails one server only.

    `mistakes` are those of entries that are wrong for every caller.
    """

    servers: Mapping[str, ServerDefinition | ConfigError]
    unknown_keys: tuple[UnknownKey, ...] = ()
    mistakes: Mapping[str, ConfigError] = field(default_factory=dict)
    # The names of those that the caller's project brings along.
    of_project: frozenset[str] = frozenset()
    # What it asks for all servers (see approval).
    approve: str = NEVER
    # How many servers may live at once, where the config says so.
    max_servers: int | None = None
    # The entries in use as they are written, by the path of their file.
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def joined(self, project: Config) -> Config:
        """With the servers of a project, which come in the place of those of the same name."""
        servers = {**self.servers, **project.servers}
        unknown = tuple(key for key in self.unknown_keys if key.server not in project.servers)
        mistakes = {name: error for name, error in self.mistakes.items() if name not in project.servers}
        return Config(
            MappingProxyType(servers),
            (*unknown, *project.unknown_keys),
            MappingProxyType({**mistakes, **project.mistakes}),
            frozenset(project.servers),
            self.approve,
            self.max_servers,
            {**self.written, **project.written},
        )


def parse(source_path: str, text: str, context: Context, protocol: Protocol | None = None) -> Config:
    """Validate and resolve. `protocol` overrides what the servers say.

    Raises ConfigError for what breaks the whole file. `source_path` is for messages only.
    """
    from .model import approval_of_all, enabled_servers, max_servers, validated  # pydantic: on demand

    context = with_absolute_certificates(context)
    approve = strictest([context.approve, approval_of_all(source_path, text)])
    context = replace(context, approve=approve)
    raw = enabled_servers(source_path, text)
    entries = validated(source_path, raw)
    servers = {
        name: entry
        if isinstance(entry, ConfigError)
        else _resolved(source_path, name, entry, context, protocol)
        for name, entry in entries.items()
    }
    mistakes = {name: entry for name, entry in entries.items() if isinstance(entry, ConfigError)}
    unknown = tuple(
        key
        for name, entry in entries.items()
        if not isinstance(entry, ConfigError)
        for key in _unknown_keys(name, entry, raw[name])
    )
    limit = max_servers(source_path, text)
    return Config(
        MappingProxyType(servers),
        unknown,
        MappingProxyType(mistakes),
        approve=approve,
        max_servers=limit,
        written={source_path: raw},
    )


def _unknown_keys(name: str, entry: Entry, raw: Mapping[str, object]) -> list[UnknownKey]:
    from .model import KNOWN_KEYS, StdioEntry, spellings

    reason = "is for a url alone" if isinstance(entry, StdioEntry) else "is for a command alone"
    meant = spellings(type(entry))
    given = [key for key, value in raw.items() if value is not None and key not in meant]
    unknown = [UnknownKey(name, key, reason if key in KNOWN_KEYS else "") for key in given]
    within = [] if isinstance(entry, StdioEntry) else _unknown_oauth_keys(name, raw.get(_OAUTH))
    return [*unknown, *within]


def _unknown_oauth_keys(name: str, oauth: object) -> list[UnknownKey]:
    from .model import KNOWN_KEYS, KNOWN_OAUTH_KEYS

    given = oauth if isinstance(oauth, dict) else {}
    unknown = (key for key in given if key not in KNOWN_OAUTH_KEYS)
    outside = "is for the entry itself, not for its `oauth`"
    return [UnknownKey(name, f"{_IN_OAUTH}{key}", outside if key in KNOWN_KEYS else "") for key in unknown]


def _resolved(
    path: str,
    name: str,
    entry: StdioEntry | RemoteEntry,
    context: Context,
    protocol: Protocol | None,
) -> ServerDefinition | ConfigError:
    from .model import StdioEntry

    expansion = Expansion(name, variables_for(context), context.confided)
    common = _common(name, entry, expansion, protocol) | _approval(entry, context)
    try:
        if isinstance(entry, StdioEntry):
            return stdio_server(entry, context, expansion, common)
        return remote_server(entry, context, expansion, common)
    except Unresolvable:
        return config_error(path, expansion.problems, expansion.repair)


def _approval(entry: Entry, context: Context) -> dict[str, Any]:
    allowed = () if context.is_project else (*(entry.always_allow or ()), *(entry.auto_approve or ()))
    return {"approve": strictest([context.approve, entry.approve or NEVER]), "always_allow": allowed}


def _common(name: str, entry: Entry, expansion: Expansion, protocol: Protocol | None) -> dict[str, Any]:
    include, exclude = _offered(entry, expansion)
    numbers = {
        "timeout": entry.timeout,
        "connect_timeout": entry.connect_timeout,
        "idle_timeout": entry.idle_timeout,
    }
    return {
        "name": name,
        "protocol": protocol or Protocol(entry.protocol or "auto"),
        "include": include,
        "exclude": exclude,
        "output_limit": entry.output_limit,
        "always_load": entry.always_load or False,
        **{key: float(value) for key, value in numbers.items() if value is not None},
    }


def _offered(entry: Entry, expansion: Expansion) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which tools to offer, and which of them not. An empty `enabledTools`, as Codex has it, means none."""
    include = expansion.texts("includeTools", entry.include_tools or ())
    include += expansion.texts("enabledTools", entry.enabled_tools or ())
    exclude = expansion.texts("excludeTools", entry.exclude_tools or ())
    exclude += expansion.texts("disabledTools", entry.disabled_tools or ())
    return include, ("*",) if entry.enabled_tools == [] and not include else exclude
