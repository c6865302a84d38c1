"""What the commands of this family share: the config's servers, and the way to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import did_you_mean
from llm_tools_mcp.cli.tools.tools import read_source
from llm_tools_mcp.errors import UnknownTool
from llm_tools_mcp.terminal.screen import clean_line

if TYPE_CHECKING:
    from llm_tools_mcp.client.requests import Requests
    from llm_tools_mcp.client.tools import Failed
    from llm_tools_mcp.config import ConfigSource


def requests_of(source: ConfigSource) -> Requests:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.client.requests import Requests
    from llm_tools_mcp.terminal.progress import Display
    from llm_tools_mcp.terminal.questions import Person

    display = Display()
    return Requests(Daemon(by_hand=True), source, display, Person(display))


def source_with(config_path: str | None, server: str | None) -> tuple[ConfigSource, list[str]]:
    """The config, and the servers that are meant: one, or all that are in use. Raises UnknownTool."""
    from llm_tools_mcp.config import enabled_names

    source = read_source(config_path)
    names = enabled_names(source)
    if server is None or server in names:
        return source, names if server is None else [server]
    known = ", ".join(names) or "none"
    near = did_you_mean(server, names)
    raise UnknownTool(f"no MCP server is called {server!r}; the config has: {known}{near}")


def print_failures(failed: Sequence[Failed]) -> None:
    for one in failed:
        click.echo(f"Warning: {clean_line(one.server)}: {clean_line(one.reason)}", err=True)


def pairs_of(words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise click.BadParameter(f"{word!r} is not of the form KEY=VALUE", param_hint="KEY=VALUE")
        pairs[name] = text
    return pairs
