"""`llm mcp search`: servers of the registry of MCP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.cli.editing import config_file
from llm_tools_mcp.errors import ConfigError, ConfigNotFound
from llm_tools_mcp.published.registry import PUBLIC, Published, Registry
from llm_tools_mcp.terminal.screen import clean_line, print_json, print_table, styled

if TYPE_CHECKING:
    from llm_tools_mcp.published.web import Client

_KEY = "registry"

registry_option = click.option(
    "--registry",
    metavar="URL",
    envvar="LLM_MCP_REGISTRY",
    help=f"Another registry, also as LLM_MCP_REGISTRY or {_KEY!r} at the top of mcp.json.",
)


@command("search", "llm mcp search weather", "llm mcp search postgres read --limit 5")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most."
)
@registry_option
@config_option
@as_json
def search_command(
    *, words: tuple[str, ...], limit: int, registry: str | None, config_path: str | None, as_json: bool
) -> None:
    """Look for servers in the registry of MCP; `llm mcp add --from NAME` adds one."""
    from llm_tools_mcp.published.web import client

    texts = [word for text in words for word in text.split()]
    if not texts:
        raise click.UsageError("which words are to be looked for?")
    with client() as web:
        found = registry_of(registry, config_path, web).search(texts, limit)
    if as_json:
        print_json({"servers": [_as_dict(one) for one in found]})
    elif not found:
        click.echo("nothing found; one of the words has to stand in the name of a server", err=True)
    else:
        _print(found)


def registry_of(given: str | None, config_path: str | None, web: Client) -> Registry:
    """Raises ConfigError."""
    return Registry(given or _configured(config_path) or PUBLIC, web)


def _configured(config_path: str | None) -> str:
    from llm_tools_mcp import config

    path = config_file(config_path)
    try:
        document = config.decoded(str(path), config.read_config(path).text)
    except ConfigNotFound:
        return ""
    value = document.get(_KEY, "") if isinstance(document, dict) else ""
    if not isinstance(value, str):
        raise ConfigError(str(path), f"key {_KEY!r}: Input should be a valid string, the url of a registry")
    return value


def _print(found: Sequence[Published]) -> None:
    rows = [
        (clean_line(one.name), clean_line(one.version), ", ".join(map(clean_line, one.kinds)), _about(one))
        for one in found
    ]
    print_table(("NAME", "VERSION", "AS", "DESCRIPTION"), rows, ("bold", "", "dim", ""))
    click.echo(styled("\nto add one: llm mcp add --from NAME", dim=True), err=True)


def _about(one: Published) -> str:
    mark = "" if one.status == "active" else f"({clean_line(one.status)}) "
    return f"{mark}{clean_line(one.description or one.title)}"


def _as_dict(one: Published) -> dict[str, object]:
    return {
        "name": one.name,
        "version": one.version,
        "title": one.title,
        "description": one.description,
        "status": one.status,
        "as": one.kinds,
        "url": one.home,
    }
