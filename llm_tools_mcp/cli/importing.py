"""`llm mcp import`: take over the servers of other MCP clients."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from llm_tools_mcp.errors import ConfigError, McpError

from .command import command, config_option, did_you_mean
from .editing import Entry, config_file, edited, servers_of
from .foreign import CLIENTS, servers_of_client, servers_of_file
from .screen import clean_line, print_remarks, print_table
from .secrets import shown_command
from .translation import Found


@command(
    "import",
    "llm mcp import                          # whatever is found",
    "llm mcp import claude-desktop cursor",
    "llm mcp import ~/project/.mcp.json --dry-run",
)
@click.argument("sources", nargs=-1, metavar="[CLIENT|FILE]...", shell_complete=lambda *_: list(CLIENTS))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be added.")
@click.option("--force", is_flag=True, help="Replace servers that have the same name and differ.")
@config_option
@click.pass_context
def import_command(
    context: click.Context,
    *,
    sources: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    force: bool,
    config_path: str | None,
) -> None:
    """Take over the servers of other MCP clients into mcp.json; shows them, and asks.

    CLIENT is claude-desktop, claude-code, cursor, vscode, windsurf, gemini or codex; without any, all of them
    are looked for, also in the current folder.
    """
    path = config_file(config_path)
    found = _found(sources)
    if not found:
        click.echo(f"nothing found of {', '.join(sources or CLIENTS)}")
        return
    wanted = _show(found, servers_of(path), force=force)
    if not wanted:
        click.echo("\nnothing to add")
    elif dry_run:
        click.echo(f"\n{_count(wanted)} would be added to {path}")
    elif yes or _confirm(f"\nAdd {_count(wanted)} to {path}?"):
        with edited(path) as servers:
            servers.update(wanted)
        click.echo(f"added {_count(wanted)} to {path}; to see them: llm mcp list")
    else:
        context.exit(1)


def _found(sources: Sequence[str]) -> list[Found]:
    found: list[Found] = []
    for source in sources:
        if source in CLIENTS:
            found += servers_of_client(CLIENTS[source])
        elif "/" in source or Path(source).expanduser().is_file():
            found += servers_of_file(Path(source).expanduser())
        else:
            names = ", ".join(CLIENTS)
            raise McpError(
                f"there is no file and no client {source!r}{did_you_mean(source, CLIENTS)}; clients: {names}"
            )
    return found if sources else _everywhere()


def _everywhere() -> list[Found]:
    """A file that cannot be read is no reason to leave the others out."""
    found: list[Found] = []
    for client in CLIENTS.values():
        try:
            found += servers_of_client(client)
        except ConfigError as error:
            click.echo(f"Warning: {error}", err=True)
    return found


def _show(found: Sequence[Found], present: Entry, *, force: bool) -> Entry:
    """The table; returns what is to be added."""
    wanted: Entry = {}
    rows = []
    for server in found:
        verdict = _verdict(server, present, wanted, force=force)
        if verdict in ("add", "replace"):
            wanted[server.name] = server.entry
        rows.append(
            [
                clean_line(server.name),
                verdict,
                _short(server.source),
                clean_line(shown_command(server.entry or {})) if server.entry else "-",
            ]
        )
    print_table(["NAME", "", "FROM", "SERVER"], rows, ["bold", "", "dim", ""])
    print_remarks((server.name, "; ".join(server.notes)) for server in found)
    return wanted


def _verdict(server: Found, present: Entry, wanted: Entry, *, force: bool) -> str:
    if server.entry is None:
        return "cannot"
    if server.name in wanted:
        return "same" if wanted[server.name] == server.entry else "conflict"
    if server.name not in present:
        return "add"
    if present[server.name] == server.entry:
        return "have it"
    return "replace" if force else "conflict"


def _short(path: Path) -> str:
    home = str(Path.home())
    text = str(path)
    return f"~{text[len(home) :]}" if text.startswith(f"{home}/") else text


def _count(wanted: Entry) -> str:
    return f"{len(wanted)} server{'' if len(wanted) == 1 else 's'}"


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise McpError("this is no terminal to ask on; to go ahead: --yes, to look only: --dry-run")
    return click.confirm(question, default=True)
