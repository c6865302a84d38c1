"""`llm mcp service`: hand the daemon over to systemd or launchd, and take it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_tools_mcp import paths
from llm_tools_mcp import service as managers
from llm_tools_mcp.errors import DaemonError, DaemonStartFailed

if TYPE_CHECKING:
    from llm_tools_mcp import v1

# Seconds: a first start on a cold disk.
_START_SECONDS = 20.0

_LOG_LINES = 10
_NOT_RUNNING = 3  # exit status, as systemctl's


@click.group("service")
def service_command() -> None:
    """The daemon as a service of this user: systemd or launchd starts it when it is needed."""


@service_command.command()
@click.option("--no-enable", is_flag=True, help="Only write the files.")
@click.option("--force", is_flag=True, help="Replace files that were edited; a copy is kept.")
def install(*, no_enable: bool, force: bool) -> None:
    """Write the units for this user, and listen from now on. Run it again to repair or upgrade."""
    from llm_tools_mcp.service.unit_files import current_program

    socket = paths.socket_path()
    done = managers.installer().install(
        current_program(),
        enable=not no_enable,
        force=force,
        before_start=lambda: _stop_spawned(socket),
    )
    for line in done:
        click.echo(line)
    if not no_enable:
        health = _await_answer(socket)
        click.echo(
            f"llm-mcp {health.version} answers on {socket}: pid {health.pid}, started by {health.supervisor}"
        )
    click.echo("to undo this: llm mcp service uninstall")


@service_command.command()
def uninstall() -> None:
    """Stop and disable the units, and remove what `install` wrote."""
    for line in managers.installer().uninstall():
        click.echo(line)


@service_command.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show what the service manager says, and the last lines of the log."""
    found = managers.installed_service()
    if found is None:
        click.echo("no service is installed for this user: the first prompt starts the daemon")
        click.echo("to install one: llm mcp service install")
        context.exit(_NOT_RUNNING)
    state = found.status()
    click.echo(state.text)
    if state.failure:
        click.echo(f"\n{found.diagnosis()}")
    elif lines := found.last_log_lines(_LOG_LINES):
        click.echo("\n".join(["", *lines]))
    if state.failure or not state.listening:
        context.exit(_NOT_RUNNING)


def _stop_spawned(socket: Path) -> None:
    """A manager binds over a live socket without a word: the daemon that holds it has to go first."""
    from .ending import stop_daemon

    found = managers.installed_service()
    if found is None or not found.status().listening:
        stop_daemon(socket)


def _await_answer(socket: Path) -> v1.HealthResponse:
    """Health through the manager's socket: it starts the daemon."""
    from llm_tools_mcp.client import DaemonClient

    try:
        with DaemonClient(socket) as client:
            return client.health(_START_SECONDS)
    except DaemonError as error:
        found = managers.installed_service()
        advice = found.diagnosis() if found else ""
        raise DaemonStartFailed(str(error), [], advice) from error
