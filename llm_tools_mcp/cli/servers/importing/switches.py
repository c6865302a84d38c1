"""Which servers other clients have switched off, where that does not stand with the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_tools_mcp.errors import ConfigError

from .documents import Json, document_of
from .placeholders import Origin
from .places import expanded, project_folders

# Whether a server of this name is off.
IsOff = Callable[[str], bool]
Switches = Callable[[Json, Origin], IsOff]


def none(_document: Json, _origin: Origin) -> IsOff:
    return lambda _: False


def claude_code(document: Json, origin: Origin) -> IsOff:
    """Each project switches off servers of all scopes by name, and those of .mcp.json in settings too."""
    projects = [origin.folder] if origin.folder else project_folders()
    if origin.path.name != ".mcp.json":
        return _names(
            *(_project(document, folder).get("disabledMcpServers") for folder in projects)
        ).__contains__
    state = _document(expanded("{claude}/.claude.json"))
    own = [_project(state, folder) for folder in projects]
    settings = [folder / ".claude" / name for folder in projects for name in _SETTINGS]
    settings.append(expanded("{claude_settings}/settings.json"))
    own += [_document(path) for path in settings]
    lists = [entry.get(key) for entry in own for key in ("disabledMcpServers", "disabledMcpjsonServers")]
    return _names(*lists).__contains__


_SETTINGS = ("settings.json", "settings.local.json")


def gemini(document: Json, _origin: Origin) -> IsOff:
    """Lists in the settings, and a file of its own for `gemini mcp disable`; capitals do not matter."""
    states = _document(expanded("{home}/.gemini/mcp-server-enablement.json"))
    off = {
        name for name, state in states.items() if isinstance(state, dict) and state.get("enabled") is False
    }
    return _of_settings(document, off)


def qwen(document: Json, _origin: Origin) -> IsOff:
    """The same lists."""
    return _of_settings(document, set())


def _of_settings(document: Json, off: set[str]) -> IsOff:
    section = document.get("mcp")
    section = section if isinstance(section, dict) else {}
    excluded = off | {_plain(name) for name in _names(section.get("excluded"))}
    allowed = {_plain(name) for name in _names(section.get("allowed"))}

    def is_off(name: str) -> bool:
        return _plain(name) in excluded or (bool(allowed) and _plain(name) not in allowed)

    return is_off


def _plain(name: str) -> str:
    return name.lower().strip()


def _project(document: Json, folder: Path) -> Json:
    projects = document.get("projects")
    project = projects.get(str(folder)) if isinstance(projects, dict) else None
    return project if isinstance(project, dict) else {}


def _names(*lists: Any) -> set[str]:
    return {name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)}


def _document(path: Path) -> Json:
    """Nothing where it cannot be read: the servers themselves do not stand in it."""
    try:
        return document_of(path)
    except ConfigError:
        return {}
