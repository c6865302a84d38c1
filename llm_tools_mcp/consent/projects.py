"""Which projects' servers are trusted: by the hash of their `.mcp.json`, and of each file that it names.

A changed file is another one, wherever it lies: an `envFile` decides what runs as much as a command does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.config import ConfigSource, Project, decoded, find_project, read_config, read_project
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError

from .store import ConsentStore

TRUSTED, IGNORED = "trusted", "ignored"


@dataclass(frozen=True, slots=True)
class Verdict:
    """TRUSTED, IGNORED, or nothing for a project that was not decided on, or has changed since.

    `project` has what its text refers to where it is trusted. `changed` are the files that it names, as they
    are written, where only they are others than those that were trusted.
    """

    decision: str
    project: Project
    changed: tuple[str, ...] = ()


class Projects:
    """By the path of the file: its hash, its text (to show what changed), what was decided, and of each file
    that it names the hash and what was shown of it.
    """

    def __init__(self) -> None:
        self._store = ConsentStore(paths.data_folder() / "projects.json", _is_sound)

    def verdict(self, project: Project, environ: Mapping[str, str]) -> Verdict:
        """Nothing that it names is read before its text is trusted."""
        known = self._known(project.path)
        if known.get("digest") != project.digest or known["decision"] != TRUSTED:
            return Verdict(known["decision"] if known.get("digest") == project.digest else "", project)
        project = project.looked_up(environ)
        changed = tuple(project.files[key] for key in self.changed_files(project))
        return Verdict("" if changed else TRUSTED, project, changed)

    def former(self, project: Project) -> str | None:
        """The text that was trusted before; None where none was."""
        known = self._known(project.path)
        return known["text"] if known.get("decision") == TRUSTED else None

    def changed_files(self, project: Project) -> dict[str, str]:
        """Of the files that it names those that are others than when they were trusted, by key: what was
        shown of them then.
        """
        then = self._known(project.path).get("files", {})
        nothing = {"digest": None, "shown": ""}
        files = {key: (digest, then.get(key, nothing)) for key, digest in project.file_digests.items()}
        return {key: file["shown"] for key, (digest, file) in files.items() if file["digest"] != digest}

    def _known(self, path: str) -> dict[str, Any]:
        return dict(self._store.read().get(path, {}))

    def decide(self, project: Project, decision: str, shown: Mapping[str, str] | None = None) -> None:
        """`shown` is what the person saw of each file that it names, by key: no secret is kept of them."""
        seen = shown or {}
        files = {
            key: {"digest": digest, "shown": seen.get(key, "")}
            for key, digest in project.file_digests.items()
        }
        with self._store.changed() as agreed:
            agreed[project.path] = {
                "digest": project.digest,
                "decision": decision,
                "text": project.text if decision == TRUSTED else "",
                "files": files if decision == TRUSTED else {},
            }

    def forget(self, path: str) -> bool:
        """Whether it was known."""
        with self._store.changed() as agreed:
            return agreed.pop(path, None) is not None


def _is_sound(entry: Any) -> bool:
    """Of one project. What is of another form may raise, too."""
    texts = [entry[key] for key in ("digest", "decision", "text")]
    texts += [file[key] for file in entry.get("files", {}).values() for key in ("digest", "shown")]
    return all(isinstance(text, str) for text in texts)


def read_config_here() -> ConfigSource:
    """The default config, with the servers of the project that the caller is in, if they are trusted.

    A project that is not is told of in `warnings`. Raises as `read_config`.
    """
    path = find_project(paths.current_folder(), os.environ.get("HOME", "")) or ""
    project, warning = _looked_at(path) if path else (None, "")
    warnings = (warning,) if warning else ()
    try:
        source = read_config()
    except ConfigNotFound as error:
        if project is None and not warning:
            raise
        if project is None:
            raise ConfigNotFound(error.path, error.option, f"{warning}\n") from None
        source = ConfigSource(error.path, '{"mcpServers": {}}')
    untrusted = path if project is None else ""
    return replace(source, project=project, untrusted=untrusted, warnings=(*source.warnings, *warnings))


def _looked_at(path: str) -> tuple[Project | None, str]:
    """The project if it is trusted, else what is to be said about it."""
    try:
        project = read_project(path)
        projects = Projects()
        verdict = projects.verdict(project, os.environ)
        if verdict.decision == TRUSTED:
            return verdict.project, ""
        is_worth_a_word = verdict.decision != IGNORED and _has_servers(project)
        return None, _announcement(verdict, projects) if is_worth_a_word else ""
    except ConfigError as error:
        return None, str(error)
    except McpError as error:
        return None, f"the servers of {path} are not used: {error}"


def _has_servers(project: Project) -> bool:
    """Other clients leave files without any, and Visual Studio's has other keys. Raises ConfigError."""
    top = decoded(project.path, project.text) if project.text.strip() else None
    return isinstance(top, dict) and bool(top.get("mcpServers"))


def _announcement(verdict: Verdict, projects: Projects) -> str:
    project = verdict.project
    trust = f"llm mcp trust {quote(project.path)}"
    if verdict.changed:
        names = ", ".join(verdict.changed)
        return (
            f"the servers of {project.path} are not used: what it reads from {names} has changed since you "
            f"trusted it; to see how: {trust}"
        )
    if projects.former(project) is not None:
        return f"{project.path} has changed since you trusted it and is not used; to see how: {trust}"
    return (
        f"{project.path} has MCP servers of this project, which are not used; to see and trust them: {trust}"
    )
