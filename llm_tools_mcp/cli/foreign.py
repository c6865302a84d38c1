"""Configs of other MCP clients: where they lie, and what each client calls otherwise."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_tools_mcp.errors import ConfigError

from .translation import Found, Json, Translation, translated


@dataclass(frozen=True, slots=True)
class Client:
    """Another client: its files for this user and in the current folder, and how it names the servers."""

    name: str
    linux: tuple[str, ...]
    macos: tuple[str, ...] = ()
    key: tuple[str, ...] = ("mcpServers",)
    translate: Callable[[Translation], None] = field(default=lambda _: None)

    def files(self) -> list[Path]:
        places = self.macos if sys.platform == "darwin" and self.macos else self.linux
        return [path for place in places if (path := Path(place).expanduser()).is_file()]


def _gemini(translation: Translation) -> None:
    if "httpUrl" in translation.rest:
        translation.take("httpUrl", "url")
        translation.entry["type"] = "http"
    elif "url" in translation.rest:
        translation.take("url")
        translation.entry.setdefault("type", "sse")
    translation.take_seconds("timeout", "timeout", 0.001)
    translation.drop("trust", "description")


def _windsurf(translation: Translation) -> None:
    translation.take("serverUrl", "url")
    translation.take("disabledTools", "excludeTools")


def _codex(translation: Translation) -> None:
    token = translation.rest.pop("bearer_token_env_var", None)
    headers = dict(translation.rest.pop("http_headers", None) or {})
    variables = translation.rest.pop("env_http_headers", None) or {}
    headers |= {name: f"${{{variable}}}" for name, variable in variables.items()}
    if token:
        headers["Authorization"] = f"Bearer ${{{token}}}"
    if headers:
        translation.entry["headers"] = headers
    passed_on = translation.rest.pop("env_vars", None) or ()
    if names := [name for name in passed_on if isinstance(name, str)]:
        own = translation.rest.get("env") or {}
        translation.rest["env"] = {**{name: f"${{{name}}}" for name in names}, **own}
    translation.take_seconds("startup_timeout_sec", "connectTimeout")
    translation.take_seconds("tool_timeout_sec", "timeout")
    translation.take("enabled_tools", "includeTools")
    translation.take("disabled_tools", "excludeTools")
    if translation.rest.pop("enabled", True) is False:
        translation.entry["disabled"] = True


_MAC = "~/Library/Application Support"
CLIENTS = {
    client.name: client
    for client in (
        Client(
            "claude-desktop",
            ("~/.config/Claude/claude_desktop_config.json",),
            (f"{_MAC}/Claude/claude_desktop_config.json",),
        ),
        Client("claude-code", ("~/.claude.json", ".mcp.json")),
        Client("cursor", ("~/.cursor/mcp.json", ".cursor/mcp.json")),
        Client(
            "vscode",
            ("~/.config/Code/User/mcp.json", ".vscode/mcp.json"),
            (f"{_MAC}/Code/User/mcp.json", ".vscode/mcp.json"),
            key=("servers",),
        ),
        Client("windsurf", ("~/.codeium/windsurf/mcp_config.json",), translate=_windsurf),
        Client("gemini", ("~/.gemini/settings.json", ".gemini/settings.json"), translate=_gemini),
        Client(
            "codex",
            ("~/.codex/config.toml", ".codex/config.toml"),
            key=("mcp_servers",),
            translate=_codex,
        ),
    )
}


def _any(translation: Translation) -> None:
    translation.take("httpUrl", "url")
    _windsurf(translation)
    _codex(translation)


# A file that is given by its path may be of any of them.
_ANY = Client("file", (), key=("mcpServers", "servers", "mcp_servers"), translate=_any)


def servers_of_client(client: Client) -> list[Found]:
    return [found for path in client.files() for found in servers_of_file(path, client)]


def servers_of_file(path: Path, client: Client | None = None) -> list[Found]:
    """Raises ConfigError where the file cannot be read."""
    client = client or _owner(path)
    document = _read(path)
    servers = {name: raw for table in _tables(document, client, path) for name, raw in table.items()}
    return [translated(name, raw, path, client.translate) for name, raw in servers.items()]


def _owner(path: Path) -> Client:
    """The client whose files are called so, as in a copy of somebody's home."""
    for client in CLIENTS.values():
        places = {Path(place).parts[-2:] for place in client.linux + client.macos}
        if path.absolute().parts[-2:] in places:
            return client
    return _ANY


def _tables(document: Json, client: Client, path: Path) -> list[Json]:
    """Claude Code keeps those of a project by its folder."""
    found = [document.get(key) for key in client.key]
    projects = document.get("projects")
    if path.name == ".claude.json" and isinstance(projects, dict):
        own = projects.get(str(Path.cwd()))
        found.append(own.get("mcpServers") if isinstance(own, dict) else None)
    return [table for table in found if isinstance(table, dict)]


def _read(path: Path) -> Json:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is not UTF-8 text") from None
    document = _toml(path, text) if path.suffix == ".toml" else _json(path, text)
    if not isinstance(document, dict):
        raise ConfigError(str(path), "Input should be an object")
    return document


def _toml(path: Path, text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"not valid TOML: {error}") from None


# A string, or a comment, or a comma before a closing bracket.
_JSONC = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)


def _json(path: Path, text: str) -> Any:
    """Comments and trailing commas are allowed, as VS Code writes them."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return json.loads(_JSONC.sub(lambda found: found[1] or "", text))
    except ValueError as error:
        raise ConfigError(str(path), f"not valid JSON: {error}") from None
