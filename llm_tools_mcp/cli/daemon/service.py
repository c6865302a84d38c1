"""`llm mcp service`: hand the daemon over to systemd or launchd, and take it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import paths
from llm_tools_mcp import service as managers
from llm_tools_mcp.cli.command import Group, as_json, command
from llm_tools_mcp.errors import DaemonError, DaemonStartFailed, ServiceError
from llm_tools_mcp.terminal.screen import print_json
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.service import Drift, Service, ServiceStatus

# Seconds: a first start on a cold disk.
_START_SECONDS = 20.0

_LOG_LINES = 10
_NOT_RUNNING = 3  # exit status, as systemctl's


class _Group(Group):
    examples = (
        "llm mcp service install      # from now on systemd or launchd starts the daemon",
        "llm mcp service status",
        "llm mcp service uninstall",
    )


@click.group("service", cls=_Group)
def service_command() -> None:
    """The daemon as a service of this user: systemd or launchd starts it when it is needed.

    This is optional: without it the first prompt starts the daemon. As a service it logs to the journal,
    is restarted when it fails, and a restart loses no call.
    """


@command("install", "llm mcp service install", "llm mcp service install --no-enable    # to read them first")
@click.option("--no-enable", is_flag=True, help="Only write the files.")
@click.option("--force", is_flag=True, help="Replace files that were edited; a copy is kept.")
def install_command(*, no_enable: bool, force: bool) -> None:
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


@command("uninstall", "llm mcp service uninstall")
def uninstall_command() -> None:
    """Stop and disable the units, and remove what `install` wrote.

    From then on a prompt starts the daemon.
    """
    for line in managers.installer().uninstall():
        click.echo(line)
    if managers.installed_service() is None:
        click.echo("no service is left: the first prompt starts the daemon")


@command(
    "status",
    "llm mcp service status",
    "llm mcp service status --json | jq .listening",
    "llm mcp status    # the daemon itself, and its servers",
)
@as_json
@click.pass_context
def status_command(context: click.Context, *, as_json: bool) -> None:
    """Show what the service manager says.

    With the last lines of the log, and whether the units are current. Exit code 3 if it does not listen.
    """
    found = managers.installed_service()
    status = found.status() if found else None
    drifts = _drifts() if found else []
    idle = None if found else managers.idle_units()
    if as_json:
        print_json(_as_dict(found, status, drifts, idle))
    elif found is None or status is None:
        _print_absence(idle)
    else:
        _print(found, status, drifts)
    if status is None or status.failure or not status.listening:
        context.exit(_NOT_RUNNING)


for _command in (install_command, uninstall_command, status_command):
    service_command.add_command(_command)


def _print_absence(idle: Drift | None) -> None:
    if idle:
        click.echo(f"{idle.text}: the first prompt starts the daemon\ntry: {idle.repair}")
        return
    click.echo("no service is installed for this user: the first prompt starts the daemon")
    click.echo("to install one: llm mcp service install")


def _print(found: Service, status: ServiceStatus, drifts: list[Drift]) -> None:
    click.echo(status.text)
    if status.failure:
        click.echo(f"\n{found.diagnosis()}")
    elif lines := found.last_log_lines(_LOG_LINES):
        click.echo("\n".join(["", *map(plain, lines)]))
    if not status.failure and not status.listening:
        click.echo("\nit does not listen: llm mcp start")
    elif not status.enabled:
        click.echo("\nit will not listen after the next login: llm mcp service install")
    for drift in drifts:
        click.echo(f"\n{drift.text}: {drift.repair}")


def _as_dict(
    found: Service | None, status: ServiceStatus | None, drifts: list[Drift], idle: Drift | None
) -> dict[str, Any]:
    return {
        "installed": found is not None,
        "kind": found.kind if found else None,
        "listening": bool(status and status.listening),
        "active": bool(status and status.active),
        "enabled": bool(status and status.enabled),
        "pid": status.main_pid if status and status.main_pid else None,
        "failure": idle.text if idle else (status and status.failure) or None,
        "units": [str(path) for path in status.units] if status else [],
        "outdated": [drift.text for drift in drifts],
    }


def _drifts() -> list[Drift]:
    """None where it cannot be told, as without the program that a unit would start."""
    from llm_tools_mcp.service.unit_files import current_program

    try:
        return managers.installer().drift(current_program())
    except ServiceError:
        return []


def _stop_spawned(socket: Path) -> None:
    """A manager binds over a live socket without a word: the daemon that holds it has to go first."""
    from .stopping import stop_daemon

    found = managers.installed_service()
    if found is None or not found.status().listening:
        stop_daemon(socket)


def _await_answer(socket: Path) -> v1.HealthResponse:
    """Health through the manager's socket: it starts the daemon."""
    from llm_tools_mcp.client.channel import DaemonClient

    try:
        with DaemonClient(socket) as client:
            return client.health(_START_SECONDS)
    except DaemonError as error:
        found = managers.installed_service()
        advice = found.diagnosis() if found else ""
        raise DaemonStartFailed(str(error), [], advice) from error
