"""What the commands of this family share: the config's servers, and the way to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

import click

from llm_tools_mcp.cli.command import did_you_mean
from llm_tools_mcp.cli.tools.tools import read_source
from llm_tools_mcp.errors import UnknownTool
from llm_tools_mcp.terminal.screen import clean_line, print_json, styled

if TYPE_CHECKING:
    from llm_tools_mcp.client.requests import Prompt, Requests, Resource
    from llm_tools_mcp.client.tools import Failed
    from llm_tools_mcp.config import ConfigSource

T = TypeVar("T", "Prompt", "Resource")


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


def show(
    context: click.Context,
    what: str,
    server: str | None,
    items: Sequence[T],
    failed: Sequence[Failed],
    line: Callable[[T], str],
    *,
    as_json: bool,
) -> None:
    """What servers have (or one `server`), under their names; `what` it is called.

    Exit code 1 where none could be asked.
    """
    if as_json:
        failures = [{"server": one.server, "error": one.reason} for one in failed]
        print_json({what: [dataclasses.asdict(one) for one in items], "failed": failures})
    else:
        if not items and not failed:
            who = f"{clean_line(server)!r} offers " if server else ""
            click.echo(f"{who}no {what}", err=True)
        _print(items, line)
        for one in failed:
            click.echo(f"Warning: {clean_line(one.server)}: {clean_line(one.reason)}", err=True)
    if failed and not items:
        context.exit(1)


def _print(items: Sequence[T], line: Callable[[T], str]) -> None:
    for number, (server, group) in enumerate(groupby(items, key=lambda one: one.server)):
        click.echo(("\n" if number else "") + styled(clean_line(server), bold=True))
        for item in group:
            click.echo(line(item))


def pairs_of(words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise click.BadParameter(f"{word!r} is not of the form KEY=VALUE", param_hint="KEY=VALUE")
        pairs[name] = text
    return pairs
