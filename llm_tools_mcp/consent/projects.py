"""Which projects' servers are trusted, by the hash of their `.mcp.json`: a changed file is another one."""

from __future__ import annotations

import os
from dataclasses import replace
from shlex import quote
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.config import ConfigSource, Project, find_project, read_config, read_project
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError

from .store import ConsentStore

TRUSTED, IGNORED = "trusted", "ignored"


class Projects:
    """By the path of the file: its hash, its text (to show what changed), and what was decided."""

    def __init__(self) -> None:
        self._store = ConsentStore(paths.data_folder() / "projects.json", _is_sound)

    def decision(self, project: Project) -> str:
        """TRUSTED, IGNORED, or nothing for one that was not decided on, or has changed since."""
        known = self._known(project.path)
        return known["decision"] if known.get("digest") == project.digest else ""

    def former(self, project: Project) -> str | None:
        """The text that was trusted before; None where none was."""
        known = self._known(project.path)
        return known["text"] if known.get("decision") == TRUSTED else None

    def _known(self, path: str) -> dict[str, str]:
        return dict(self._store.read().get(path, {}))

    def decide(self, project: Project, decision: str) -> None:
        with self._store.changed() as agreed:
            agreed[project.path] = {
                "digest": project.digest,
                "decision": decision,
                "text": project.text if decision == TRUSTED else "",
            }

    def forget(self, path: str) -> bool:
        """Whether it was known."""
        with self._store.changed() as agreed:
            return agreed.pop(path, None) is not None


def _is_sound(entry: Any) -> bool:
    """Of one project. What is of another form may raise, too."""
    return all(isinstance(entry[key], str) for key in ("digest", "decision", "text"))


def read_config_here() -> ConfigSource:
    """The default config, with the servers of the project that the caller is in, if they are trusted.

    A project that is not is told of in `warnings`. Raises as `read_config`.
    """
    project, warning = _project_here()
    warnings = (warning,) if warning else ()
    try:
        source = read_config()
    except ConfigNotFound as error:
        if project is None and not warning:
            raise
        if project is None:
            raise ConfigNotFound(error.path, error.option, f"{warning}\n") from None
        source = ConfigSource(error.path, '{"mcpServers": {}}')
    return replace(source, project=project, warnings=(*source.warnings, *warnings))


def _project_here() -> tuple[Project | None, str]:
    """The project if it is trusted, else what is to be said about it."""
    path = find_project(paths.current_folder(), os.environ.get("HOME", ""))
    if path is None:
        return None, ""
    try:
        project = read_project(path)
        projects = Projects()
        decision = projects.decision(project)
        if decision == TRUSTED:
            return project, ""
        return None, "" if decision == IGNORED else _announcement(project, projects)
    except ConfigError as error:
        return None, str(error)
    except McpError as error:
        return None, f"the servers of {path} are not used: {error}"


def _announcement(project: Project, projects: Projects) -> str:
    trust = f"llm mcp trust {quote(project.path)}"
    if projects.former(project) is not None:
        return f"{project.path} has changed since you trusted it and is not used; to see how: {trust}"
    return (
        f"{project.path} has MCP servers of this project, which are not used; to see and trust them: {trust}"
    )
