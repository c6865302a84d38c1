"""`llm mcp daemon`, and its life from the shell: start, stop, restart, health."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.running_daemon import (
    ask,
    describe,
    health_as_dict,
    is_running,
    listening_service,
    start,
)
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.terminal.screen import print_json

if TYPE_CHECKING:
    from llm_tools_mcp import v1

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """Seconds, also written as 90s, 30m, 1h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise click.BadParameter(f"{value!r} is no time: write seconds, or 90s, 30m, 1h; 0 = never")
    return float(found[1]) * _UNITS[found[2]]


@command(
    "daemon",
    "llm mcp stop; llm mcp daemon --log-level debug    # watch one at work",
    "llm mcp daemon --idle-timeout 0                   # never exit by itself",
)
@click.option("--socket", type=click.Path(path_type=Path), help="Where to listen.  [default: the user's own]")
@click.option(
    "--log-file", type=click.Path(path_type=Path), help="Log to a file that rotates.  [default: stderr]"
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
)
@click.option(
    "--idle-timeout",
    callback=_seconds,
    default="30m",
    show_default=True,
    metavar="TIME",
    help="Exit when unused for so long: seconds, or 90s, 30m, 1h; 0 = never.",
)
def daemon_command(
    *, socket: Path | None, log_file: Path | None, log_level: str, idle_timeout: float
) -> None:
    """Run the daemon in the foreground: what the units of systemd and launchd execute.

    Nobody needs to type this: the first prompt starts a daemon.
    """
    # The one step of the command line to the daemon's side.
    from llm_tools_mcp.daemon.__main__ import Options, run

    options = Options(
        socket.absolute() if socket else paths.socket_path(),
        log_file.absolute() if log_file else None,
        log_level,
        idle_timeout,
    )
    raise SystemExit(run(options))


@command("start", "llm mcp start", "llm mcp service install    # have it started at login")
@as_json
def start_command(*, as_json: bool) -> None:
    """Start the daemon: through systemd or launchd where they own it, else by itself.

    A prompt does this too.
    """
    was_running = is_running(installed_service())
    health = start()
    if as_json:
        print_json(health_as_dict(health))
    else:
        click.echo(f"{'already running' if was_running else 'started'}: {describe(health)}")


@command("stop", "llm mcp stop && llm mcp status")
def stop_command() -> None:
    """Stop the daemon and all its servers; calls in flight finish first.

    The next prompt starts it again. A daemon that hangs is killed after a while, if it was
    started on demand. One that was started where XDG_RUNTIME_DIR is another is stopped, too.
    """
    _stop_here()
    from .other_daemons import daemons_elsewhere
    from .stopping import stop_daemon

    for daemon in daemons_elsewhere():
        if stop_daemon(daemon.socket):
            click.echo(f"stopped the one on {daemon.socket}, too (pid {daemon.pid})")


def _stop_here() -> None:
    service = listening_service()
    if service is None:
        pid = _stop_ours()
        click.echo(f"stopped (pid {pid})" if pid else "not running")
    elif service.status().active:
        service.stop()
        click.echo(f"stopped; {service.kind} starts it again at the next prompt")
        click.echo("to take that away: llm mcp service uninstall")
    else:
        click.echo(f"not running; {service.kind} starts it at the next prompt")


@command("restart", "llm mcp restart", "llm mcp restart filesystem    # this server alone")
@click.argument("server", required=False, shell_complete=server_names)
@config_option
def restart_command(*, server: str | None, config_path: str | None) -> None:
    """Restart the daemon, or start it; calls in flight finish first.

    With SERVER only that one is ended, at once, and its next call starts it anew. Its calls in flight fail.
    """
    if server is not None:
        _restart_server(server, config_path)
        return
    service = listening_service()
    if service is not None:
        service.restart()
    else:
        _stop_ours()
    click.echo(f"restarted: {describe(start())}")


@command("health", "llm mcp health", "llm mcp health --json || llm mcp restart")
@as_json
@click.pass_context
def health_command(context: click.Context, *, as_json: bool) -> None:
    """Ask the daemon whether it can serve; exit 1 if not.

    Starts none, but systemd and launchd do where they own it.
    """
    from llm_tools_mcp import v1

    try:
        health = ask(paths.socket_path())
    except McpError as error:
        if as_json:
            print_json({"healthy": False, "error": str(error)})
        else:
            click.echo(f"unhealthy: {error}", err=True)
        context.exit(1)
    healthy = health.state == v1.HealthResponse.SERVING and health.protocol_major == v1.PROTOCOL_MAJOR
    if as_json:
        print_json({"healthy": healthy, **health_as_dict(health)})
    else:
        click.echo(f"{'healthy' if healthy else _ailment(health)}: {describe(health)}")
    context.exit(0 if healthy else 1)


def _ailment(health: v1.HealthResponse) -> str:
    from llm_tools_mcp import v1

    if health.protocol_major != v1.PROTOCOL_MAJOR:
        major = health.protocol_major
        return f"unhealthy (it speaks version {major} of the protocol, and this llm-mcp {v1.PROTOCOL_MAJOR})"
    return "stopping" if health.state == v1.HealthResponse.DRAINING else "unhealthy (its state is unknown)"


def _restart_server(server: str, config_path: str | None) -> None:
    from llm_tools_mcp.cli.editing import config_file, entry_of, servers_of
    from llm_tools_mcp.client.channel import DaemonClient
    from llm_tools_mcp.config import read_config

    stopped = 0
    if config_path is not None:
        read_config(config_path)  # raises where there is none
        entry_of(servers_of(config_file(config_path)), server)
    if is_running(installed_service()):
        with DaemonClient(paths.socket_path()) as client:
            stopped = client.restart_server(server)
    if not stopped:
        entry_of(servers_of(config_file(config_path)), server)  # or it is misspelt
        click.echo(f"{server!r} did not run; its next call starts it")
        return
    times = "" if stopped == 1 else f" ({stopped} processes)"
    click.echo(f"ended {server!r}{times}; its next call starts it anew")


# --- steps ------------------------------------------------------------------------------------------


def _stop_ours() -> int:
    from .stopping import stop_daemon

    return stop_daemon(paths.socket_path())
