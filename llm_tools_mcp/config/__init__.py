"""mcp.json: read by the client, parsed and resolved by the daemon into frozen ServerDefinitions.

The client reads, because what the caller sees is what counts (process substitution, mount
namespaces). It pays for nothing else: the daemon's part is loaded on demand (PEP 562), and pydantic
by `parse` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .document import decoded, is_disabled, named_entries, wants_search
from .file import ConfigSource, config_for_command, config_for_url, read_config, read_text
from .file_identity import FileIdentity
from .names import configured_names, enabled_names
from .project import Project
from .project import find as find_project
from .project import read as read_project
from .secret_lookup import confided
from .variables import (
    CALLER_VARIABLES,
    NOTHING_CONFIDED,
    Confided,
    caller_environment,
    mentioned_variables,
)

if TYPE_CHECKING:
    from .context import Context
    from .definition import Protocol, ServerDefinition, Transport
    from .resolution import Config, UnknownKey, parse

__all__ = [
    "CALLER_VARIABLES",
    "NOTHING_CONFIDED",
    "Confided",
    "Config",
    "ConfigSource",
    "Context",
    "FileIdentity",
    "Project",
    "Protocol",
    "ServerDefinition",
    "Transport",
    "UnknownKey",
    "caller_environment",
    "confided",
    "config_for_command",
    "config_for_url",
    "configured_names",
    "decoded",
    "enabled_names",
    "find_project",
    "is_disabled",
    "mentioned_variables",
    "named_entries",
    "parse",
    "read_config",
    "read_project",
    "read_text",
    "wants_search",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import definition, resolution

    return getattr(definition, name, None) or getattr(resolution, name)
