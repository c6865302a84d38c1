"""Commands, environments and headers that other clients write in other shapes → as in mcp.json."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from .documents import Json


def unfold_command(rest: Json) -> None:
    """Some write command and arguments as one list, or as an object of their own."""
    if isinstance(rest.get("arguments"), str):  # JetBrains
        rest["arguments"] = _words(rest["arguments"])
    for key, ours in (("cmd", "command"), ("programPath", "command"), ("arguments", "args")):
        if key in rest:
            rest.setdefault(ours, rest.pop(key))
    command = rest.get("command")
    if isinstance(command, dict):
        inner = {**command, "command": command.get("path", command.get("command"))}
        rest.pop("command")
        rest.update({key: inner[key] for key in ("command", "args", "env") if inner.get(key) is not None})
    elif isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        args = rest.get("args")
        rest["command"], rest["args"] = command[0], [*command[1:], *(args if isinstance(args, list) else [])]
    cwd = next((rest.pop(key) for key in ("workingDirectory", "working_directory") if key in rest), None)
    if cwd:
        rest.setdefault("cwd", cwd)


def number_in(value: Any) -> Any:
    """Some write numbers as texts."""
    is_number = isinstance(value, str) and re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value)
    return json.loads(value) if is_number else value


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark without its other half
        return text.split()


def unfold_pairs(rest: Json, key: str, separator: str) -> None:
    """A list of `NAME=VALUE`, or of objects with a name and a value, as in the Agent Client Protocol."""
    given = rest.get(key)
    pairs = [_pair(item, separator) for item in given] if isinstance(given, list) else []
    if pairs and all(name for name, _ in pairs):
        rest[key] = dict(pairs)


def _pair(item: Any, separator: str) -> tuple[str, Any]:
    """Without a name where it is none."""
    if isinstance(item, dict):
        name = item.get("name", item.get("key"))
        return (name, item["value"]) if isinstance(name, str) and "value" in item else ("", None)
    name, found, value = str(item).partition(separator)
    return (name.strip(), value.strip()) if found else ("", None)


def unfold_headers(rest: Json) -> None:
    """Lines of `NAME: VALUE`, headers among the options of a request, and tokens that a variable holds."""
    options = rest.get("requestOptions")
    if isinstance(options, dict) and isinstance(options.get("headers"), dict):
        rest["headers"] = {**options["headers"], **_object(rest.get("headers"))}
        if len(options) == 1:
            rest.pop("requestOptions")
    unfold_pairs(rest, "headers", ":")
    for key in ("bearerTokenEnv", "bearer_token_env", "bearerTokenEnvVar"):
        if isinstance(variable := rest.pop(key, None), str):
            rest["headers"] = {"Authorization": f"Bearer ${{{variable}}}", **_object(rest.get("headers"))}
    for key in ("bearerToken", "apiKey", "api_key"):
        if isinstance(token := rest.pop(key, None), str) and token:
            rest["headers"] = {"Authorization": f"Bearer {token}", **_object(rest.get("headers"))}


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
