"""`llm mcp tools`: what the configured servers offer."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import as_json, command, config_option, did_you_mean, refresh_option
from llm_tools_mcp.cli.tool_completers import target_words, tool_names
from llm_tools_mcp.client.logs import where_to_look
from llm_tools_mcp.errors import McpError, UnknownTool
from llm_tools_mcp.text.plain import plain

from .display import NEEDS_TASK, print_as_json, print_missing, print_offers
from .target import command_option, target_of

if TYPE_CHECKING:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.client.tools import Listing, Offer
    from llm_tools_mcp.config import ConfigSource
    from llm_tools_mcp.terminal.progress import Display

# How many tools a search shows.
_BEST = 10


@command(
    "tools",
    "llm mcp tools",
    "llm mcp tools filesystem",
    "llm mcp tools filesystem read_file    # its arguments, and how to call it",
    "llm mcp tools --tokens",
    "llm mcp tools https://mcp.example.com/mcp",
    "llm mcp tools --command 'uvx mcp-server-time'",
    'llm mcp tools --search "take a screenshot"',
    "llm mcp tools --json | jq -r '.tools[].name'",
)
@click.argument("server", required=False, shell_complete=target_words)
@click.argument("tool", required=False, shell_complete=tool_names)
@refresh_option
@click.option("--schema", is_flag=True, help="Show the JSON Schema of the arguments too.")
@click.option("--search", "query", metavar="WORDS", help="Show the tools that fit best, the best one first.")
@click.option("--tokens", is_flag=True, help="Show what each tool costs in every request to a model, about.")
@command_option
@config_option
@as_json
@click.pass_context
def tools_command(  # noqa: PLR0913 - its options
    context: click.Context,
    *,
    server: str | None,
    tool: str | None,
    refresh: bool,
    schema: bool,
    query: str | None,
    tokens: bool,
    server_command: str | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Show the tools that the configured servers offer: all, those of one SERVER, or one TOOL in full.

    SERVER may be a URL, too, and SERVER.TOOL is the same as SERVER TOOL.
    """
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display

    words = [word for word in (server, tool) if word is not None]
    target = target_of(words, config_path, server_command)
    if target.words:
        raise click.UsageError(f"nothing is expected after {target.tool!r}")
    daemon = Daemon(by_hand=True)
    if target.tool and query is None:
        listing, offer = listing_with(
            target.source, target.server, target.tool, daemon, Display(), refresh=refresh
        )
        offers: Sequence[Offer] = [offer]
    else:
        listing = list_tools_of(target.source, target.server or None, daemon, Display(), refresh=refresh)
        offers = listing.offers if query is None else _best(daemon, listing, query, target.server or None)
    if as_json:
        print_as_json(listing, offers)
    else:
        print_offers(offers, is_single=bool(target.tool), with_schema=schema, with_tokens=tokens)
        print_missing(listing)
    if listing.failed and not offers:
        context.exit(1)


def _best(daemon: Daemon, listing: Listing, query: str, server: str | None) -> Sequence[Offer]:
    from llm_tools_mcp.client.tool_search import search

    return search(daemon, listing, query, [] if server is None else [server], _BEST).offers


def read_source(config_path: str | None) -> ConfigSource:
    """The config of `--config`, or what a prompt here would use; what is wrong is said on stderr."""
    from llm_tools_mcp.config import read_config
    from llm_tools_mcp.consent.projects import read_config_here

    source = read_config_here() if config_path is None else read_config(config_path)
    for warning in source.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return source


def list_tools(
    config_path: str | None, server: str | None, daemon: Daemon, display: Display, *, refresh: bool = False
) -> Listing:
    """The tools of all servers or of one. Raises McpError, with what was probably meant."""
    return list_tools_of(read_source(config_path), server, daemon, display, refresh=refresh)


def list_tools_of(
    source: ConfigSource, server: str | None, daemon: Daemon, display: Display, *, refresh: bool = False
) -> Listing:
    """The same of a config that was read."""
    from llm_tools_mcp.config import configured_names

    servers = [] if server is None else [server]
    try:
        with display.listing() as on_answer:
            listing = daemon.list_tools(source, servers, refresh=refresh, on_answer=on_answer)
    except UnknownTool as error:
        names = configured_names(source)
        near = "" if server in names else did_you_mean(server or "", names)
        raise UnknownTool(f"{error}{near}") from None
    failed = tuple(failed for failed in listing.failed if server in (None, failed.server))
    return dataclasses.replace(listing, failed=failed)


def listing_with(
    source: ConfigSource, server: str, tool: str, daemon: Daemon, display: Display, *, refresh: bool = False
) -> tuple[Listing, Offer]:
    """The tools of a server, and that one. Where it is unknown the list may be old: the server is asked."""
    listing = list_tools_of(source, server, daemon, display, refresh=refresh)
    try:
        return listing, find_tool(listing, server, tool)
    except UnknownTool:
        if refresh:
            raise
    return listing_with(source, server, tool, daemon, display, refresh=True)


def find_tool(listing: Listing, server: str, tool: str) -> Offer:
    """By the server's own name of it, or by the model's. Raises McpError."""
    for failed in listing.failed:
        if failed.server == server and failed.login:
            said = f"\nit says: {failed.words}" if failed.words else ""
            raise McpError(f"{failed.line}{plain(said)}")
        if failed.server == server:
            more = "" if failed.is_config else f"\nmore: {where_to_look(server, 'llm mcp doctor')}"
            raise McpError(f"server {server!r} cannot be used: {plain(failed.reason)}{more}")
    offers = [offer for offer in listing.offers if offer.server == server]
    names = {offer.tool: offer for offer in offers}
    either = {offer.name: offer for offer in offers} | names
    if tool in either:
        return either[tool]
    if any((offer.server, offer.tool) == (server, tool) for offer in listing.left_out):
        raise UnknownTool(f"server {server!r}: {tool!r} {NEEDS_TASK}")
    near = did_you_mean(tool, names) or f"; to see what there is: llm mcp tools {shlex.quote(server)}"
    raise UnknownTool(f"server {server!r} has no tool {tool!r}{near}")
