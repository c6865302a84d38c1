"""Which tools of which servers a person lets a model call without being asked: by what they were then.

A tool whose name, description or schema has changed is another one, and is asked about again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llm_tools_mcp import paths

from .store import ConsentStore

# Seconds since the epoch of a moment that can be shown: the year 5138.
_LATEST = 1e11


@dataclass(frozen=True, slots=True)
class ToolText:
    """What a person agrees to: all that a model is told of a tool. `schema` is JSON text."""

    name: str
    description: str
    schema: str

    @property
    def digest(self) -> str:
        parts = json.dumps([self.name, self.description, self.schema])
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Approval:
    """One that is remembered. `key` is the server's consent key, `server` what it was called then; `since` in
    seconds since the epoch.
    """

    key: str
    server: str
    tool: str
    since: float


class Approvals:
    """By the server's consent key, then by the name of the tool."""

    def __init__(self) -> None:
        self._store = ConsentStore(paths.data_folder() / "approvals.json", _is_sound)

    def is_approved(self, key: str, tool: ToolText) -> bool:
        known = self._known(key, tool.name)
        return known is not None and known.get("digest") == tool.digest

    def former(self, key: str, tool: ToolText) -> ToolText | None:
        """What was agreed to under this name, where it was something else."""
        known = self._known(key, tool.name)
        if known is None or known.get("digest") == tool.digest:
            return None
        return ToolText(tool.name, str(known.get("description", "")), str(known.get("schema", "")))

    def _known(self, key: str, tool: str) -> dict[str, Any] | None:
        server = self._store.read().get(key)
        return server["tools"].get(tool) if server is not None else None

    def approve(self, key: str, server: str, tools: Iterable[ToolText]) -> None:
        now = time.time()
        with self._store.changed() as agreed:
            entry = agreed.setdefault(key, {"server": server, "tools": {}})
            entry["server"] = server
            for tool in tools:
                entry["tools"][tool.name] = {
                    "digest": tool.digest,
                    "description": tool.description,
                    "schema": tool.schema,
                    "since": now,
                }

    def listed(self) -> list[Approval]:
        """All, by server, then by tool."""
        found = [
            Approval(key, str(entry.get("server", "")), tool, float(known.get("since", 0)))
            for key, entry in self._store.read().items()
            for tool, known in entry["tools"].items()
        ]
        return sorted(found, key=lambda approval: (approval.server, approval.tool))

    def forget(self, approvals: Iterable[Approval]) -> None:
        with self._store.changed() as agreed:
            for approval in approvals:
                tools = agreed.get(approval.key, {"tools": {}})["tools"]
                tools.pop(approval.tool, None)
                if not tools:
                    agreed.pop(approval.key, None)


def _is_sound(entry: Any) -> bool:
    """Of one server. What is of another form may raise, too."""
    return isinstance(entry["server"], str) and all(
        isinstance(tool["digest"], str) and 0 <= tool["since"] < _LATEST for tool in entry["tools"].values()
    )
