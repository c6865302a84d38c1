"""What to write instead of what is wrong in a config: the second half of messages. Never shows a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Below which keys other clients keep their servers.
_TABLES_OF_OTHERS = ("mcp", "mcp_servers", "context_servers", "extensions", "amp.mcpServers", "projects")
# What they call the keys of an entry.
_KEYS_OF_OTHERS = {
    **dict.fromkeys(("cmd", "program", "programPath"), "command"),
    **dict.fromkeys(("arguments", "argv"), "args"),
    **dict.fromkeys(("environment", "environmentVariables", "envs", "envVars", "env_vars"), "env"),
    **dict.fromkeys(("workdir", "workingDirectory", "working_directory"), "cwd"),
    **dict.fromkeys(("baseUrl", "endpoint", "uri"), "url"),
    **dict.fromkeys(("http_headers", "httpHeaders", "requestOptions"), "headers"),
    **dict.fromkeys(("transport", "transportType"), "type"),
    **dict.fromkeys(("allowedTools", "allowed_tools", "tools"), "includeTools"),
    **dict.fromkeys(("blockedTools", "excludedTools", "disallowedTools"), "excludeTools"),
    **dict.fromkeys(("initTimeout", "connectionTimeout", "startup_timeout_sec"), "connectTimeout"),
    **dict.fromkeys(("networkTimeout", "read_timeout_seconds", "tool_timeout_sec"), "timeout"),
    **dict.fromkeys(("auth", "authentication"), "oauth"),
    **dict.fromkeys(("isEnabled", "active", "isActive", "is_active"), "enabled"),
}
_URLS = frozenset({"url", "serverUrl", "httpUrl"})
_EVIDENT = _URLS | {"command"}
# Files that only `import` reads, by the ends of their names.
_OTHER_LANGUAGES = (".toml", ".xml", ".yaml", ".yml")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
# What pydantic complains of, and values that only the quotation marks keep from being right.
_UNQUOTED = {"bool_type": re.compile("true|false"), "float_type": _NUMBER, "int_type": _NUMBER}
_ARRAY, _OBJECT = 'as in ["one", "two"]', 'as in {"NAME": "value"}'


def about_value(complaint: str, key: str, value: Any) -> str:
    """Of one that has the wrong type; `complaint` is pydantic's word for it."""
    if complaint == "string_type" and key == "command" and isinstance(value, list | dict):
        return ": the program alone; what follows it belongs into 'args'"
    if complaint == "string_type" and isinstance(value, bool | int | float):
        return ": put it into quotation marks"
    if complaint in _UNQUOTED and isinstance(value, str) and _UNQUOTED[complaint].fullmatch(value):
        return ": write it without quotation marks"
    if complaint == "list_type":
        return f", {_ARRAY}"
    return f", {_OBJECT}" if complaint == "dict_type" and key in ("env", "headers") else ""


def about_top(path: str, top: Mapping[str, Any]) -> str:
    """Of a config without `mcpServers`."""
    if "servers" in top:
        return f"; 'servers' is how VS Code spells it: rename that key, or type: {import_command(path)}"
    if near := [key for key in top if re.sub("[^a-z]", "", key.lower()) in ("mcpservers", "mcpserver")]:
        return f"; it is spelled {near[0]!r} there"
    if theirs := [key for key in _TABLES_OF_OTHERS if isinstance(top.get(key), dict | list)]:
        return f"; {theirs[0]!r} is how another client spells it: type: {import_command(path)}"
    if _EVIDENT & top.keys():
        return '; a server stands in there, under its name: {"mcpServers": {"NAME": {…}}}'
    is_bare = any(isinstance(entry, dict) and _EVIDENT & entry.keys() for entry in top.values())
    return '; servers stand in there: {"mcpServers": {…}}' if is_bare else ""


def about_servers(path: str, servers: Any) -> str:
    """Of a `mcpServers` that is no object."""
    is_list = isinstance(servers, list) and any(isinstance(server, dict) for server in servers)
    return f"; a list is how Continue writes it: type: {import_command(path)}" if is_list else ""


def about_language(path: str) -> str:
    """Of a file that is no JSON."""
    if path.lower().endswith(_OTHER_LANGUAGES):
        return f"; to take over the servers of another client: {import_command(path)}"
    return ""


def about_type(given: str, known: Iterable[str]) -> str:
    """Of one that differs in capitals or signs alone."""
    plain = {re.sub("[^a-z]", "", name): name for name in known}
    meant = plain.get(re.sub("[^a-z]", "", given.lower()))
    return f"; did you mean {meant!r}?" if meant else ""


def about_keys(keys: Iterable[str]) -> str:
    """Of an entry that has neither command nor url."""
    for key in keys:
        if near := meant_key(key, ("command", "url")):
            return f" Did you mean {near!r} by {key!r}?"
    return ""


def meant_key(key: str, known: Iterable[str]) -> str:
    """Which of the known keys was probably meant by one that is none, or ''."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    meant = _KEYS_OF_OTHERS.get(key, "").lower()
    near = [meant] if meant in names else get_close_matches(key.lower(), sorted(names), n=1, cutoff=0.75)
    return names[near[0]] if near else ""


def about_missing(key: str, given: Mapping[str, Any]) -> str:
    """Of a key that the entry's 'type' asks for, where what is there speaks for another one."""
    if key == "command" and _URLS & given.keys():
        return ': with a url \'type\' is "http" or "sse", or left out'
    if key in _URLS and "command" in given:
        return ": with a command 'type' is \"stdio\", or left out"
    return ""


def about_url(url: str) -> str:
    """Of one that is no http url."""
    scheme, found, _ = url.strip().partition("://")
    if not found:
        return ": http:// or https:// is missing in front of it"
    if scheme.lower() in ("ws", "wss"):
        return ": MCP does not go over WebSockets here; most such servers have an http url, too"
    return "" if _is_wellformed(url) else ": its host or port is malformed"


def _is_wellformed(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def import_command(path: str) -> str:
    from shlex import quote

    return f"llm mcp import {quote(path)}" if path else "llm mcp import FILE"
