"""By what a config of a client is known wherever it lies: keys that no other client has, or their shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .documents import Json

Looks = Callable[[Json], bool]


def none(_: Json) -> bool:
    return False


def codex(document: Json) -> bool:
    """It writes `projects` too, as Claude Code does."""
    return isinstance(document.get("mcp_servers"), dict)


def zed(document: Json) -> bool:
    return isinstance(document.get("context_servers"), dict)


def amp(document: Json) -> bool:
    return "amp.mcpServers" in document


def opencode(document: Json) -> bool:
    """Of the two that have servers in `mcp`, the one whose `command` is a list."""
    return "opencode" in str(document.get("$schema")) or any(
        isinstance(entry.get("command"), list) or entry.get("type") in ("local", "remote")
        for entry in _entries(document.get("mcp"))
    )


def crush(document: Json) -> bool:
    return "crush" in str(document.get("$schema")) or any(
        isinstance(entry.get("command"), str) or entry.get("type") in ("stdio", "http", "sse")
        for entry in _entries(document.get("mcp"))
    )


def continue_dev(document: Json) -> bool:
    experimental = document.get("experimental")
    is_older = isinstance(experimental, dict) and "modelContextProtocolServers" in experimental
    servers = document.get("mcpServers")
    return is_older or (isinstance(servers, list) and bool(servers))


def goose(document: Json) -> bool:
    return any({"cmd", "uri", "envs"} & entry.keys() for entry in _entries(document.get("extensions")))


def jetbrains(document: Json) -> bool:
    return "McpServerCommand" in document


def fast_agent(document: Json) -> bool:
    section = document.get("mcp")
    servers = section.get("servers") if isinstance(section, dict) else None
    has_targets = isinstance(section, dict) and isinstance(section.get("targets"), list)
    return has_targets or any(
        {"read_timeout_seconds", "load_on_start"} & entry.keys() for entry in _entries(servers)
    )


def _entries(table: Any) -> list[Json]:
    found = table.values() if isinstance(table, dict) else ()
    return [entry for entry in found if isinstance(entry, dict)]
