"""What servers are known to have besides tools, for whoever is in the middle of typing. Starts nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import config, paths
from llm_tools_mcp.cache import known_lists

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.config import ConfigSource

# Seconds that a shell waits.
PATIENCE = 0.3


def source_of(config_path: str | None) -> ConfigSource:
    from llm_tools_mcp.consent.projects import read_config_here

    return read_config_here() if config_path is None else config.read_config(config_path)


def items(source: ConfigSource, server: str, method: str, key: str) -> list[dict[str, Any]]:
    """Of the last known list: from disk, also one of another folder, or from a daemon that is connected."""
    keys = _keys(source, server)
    entries = (known_lists.load(known_lists.folder(), key, method) for key in keys)
    entry = next(filter(None, entries), None)
    result = entry.result if entry is not None else ask(source, server, method)
    found = result.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def ask(
    source: ConfigSource, server: str, method: str, params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Of a server that is connected. Raises McpError."""
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.caller import make_caller
    from llm_tools_mcp.client.channel import DaemonClient
    from llm_tools_mcp.service import installed_service

    from .running_daemon import is_running

    if not is_running(installed_service()):
        return {}
    request = v1.RequestMessage(
        caller=make_caller(source),
        server=server,
        method=method,
        params=json.dumps(dict(params or {})),
        only_known=True,
    )
    with DaemonClient(paths.socket_path()) as client:
        result: dict[str, Any] = json.loads(client.request(request, _ignore, seconds=PATIENCE))
        return result


def _ignore(_: v1.Progress | v1.LogMessage) -> None:
    """Nobody watches."""


def _keys(source: ConfigSource, server: str) -> tuple[str, ...]:
    """Of lists of the server: as it is for a caller in this place, and in any. Raises ConfigError."""
    from llm_tools_mcp.client.caller import make_caller

    caller = make_caller(source)
    here = config.Context(os.getcwd(), dict(caller.environment), caller.umask)  # noqa: PTH109 - as the shell is
    parsed = config.parse(caller.config_path, caller.config, here)
    if caller.project_config:
        there = replace(here, cwd=os.fsdecode(caller.project_folder))
        parsed = parsed.joined(config.parse(caller.project_path, caller.project_config, there))
    definition = parsed.servers.get(server)
    if not isinstance(definition, config.ServerDefinition):
        return ()
    return definition.identity, definition.cache_key
