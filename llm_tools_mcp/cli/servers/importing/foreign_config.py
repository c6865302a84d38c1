"""Configs of other MCP clients: whose one is, and which servers stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_tools_mcp.errors import ConfigError

from .catalogue import CLIENTS
from .documents import Json, document_of
from .foreign_client import Client
from .placeholders import Origin
from .places import matching, project_folders
from .translation import Found, translated

# A file of no client that is known by its looks.
_ANY = Client(
    "file",
    keys=(
        *("mcpServers", "servers", "mcp/servers", "mcp_servers"),
        *("mcp/stdio_servers", "mcp/sse_servers", "mcp/shttp_servers"),  # OpenHands
    ),
)


def servers_of_client(client: Client) -> Iterator[Found]:
    """Raises ConfigError where a file cannot be read."""
    for path, folder in client.files():
        yield from _servers(document_of(path), client, path, folder)


def servers_of_file(path: Path) -> list[Found]:
    """Raises ConfigError where the file cannot be read, or does not look like a config."""
    document = document_of(path)
    client, folder = _owner(path, document)
    if not _has_tables(document, client):
        document = {client.keys[0]: _bare(path, document)}
    return list(_servers(document, client, path, folder))


def _has_tables(document: Json, client: Client) -> bool:
    return any(key.partition("/")[0] in document for key in (*client.keys, "projects"))


def _bare(path: Path, document: Json) -> Json:
    """Entries without a table around them, as they stand in many a README."""
    if document and all(isinstance(raw, dict) and _SERVER & raw.keys() for raw in document.values()):
        return document
    if not document:
        return {}
    raise ConfigError(
        str(path),
        "holds no MCP servers: there is no mcpServers, servers or mcp_servers",
    )


_SERVER = frozenset({"command", "url", "serverUrl", "httpUrl"})


def _owner(path: Path, document: Json) -> tuple[Client, Path | None]:
    """Whose file it is, by its place or else by its keys, and the project that it belongs to."""
    absolute = path.resolve()
    for client in CLIENTS.values():
        if any(absolute == place.resolve() for pattern in client.user for place in matching(pattern)):
            return client, None
    places = [(place, client) for client in CLIENTS.values() for place in client.project]
    for place, client in sorted(places, key=lambda one: one[0].count("/"), reverse=True):
        if absolute.match(place) and _has_tables(document, client):
            return client, absolute.parents[place.count("/")]
    return _by_its_keys(document), None


def _by_its_keys(document: Json) -> Client:
    looking = [client for client in CLIENTS.values() if client.looks(document)]
    if looking:
        return looking[0]
    section = document.get("mcp")
    keys = {*document, *(section if isinstance(section, dict) else ())}
    keys.update(key for table in _tables(document, _ANY) for key in _keys_of_all(table))
    return next((client for client in CLIENTS.values() if client.signs & keys), _ANY)


def _keys_of_all(table: Mapping[str, Any]) -> set[str]:
    return {key for raw in table.values() if isinstance(raw, dict) for key in raw}


def _tables(document: Json, client: Client) -> Iterator[Json]:
    """By name, also where they stand in a list, each with its name in it."""
    for key in client.keys:
        table = _at(document, key)
        if isinstance(table, list):
            items = [{"url": item} if isinstance(item, str) else item for item in table]
            named = [item for item in items if isinstance(item, dict)]
            table = {_name_in(item) or f"server-{n}": item for n, item in enumerate(named, 1)}
        if isinstance(table, dict):
            yield table


def _name_in(item: Json) -> str:
    """Of a server in a list: its own, or else the host's."""
    if "name" in item:
        return str(item["name"])
    found = re.match(r"https?://(?:[^/@]*@)?([A-Za-z0-9.-]+)", str(item.get("url", "")))
    return found[1] if found else ""


def _at(document: Json, key: str) -> Any:
    found: Any = document
    for part in key.split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _servers(document: Json, client: Client, path: Path, folder: Path | None) -> Iterator[Found]:
    for key in client.keys:
        table = document.get(key, {})
        if not isinstance(table, dict) and not (isinstance(table, list) and table):
            raise ConfigError(str(path), f"key {key!r}: Input should be an object")
    for table in _tables(document, client):
        yield from _translated(table, document, client, _origin(document, client, path, folder))
    if "projects" in document and client.name == "claude-code":
        yield from _servers_of_projects(document, client, path)


def _origin(document: Json, client: Client, path: Path, folder: Path | None) -> Origin:
    return Origin(path, folder, _inputs(document), client.bare_variables)


def _inputs(document: Json) -> dict[str, str]:
    """What VS Code asks for, with the answers that it suggests; of a password there is none."""
    section = document.get("mcp")
    inputs = document.get("inputs") or (section.get("inputs") if isinstance(section, dict) else None)
    return {
        str(item.get("id")): item["default"]
        for item in (inputs if isinstance(inputs, list) else ())
        if isinstance(item, dict) and isinstance(item.get("default"), str) and not item.get("password")
    }


def _translated(table: Json, document: Json, client: Client, origin: Origin) -> Iterator[Found]:
    is_off = client.switches(document, origin)
    for name, raw in table.items():
        yield translated(name, raw, origin, client.dialect, is_off=is_off(name))


def _servers_of_projects(document: Json, client: Client, path: Path) -> Iterator[Found]:
    """Claude Code's servers for a single folder: of this one they are taken, of others only named."""
    here = {str(folder): folder for folder in project_folders()}
    projects = document["projects"]
    for name, project in projects.items() if isinstance(projects, dict) else ():
        table = project.get("mcpServers") if isinstance(project, dict) else None
        if not isinstance(table, dict) or not table:
            continue
        if name in here:
            for server in _translated(table, document, client, Origin(path, here[name])):
                note = f"was only for {name}, and is for every folder now"
                yield replace(server, notes=(*server.notes, note)) if server.entry else server
        else:
            yield Found(", ".join(table), None, path, (f"only for {name}: import it from there",))
