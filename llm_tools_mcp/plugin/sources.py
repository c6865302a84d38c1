"""Which config a toolbox stands for: a file, a URL, or a command."""

from __future__ import annotations

from llm_tools_mcp.config import (
    ConfigSource,
    config_for_command,
    config_for_url,
    named_entries,
    read_config,
)
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError


def source_of(path: str | None, command: str | None) -> ConfigSource:
    """Raises ConfigError, and McpError with what was probably meant."""
    if command is not None:
        if path is not None:
            raise McpError("MCP takes a config or a command, not both")
        try:
            return config_for_command(command)
        except ValueError as error:
            raise McpError(f"MCP(command=…) {error}") from None
    if path is not None and path.lower().startswith(("http://", "https://")):
        return config_for_url(path)
    if path is not None and "://" in path:
        raise McpError(f"MCP({path!r}): a URL begins with http:// or https://")
    if path is None:
        from llm_tools_mcp.consent.projects import read_config_here

        return read_config_here()
    try:
        return read_config(path)
    except ConfigNotFound as error:
        missing = error
    if names := _servers_among(path):
        meant = ",".join(names)
        raise McpError(f"there is no config {path!r}, but a server: -T 'MCP(servers=\"{meant}\")'")
    raise missing


def _servers_among(path: str) -> list[str]:
    """Servers of the default config where a config should be named, if all of them are."""
    try:
        known = named_entries(read_config().text)
    except ConfigError:
        return []
    names = [name.strip() for name in path.split(",")]
    return names if all(name in known for name in names) else []
