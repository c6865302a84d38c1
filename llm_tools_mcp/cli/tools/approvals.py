"""`llm mcp approvals`: which tools a model may call without the person being asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import as_json, command
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.terminal.columns import print_columns
from llm_tools_mcp.terminal.screen import clean_line, print_json

if TYPE_CHECKING:
    from llm_tools_mcp.consent.approvals import Approval, Approvals


@command(
    "approvals",
    "llm mcp approvals",
    "llm mcp approvals --forget filesystem",
    "llm mcp approvals --forget filesystem.write_file",
)
@click.option(
    "--forget",
    "forgotten",
    multiple=True,
    metavar="SERVER[.TOOL]",
    help="Ask again about this tool, or all tools of this server; may be repeated.",
)
@click.option("--forget-all", is_flag=True, help="Ask again about every tool.")
@as_json
def approvals_command(*, forgotten: tuple[str, ...], forget_all: bool, as_json: bool) -> None:
    """Show the tools that you have allowed for good, or ask about them again.

    You are asked where `approve` is "writes" or "always": for a prompt, `-T 'MCP(approve="writes")'`; for a
    server, in its entry; for all, beside "mcpServers". A tool that changes is asked about again by itself.
    """
    from llm_tools_mcp.consent.approvals import Approvals

    approvals = Approvals()
    found = _named(approvals.listed())
    if forget_all or forgotten:
        _forget(approvals, found, forgotten, forget_all=forget_all)
        return
    if as_json:
        print_json([{"server": one.server, "tool": one.tool, "since": one.since} for one in found])
    elif not found:
        click.echo("no tool is allowed for good")
    else:
        rows = [
            {
                "SERVER": clean_line(one.server),
                "TOOL": clean_line(one.tool),
                "SINCE": time.strftime("%Y-%m-%d %H:%M", time.localtime(one.since)),
            }
            for one in found
        ]
        print_columns(rows, ["SINCE"], {"SERVER": "bold"})


def _named(approvals: list[Approval]) -> list[Approval]:
    """With the names that the servers have now: one that was renamed is the same, and is allowed the same."""
    from llm_tools_mcp.cli.editing import check_source
    from llm_tools_mcp.consent.projects import read_config_here

    try:
        servers = check_source(read_config_here()).servers
    except ConfigError:
        return approvals
    names = {one.consent_key: name for name, one in servers.items() if isinstance(one, ServerDefinition)}
    named = (replace(approval, server=names.get(approval.key, approval.server)) for approval in approvals)
    return sorted(named, key=lambda approval: (approval.server, approval.tool))


def _forget(approvals: Approvals, known: list[Approval], words: tuple[str, ...], *, forget_all: bool) -> None:
    if forget_all:
        approvals.forget(known)
        click.echo(f"forgotten: {len(known)}")
        return
    for word in words:
        server, tool = _meant(word, {approval.server for approval in known})
        meant = [
            approval for approval in known if approval.server == server and tool in (None, approval.tool)
        ]
        if not meant:
            raise McpError(f"nothing is allowed that is called {word!r}; to see what is: llm mcp approvals")
        approvals.forget(meant)
        click.echo(f"forgotten: {clean_line(word)} ({len(meant)})")


def _meant(word: str, servers: set[str]) -> tuple[str, str | None]:
    """SERVER, or SERVER.TOOL: both names may hold dots."""
    if word in servers:
        return word, None
    for end in (index for index, letter in enumerate(word) if letter == "."):
        if word[:end] in servers:
            return word[:end], word[end + 1 :]
    return word, None
