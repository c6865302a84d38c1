"""`${env:X}`, `${workspaceFolder}`, `${input:x}` and their kin, as other clients write them → `${X}`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .documents import Json

_EXPANDED = ("command", "args", "env", "cwd", "url", "headers", "envFile", "oauth")
# No braces within: of ${A:-${B}} the inner one alone is a variable here too.
_VARIABLE = re.compile(r"\$\{([^{}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
# Ways to write ${X} of single clients: opencode and Windsurf, mcphost, mcporter, Continue.
_OTHER_FORMS = (
    (re.compile(r"(?<!\$)\{env:([A-Za-z_][A-Za-z0-9_]*)\}"), r"${\1}"),
    (re.compile(r"\$\{env://([A-Za-z_][A-Za-z0-9_]*(?::-[^{}]*)?)\}"), r"${\1}"),
    (re.compile(r"\$env:([A-Za-z_][A-Za-z0-9_]*)"), r"${\1}"),
    (re.compile(r"\$\{\{\s*(?:secrets|inputs|env)\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}"), r"${\1}"),
    (re.compile(r"(?<!\$)\{file:([^{}]+)\}"), r"${file:\1}"),
)
_COMMAND = re.compile(r"\$\([^)]")
# Of LibreChat and of templates: {{LIBRECHAT_USER_ID}}.
_IN_DOUBLE_BRACES = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
_OURS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?::-.*)?", re.DOTALL)
_WORKSPACE = ("workspaceFolder", "workspaceRoot", "cwd", "CLAUDE_PROJECT_DIR")
# Extensions of Gemini CLI and Qwen Code, and plugins of Claude Code, name the folder that they lie in.
_OWN_FOLDER = ("extensionPath", "CLAUDE_PLUGIN_ROOT")
_PREDEFINED = {"userHome": "${HOME}", "/": "/", "pathSeparator": "/"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where entries stand. `folder` is the project that they belong to, None where they are the user's.

    `inputs` are what the client would ask for, with the answer that it offers; with `bare_variables`
    it knows $X too.
    """

    path: Path
    folder: Path | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    bare_variables: bool = False


class Placeholders:
    """Those of one entry; what has no counterpart is added to `notes`."""

    def __init__(self, origin: Origin, entry: Json, notes: list[str]) -> None:
        self._origin, self._entry, self._notes = origin, entry, notes

    def entry(self) -> Json:
        return {key: self._value(value) if key in _EXPANDED else value for key, value in self._entry.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for form, ours in _OTHER_FORMS:
            text = form.sub(ours, text)
        if self._origin.bare_variables and _COMMAND.search(text):
            self._notes.append("$(…) is not run here: put its output into a variable")
        if _IN_DOUBLE_BRACES.search(text):
            self._notes.append("{{…}} has no counterpart here: replace it by hand")
        return _VARIABLE.sub(self._replacement, text)

    def _replacement(self, found: re.Match[str]) -> str:
        name, bare = found[1], found[2]
        if name is None:
            return f"${{{bare}}}" if self._is_variable(bare) else found[0]
        kind, _, rest = name.partition(":")
        if kind == "env" and _OURS.fullmatch(rest):
            return f"${{{rest}}}"
        if kind == "input":
            return self._input(rest)
        if kind == "file" and rest:
            return found[0]
        return self._predefined(name, kind) or self._unknown(found[0], name, kind)

    def _is_variable(self, name: str) -> bool:
        """Where $X is one if it is set, and else is left as it is: a password may hold a $."""
        return self._origin.bare_variables and (name.isupper() or name in os.environ)

    def _input(self, identifier: str) -> str:
        variable = _variable_for(identifier)
        default = self._origin.inputs.get(identifier, "")
        if default and "}" not in default:
            return f"${{{variable}:-{default}}}"
        self._notes.append(f"asks for {identifier!r}: set {variable} in your environment")
        return f"${{{variable}}}"

    def _predefined(self, name: str, kind: str) -> str:
        folder = self._origin.folder
        if kind in _WORKSPACE and (folder or not name.startswith("CLAUDE_PROJECT_DIR:-")):
            # Servers run in the caller's folder, unless they say where.
            return str(folder) if folder else "${PWD}" if "cwd" in self._entry else "."
        if name == "workspaceFolderBasename" and folder:
            return folder.name
        if name in _OWN_FOLDER:
            return str(self._origin.path.absolute().parent)
        return _PREDEFINED.get(name, "")

    def _unknown(self, text: str, name: str, kind: str) -> str:
        if name == "workspaceFolderBasename" or not _OURS.fullmatch(name):
            shown = kind if re.fullmatch(r"[A-Za-z]{1,30}", kind) else ""
            self._notes.append(f"${{{shown}…}} has no counterpart here: replace it by hand")
        return text


def _variable_for(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").upper() or "VALUE"
    return f"_{name}" if name[0].isdigit() else name
