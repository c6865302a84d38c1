"""`llm mcp approvals`: which tools a model may call without the person being asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import as_json, command
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.terminal.columns import print_columns
from llm_tools_mcp.terminal.screen import clean_line, print_json

if TYPE_CHECKING:
    from llm_tools_mcp.consent.approvals import Approvals


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
    if forget_all or forgotten:
        _forget(approvals, forgotten, forget_all=forget_all)
        return
    found = approvals.listed()
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


def _forget(approvals: Approvals, words: tuple[str, ...], *, forget_all: bool) -> None:
    if forget_all:
        click.echo(f"forgotten: {approvals.forget()}")
        return
    known = approvals.listed()
    for word in words:
        server, tool = _meant(word, {approval.server for approval in known})
        count = approvals.forget(server, tool)
        if not count:
            raise McpError(f"nothing is allowed that is called {word!r}; to see what is: llm mcp approvals")
        click.echo(f"forgotten: {clean_line(word)} ({count})")


def _meant(word: str, servers: set[str]) -> tuple[str, str | None]:
    """SERVER, or SERVER.TOOL: both names may hold dots."""
    if word in servers:
        return word, None
    for end in (index for index, letter in enumerate(word) if letter == "."):
        if word[:end] in servers:
            return word[:end], word[end + 1 :]
    return word, None
