"""One server of another MCP client → its entry in mcp.json, and what is lost on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A server of another client. `entry` is None where it cannot be translated; `notes` say what is lost."""

    name: str
    entry: Json | None
    source: Path
    notes: tuple[str, ...] = ()


class Translation:
    """One entry on its way: what is taken from `rest` goes to `entry`, which is ours."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.rest: Json = dict(raw)
        self.entry: Json = {}

    def take(self, key: str, ours: str = "") -> None:
        """Move a key as it is."""
        if key in self.rest:
            value = self.rest.pop(key)
            if value is not None:
                self.entry[ours or key] = value

    def take_seconds(self, key: str, ours: str, scale: float = 1) -> None:
        value = self.rest.pop(key, None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.entry[ours] = value * scale

    def drop(self, *keys: str) -> None:
        """Forget what has no meaning here and costs nobody anything."""
        for key in keys:
            self.rest.pop(key, None)


_OURS = ("command", "args", "env", "cwd", "url", "headers", "disabled", "includeTools", "excludeTools")
_TYPES = {
    "stdio": "stdio",
    "http": "http",
    "sse": "sse",
    "streamable-http": "http",
    "streamablehttp": "http",
    "streamable_http": "http",
}
# Who may use what without asking, and how it is presented: the other client's business.
_MEANINGLESS = (
    "alwaysAllow",
    "autoApprove",
    "description",
    "gallery",
    "version",
    "dev",
    "icon",
    "name",
    "trust",
)


def translated(name: str, raw: Any, path: Path, translate: Callable[[Translation], None]) -> Found:
    """What another client's entry means in mcp.json. `translate` takes what that client calls otherwise."""
    if not isinstance(raw, dict):
        return Found(name, None, path, ("is no object",))
    translation = Translation(raw)
    translate(translation)
    kind = translation.rest.pop("type", translation.rest.pop("transport", None))
    if kind is not None and str(kind).lower() not in _TYPES:
        return Found(name, None, path, (f"its type {str(kind)[:20]!r} is not known here",))
    for key in _OURS:
        translation.take(key)
    if ("command" in translation.entry) == ("url" in translation.entry):
        return Found(name, None, path, ("has neither command nor url, or both",))
    translation.drop(*_MEANINGLESS)
    if kind is not None:
        _keep_type(translation, _TYPES[str(kind).lower()])
    lost = [key for key in translation.rest if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", key)]
    notes = [f"without {', '.join(lost)}"] if lost else []
    entry = _with_our_variables(translation.entry, notes)
    return Found(name, entry, path, tuple(dict.fromkeys(notes)))


def _keep_type(translation: Translation, kind: str) -> None:
    """Only where it is not what everybody would infer."""
    url = str(translation.entry.get("url", ""))
    evident = "stdio" if "command" in translation.entry else "sse" if "/sse" in url else "http"
    if kind != evident:
        translation.entry["type"] = kind


# Servers run in the caller's folder.
_PREDEFINED = {
    "workspaceFolder": ".",
    "workspaceRoot": ".",
    "cwd": ".",
    "userHome": "${HOME}",
    "/": "/",
    "pathSeparator": "/",
}
_VARIABLE = re.compile(r"\$\{([^}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")


def _with_our_variables(value: Any, notes: list[str], key: str = "") -> Any:
    """`${env:X}` and its kin become `${X}`, everywhere."""
    if isinstance(value, dict):
        return {name: _with_our_variables(inner, notes, key or name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_our_variables(inner, notes, key) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _variable(found, notes, key), value)
    return value


def _variable(found: re.Match[str], notes: list[str], key: str) -> str:
    name = found[1]
    if name is None:  # $X is a variable for Gemini in env and headers, and in an argument for a shell
        return f"${{{found[2]}}}" if key in ("env", "headers", "url") else found[0]
    kind, _, rest = name.partition(":")
    if kind == "env":
        return f"${{{rest}}}"
    if kind != "input":
        return _PREDEFINED.get(name, found[0])
    variable = re.sub(r"[^A-Za-z0-9]", "_", rest).upper()
    notes.append(f"asks for {rest!r}: set {variable} in your environment")
    return f"${{{variable}}}"
