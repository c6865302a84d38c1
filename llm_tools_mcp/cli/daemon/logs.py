"""`llm mcp logs`: the journal or the log files, whichever is in use; also when the daemon is down."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import BinaryIO

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import command, did_you_mean
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.running_daemon import ask, is_running
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.terminal.screen import one_line
from llm_tools_mcp.text.plain import plain

_POLL_SECONDS = 0.2
# A server's lines are sought among so many times more of the whole journal.
_JOURNAL_FACTOR = 50


@command("logs", "llm mcp logs", "llm mcp logs -f filesystem")
@click.argument("server", required=False, shell_complete=server_names)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on; Ctrl-C ends it.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="So many last lines."
)
def logs_command(*, server: str | None, follow: bool, lines: int) -> None:
    """Show the log of the daemon, or what one server wrote to its stderr. Starts nothing."""
    service = installed_service()
    argv = service.log_command(lines, follow=follow) if service is not None else []
    if service is not None and argv:
        if server is not None:
            argv = service.log_command(lines * _JOURNAL_FACTOR, follow=follow)
        _show_journal(argv, server, lines, follow=follow)
        return
    path = _log_file(server)
    for line in _last_lines(path, lines):
        _print(line)
    if follow:
        for line in _following(path):
            _print(line)


def _print(line: bytes) -> None:
    click.echo(plain(line.decode("utf-8", "replace")))


# --- the journal ------------------------------------------------------------------------------------


def _show_journal(argv: list[str], server: str | None, lines: int, *, follow: bool) -> None:
    """The manager's own tool; of one server the lines that begin with its name. Raises McpError."""
    if server is None:
        raise SystemExit(subprocess.run(argv, check=False).returncode)
    mark = f"[{server}] ".encode()
    with subprocess.Popen([*argv, "--no-pager"], stdout=subprocess.PIPE) as journal:
        assert journal.stdout is not None
        found = (line.rstrip(b"\n") for line in journal.stdout if mark in line)
        if follow:
            for line in found:
                _print(line)
            return
        shown = list(found)
    if not shown and lines:
        raise _nothing_of(server, [])
    for line in shown[len_from_end(lines) :]:
        _print(line)


def len_from_end(lines: int) -> int:
    """Where the last `lines` elements begin; none for 0."""
    return -lines if lines else 2**31


# --- files ------------------------------------------------------------------------------------------


def _log_file(server: str | None) -> Path:
    """Raises McpError where there is none."""
    folder = _folder()
    if server is None:
        path = folder / paths.daemon_log().name
        if not path.exists():
            raise McpError(f"there is no log yet: {path}")
        return path
    path = folder / paths.server_log_name(server)
    if not path.exists():
        logs = [file.stem for file in folder.glob("*.log") if file.name != paths.daemon_log().name]
        raise _nothing_of(server, logs)
    return path


def _nothing_of(server: str, logs: list[str]) -> McpError:
    """Why there is nothing of a server: it is not known, failed before it could write, or was silent."""
    from llm_tools_mcp.cli.servers.listing import rows

    found = {row["name"]: row for row in rows(None)}
    if server not in found:
        near = did_you_mean(server, [*found, *logs])
        return McpError(f"no MCP server is called {server!r}, and there is no log of one{near}")
    error = found[server]["error"]
    why = f"its last error: {one_line(error)}\n" if error else ""
    is_starting = found[server]["state"] == "starting"
    see = f"what is started: llm mcp get {quote(server)}" if is_starting else "what is wrong: llm mcp doctor"
    return McpError(f"{server!r} has written nothing to its log yet\n{why}to see {see}")


def _folder() -> Path:
    """Where the running daemon writes (its config folder may be another one), else where one would."""
    try:
        place = ask(paths.socket_path()).log if is_running(None) else ""
    except McpError:
        place = ""
    if place == "stderr":
        raise McpError("the daemon runs in the foreground: its log is on its terminal (stderr)")
    return Path(place).parent if place.startswith("/") else paths.log_folder()


def _last_lines(path: Path, count: int) -> list[bytes]:
    """Oldest first; of the file before the last rotation too, where one is not enough."""
    lines: list[bytes] = []
    for file in (path, path.with_name(path.name + ".1")):
        if len(lines) < count and file.exists():
            lines = file.read_bytes().splitlines()[len_from_end(count - len(lines)) :] + lines
    return lines


def _following(path: Path) -> Iterator[bytes]:
    """Lines as they are written, also into the file that takes the place of a rotated one."""
    rest = b""
    file = path.open("rb")
    file.seek(0, 2)
    while True:
        rest += file.read()
        *whole, rest = rest.split(b"\n")
        yield from whole
        if _was_replaced(path, file):
            yield from (rest + file.read()).splitlines()
            rest = b""
            file.close()
            file = path.open("rb")
        else:
            time.sleep(_POLL_SECONDS)


def _was_replaced(path: Path, file: BinaryIO) -> bool:
    import os

    try:
        named = path.stat()
    except FileNotFoundError:
        return False  # between two names
    opened = os.fstat(file.fileno())
    return (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino) or named.st_size < file.tell()
