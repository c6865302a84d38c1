"""The caller as its servers are resolved for it: a folder, variables, and what was looked up for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .approval_mode import NEVER
from .variables import CERTIFICATE_VARIABLES, NOTHING_CONFIDED, Confided


@dataclass(frozen=True, slots=True)
class Context:
    """The caller, as far as resolution needs it. `cwd` is absolute."""

    cwd: str
    environment: Mapping[str, str] = field(repr=False, hash=False)
    umask: int = 0o022
    confided: Confided = field(default=NOTHING_CONFIDED, repr=False, hash=False)
    # What is asked for all servers already; and whether they are a project's, which does not allow itself
    # anything.
    approve: str = NEVER
    is_project: bool = False


def variables_for(context: Context) -> dict[str, str]:
    """What placeholders of its servers may name: its own, and those of editors."""
    return {**_editor_variables(context), **context.environment}


def _editor_variables(context: Context) -> dict[str, str]:
    """What VS Code, Cursor and Claude Code call the folder and the home, which others' configs mention."""
    folders = dict.fromkeys(("workspaceFolder", "workspaceRoot", "cwd", "CLAUDE_PROJECT_DIR"), context.cwd)
    home = context.environment.get("HOME")
    return {
        **folders,
        "workspaceFolderBasename": os.path.basename(context.cwd),  # noqa: PTH119 - of a path that is absolute
        "pathSeparator": os.sep,
        **({"userHome": home} if home else {}),
    }


def with_absolute_certificates(context: Context) -> Context:
    """The certificates that the caller's environment names are below its folder, wherever a server runs."""
    given = {name: context.environment.get(name, "") for name in CERTIFICATE_VARIABLES}
    absolute = {
        name: os.pathsep.join(below(context.cwd, path) for path in value.split(os.pathsep) if path)
        for name, value in given.items()
        if value
    }
    return replace(context, environment={**context.environment, **absolute}) if absolute else context


def below(folder: str, path: str) -> str:
    return path if path.startswith("/") else f"{folder.rstrip('/')}/{path}"
