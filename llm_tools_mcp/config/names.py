"""What servers are called in a config and in the project beside it."""

from __future__ import annotations

from .document import is_disabled, named_entries
from .file import ConfigSource


def enabled_names(source: ConfigSource) -> list[str]:
    """Those that are in use, in the order of the config."""
    project = source.project.text if source.project is not None else ""
    entries = named_entries(source.text) | named_entries(project)
    return [name for name, entry in entries.items() if not is_disabled(entry)]


def configured_names(source: ConfigSource) -> list[str]:
    """All that are written there, also those that are not in use."""
    project = source.project.text if source.project is not None else ""
    return list(named_entries(source.text) | named_entries(project))
