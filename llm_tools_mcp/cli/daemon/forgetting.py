"""`llm mcp forget`: what `status` still tells of servers that are configured no more."""

from __future__ import annotations

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import command
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.running_daemon import is_running
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.terminal.screen import clean_line


@command("forget", "llm mcp forget", "llm mcp forget old-server    # ended, where it runs")
@click.argument("server", required=False, shell_complete=server_names)
def forget_command(*, server: str | None) -> None:
    """Drop servers from `status`: SERVER, which is ended first, or all that do not run.

    Their figures and last errors go; entries of mcp.json stay. What no config names goes by itself after an
    hour.
    """
    from llm_tools_mcp.client.channel import DaemonClient

    if not is_running(installed_service()):
        click.echo("the daemon does not run, and remembers nothing")
        return
    with DaemonClient(paths.socket_path()) as client:
        count = client.forget_server(server or "")
    if server is not None and not count:
        raise McpError(f"the daemon knows of no server {server!r}; see: llm mcp status")
    what = repr(clean_line(server)) if server is not None else f"{count} server{'' if count == 1 else 's'}"
    click.echo(f"forgotten: {what}")
