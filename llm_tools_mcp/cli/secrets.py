"""What of a server's entry may be shown: no value of env or headers, nor what may be a token elsewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from llm_tools_mcp.config.secret_arguments import HIDDEN, TELLING, holds_token, public_command

# ${VAR} and ${VAR:-default} name a secret, they are none; a default may be one.
_REFERENCE = re.compile(
    r"(?:(?:Bearer|Basic|token) )?\$\{(?:(?:env:)?[A-Za-z_][A-Za-z0-9_]*|(?:file|llm|keyring):[^{}]+)\}"
)
# Flags, words, numbers; paths; packages and images (@scope/name@1.2, ghcr.io/name:tag); no userinfo.
_HARMLESS = re.compile(
    r"--?[A-Za-z][A-Za-z_-]*|[A-Za-z][A-Za-z_-]*|\d{1,5}"
    r"|(?:~|\.{1,2})?/[\w ./+-]*|\.{1,2}|~"
    r"|(?:@[\w-]+/)?[a-z][\w.-]*(?:/[\w.-]+)*(?:[@:](?:latest|[\d.]+))?"
)
_WORD_WITH_DIGITS = re.compile(r"[A-Za-z]+\d\w*|\d+[A-Za-z]\w*")


def shown_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as it may stand on a screen."""
    return {_shown_key(key): _shown_value(key, value) for key, value in entry.items()}


def shown_command(entry: Mapping[str, Any]) -> str:
    """Command and arguments, or the url: for a line in a table."""
    if "command" in entry:
        args = entry.get("args")
        shown = _shown_args(args) if isinstance(args, list) else []
        return " ".join([_shown_program(str(entry["command"])), *shown])
    return _shown_url(str(entry.get("url", "")))


def whole_command(entry: Mapping[str, Any]) -> str:
    """The same with all that may be a secret, for who asks for it."""
    if "command" in entry:
        args = entry.get("args")
        return shlex.join([str(entry["command"]), *map(str, args if isinstance(args, list) else [])])
    return str(entry.get("url", ""))


def _shown_key(key: str) -> str:
    """One that is none may be what belongs elsewhere: a header, a variable with its value."""
    return key if re.fullmatch(r"[\w.-]{1,40}", key) and not holds_token(key) else HIDDEN


def _shown_program(command: str) -> str:
    """A path may hold spaces; else what follows them are arguments, and a url has no place here."""
    if "://" in command:
        return _shown_url(command)
    program, *args = command.split(" ")
    if command.startswith(("/", "~")):
        return public_command(command)
    return " ".join([program, *_shown_args(args)])


def _shown_value(key: str, value: Any) -> Any:
    if key in ("env", "headers") and isinstance(value, dict):
        return {name: _reference_or_hidden(inner) for name, inner in value.items()}
    if key == "args" and isinstance(value, list):
        return _shown_args(value)
    if key in ("url", "serverUrl", "httpUrl") and isinstance(value, str):
        return _shown_url(value)
    if key == "command" and isinstance(value, str):
        return _shown_program(value)
    return value if key in _PLAIN_KEYS else HIDDEN


_PLAIN_KEYS = frozenset(
    {
        *("type", "command", "cwd", "disabled", "protocol", "instances", "timeout"),
        *("connectTimeout", "connect_timeout", "idleTimeout", "idle_timeout"),
        *("includeTools", "include_tools", "excludeTools", "exclude_tools"),
        *("enabled", "enabledTools", "enabled_tools", "disabledTools", "disabled_tools"),
        *("envFile", "env_file", "inheritEnv", "inherit_env"),
    }
)


def _reference_or_hidden(value: Any) -> str:
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else HIDDEN


def _shown_args(args: Sequence[Any]) -> list[str]:
    shown: list[str] = []
    follows_telling = False
    for arg in map(str, args):
        name, separator, value = arg.partition("=")
        if _REFERENCE.fullmatch(arg):
            shown.append(arg)
        elif follows_telling and not arg.startswith("-"):
            shown.append(HIDDEN)
        elif separator:
            is_plain = _is_harmless(value) and not TELLING.search(name) and not value.isalpha()
            shown.append(arg if is_plain else f"{name}={HIDDEN}" if _is_harmless(name) else HIDDEN)
        else:
            shown.append(arg if _is_harmless(arg) else HIDDEN)
        follows_telling = arg.startswith("-") and not separator and bool(TELLING.search(arg))
    return shown


def _is_harmless(word: str) -> bool:
    if _WORD_WITH_DIGITS.fullmatch(word):  # hunter2
        return False
    return bool(_HARMLESS.fullmatch(word)) and not holds_token(word)


def _shown_url(url: str) -> str:
    if _REFERENCE.fullmatch(url):
        return url
    from llm_tools_mcp.config.definition import public_url

    return public_url(url)
