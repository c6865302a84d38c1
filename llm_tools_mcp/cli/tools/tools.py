"""`llm mcp tools`: what the configured servers offer."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.cli.command import as_json, command, config_option, did_you_mean
from llm_tools_mcp.cli.completers import server_names, tool_names
from llm_tools_mcp.errors import McpError, UnknownTool
from llm_tools_mcp.plain import plain
from llm_tools_mcp.terminal.screen import clean_line, is_terminal, print_json, styled

if TYPE_CHECKING:
    from llm_tools_mcp.cli.schema import Argument
    from llm_tools_mcp.client.tools import Daemon, Listing, Offer
    from llm_tools_mcp.config import ConfigSource
    from llm_tools_mcp.terminal.progress import Display


@command(
    "tools",
    "llm mcp tools",
    "llm mcp tools filesystem",
    "llm mcp tools filesystem read_file    # its arguments, and how to call it",
    "llm mcp tools --json | jq -r '.tools[].name'",
)
@click.argument("server", required=False, shell_complete=server_names)
@click.argument("tool", required=False, shell_complete=tool_names)
@click.option(
    "--refresh", is_flag=True, help="Ask the servers again, instead of showing what they said last."
)
@click.option("--schema", is_flag=True, help="Show the JSON Schema of the arguments too.")
@config_option
@as_json
@click.pass_context
def tools_command(
    context: click.Context,
    *,
    server: str | None,
    tool: str | None,
    refresh: bool,
    schema: bool,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Show the tools that the configured servers offer: all, those of one SERVER, or one TOOL in full."""
    from llm_tools_mcp.client.tools import Daemon
    from llm_tools_mcp.terminal.progress import Display

    listing = list_tools(config_path, server, Daemon(), Display(), refresh=refresh)
    offers = listing.offers if server is None or tool is None else [find_tool(listing, server, tool)]
    if as_json:
        _print_as_json(listing, offers)
    else:
        _print_offers(offers, is_single=bool(tool), with_schema=schema)
        _print_failures(listing)
    if listing.failed and not offers:
        context.exit(1)


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
    from llm_tools_mcp.client.tools import configured_names

    source = read_source(config_path)
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


def find_tool(listing: Listing, server: str, tool: str) -> Offer:
    """By the server's own name of it. Raises McpError."""
    for failed in listing.failed:
        if failed.server == server:
            logs = f"llm mcp logs {shlex.quote(clean_line(server))}"
            raise McpError(f"server {server!r} cannot be used: {plain(failed.reason)}\nmore: {logs}")
    names = {offer.tool: offer for offer in listing.offers if offer.server == server}
    if tool in names:
        return names[tool]
    near = did_you_mean(tool, names) or f"; to see what there is: llm mcp tools {shlex.quote(server)}"
    raise UnknownTool(f"server {server!r} has no tool {tool!r}{near}")


# --- what is shown ----------------------------------------------------------------------------------


def _print_as_json(listing: Listing, offers: Sequence[Offer]) -> None:
    failed = [{"server": failed.server, "error": failed.reason} for failed in listing.failed]
    print_json({"tools": [_as_dict(offer) for offer in offers], "failed": failed})


def _as_dict(offer: Offer) -> dict[str, Any]:
    return {
        "server": offer.server,
        "tool": offer.tool,
        "name": offer.name,
        "description": offer.description,
        "input_schema": offer.input_schema,
    }


def _print_failures(listing: Listing) -> None:
    for failed in listing.failed:
        click.echo(f"Warning: {clean_line(failed.server)}: {clean_line(failed.reason)}", err=True)


def _print_offers(offers: Sequence[Offer], *, is_single: bool, with_schema: bool) -> None:
    if not offers:
        click.echo("no tools", err=True)
    width = max((len(offer.tool) for offer in offers), default=0)
    server = ""
    for offer in offers:
        if offer.server != server:
            click.echo(("\n" if server else "") + styled(clean_line(offer.server), bold=True))
            server = offer.server
        if is_single:
            _print_whole(offer)
        else:
            click.echo(_line(offer, min(width, 40)))
        if with_schema:
            click.echo(json.dumps(offer.input_schema, indent=2, ensure_ascii=False))


def _line(offer: Offer, width: int) -> str:
    """The name and the first sentence, within the terminal's width."""
    name = clean_line(offer.tool)
    text = f"{_renamed(offer)} {_first_sentence(offer.description)}".strip()
    if is_terminal():
        room = shutil.get_terminal_size().columns - max(width, len(name)) - 4
        text = text if len(text) <= room else text[: max(0, room - 1)] + "…"
    return f"  {styled(f'{name:{width}}', fg='cyan')}  {styled(text, dim=True)}".rstrip()


def _renamed(offer: Offer) -> str:
    """Another name for the model, where several servers have this one or providers refuse it."""
    return "" if offer.name == offer.tool else f"(for the model: {offer.name})"


def _first_sentence(description: str) -> str:
    """A description for models may be pages long."""
    paragraph = plain(description).strip().split("\n\n", 1)[0]
    text = " ".join(paragraph.split())
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _print_whole(offer: Offer) -> None:
    from llm_tools_mcp.cli.schema import arguments_of, usage

    name = styled(clean_line(offer.tool), fg="cyan")
    click.echo(f"  {name}  {styled(_renamed(offer), dim=True)}".rstrip())
    for line in plain(offer.description).strip().splitlines():
        click.echo(f"  {line}")
    arguments = arguments_of(offer.input_schema)
    if arguments:
        click.echo(f"\n  {styled('Arguments', bold=True)}")
    for argument in arguments:
        text = f"  {argument.description}" if argument.description else ""
        click.echo(f"    {argument.name}  {styled(f'({_form(argument)})', dim=True)}{text}")
    words = shlex.join([clean_line(offer.server), clean_line(offer.tool)])
    click.echo(f"\n  llm mcp call {words} {usage(offer.input_schema)}".rstrip())
    several = next((argument.name for argument in arguments if argument.kind.startswith("array")), "")
    if several:
        example = f"{several}=A {several}=B, or as JSON: {several}='[…]'"
        click.echo(styled(f"  several values for {several}: {example}", dim=True))


def _form(argument: Argument) -> str:
    needed = "" if argument.is_required else ", optional"
    default = f", default {argument.default}" if argument.default else ""
    return f"{argument.kind}{needed}{default}"
