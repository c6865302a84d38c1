"""What there is to know of another MCP client: where its configs lie, and how it writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import dialects, format_detection, switches
from .places import matching, project_folders
from .translation import Dialect


@dataclass(frozen=True, slots=True)
class Client:
    """Another client: its files of this user and of a project, and the keys below which servers stand.

    `signs` are keys that tell a file of it, wherever the file lies, and `looks` tells one of no other client.
    With `bare_variables` it knows $X. A key a/b stands for b within a.
    """

    name: str
    user: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    keys: tuple[str, ...] = ("mcpServers",)
    signs: frozenset[str] = frozenset()
    looks: format_detection.Looks = format_detection.none
    dialect: Dialect = dialects.plain
    switches: switches.Switches = switches.none
    bare_variables: bool = False

    def files(self) -> list[tuple[Path, Path | None]]:
        """Those that exist, each with the project that it belongs to; the user's own come first."""
        found: dict[Path, tuple[Path, Path | None]] = {}
        for path in (path for place in self.user for path in matching(place)):
            found.setdefault(path.resolve(), (path, None))
        for folder in project_folders():
            for place in self.project:
                for path in sorted(folder.glob(place)):
                    found.setdefault(path.resolve(), (path, folder))
        return [place for place in found.values() if place[0].is_file()]
