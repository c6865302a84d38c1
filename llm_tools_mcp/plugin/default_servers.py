"""The way to the servers of the default config, for fragments and templates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp.client.requests import Requests
    from llm_tools_mcp.config import ConfigSource

# What this process has warned of: a prompt may have many fragments.
_shown: set[str] = set()


def config_source() -> ConfigSource:
    """What is wrong with it is said on stderr, once. Raises McpError."""
    from llm_tools_mcp.consent.projects import read_config_here

    source = read_config_here()
    for warning in source.warnings:
        if warning not in _shown:
            _shown.add(warning)
            sys.stderr.write(f"Warning: {plain(warning)}\n")
    return source


def requests_of(source: ConfigSource) -> Requests:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.client.requests import Requests
    from llm_tools_mcp.terminal.progress import Display

    from .person import LazyPerson

    display = Display()
    return Requests(Daemon(), source, display, LazyPerson(display))
