"""`llm mcp status`: is it well, who runs it, what is it doing. Starts nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from llm_tools_mcp import paths
from llm_tools_mcp.service import installed_service

from .command import as_json, command
from .daemon import health_as_dict, is_running
from .screen import (
    clean_line,
    duration,
    is_terminal,
    latency,
    print_json,
    print_remarks,
    print_table,
    size,
    styled,
)

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.service import Service

_WATCH_SECONDS = 1.0
# What is drawn again is drawn over what was there: clearing first would flicker.
_HOME = "\x1b[H\x1b[J"
_ERASE_REST = "\x1b[J"
NOT_RUNNING = 3  # exit status, as systemctl's

_SUPERVISORS = {
    "systemd": "systemd",
    "launchd": "launchd",
    "spawned": "itself (a prompt started it)",
    "foreground": "a terminal (in the foreground)",
}


@command(
    "status", "llm mcp status", "llm mcp status --watch", "llm mcp status --json | jq '.servers[].server'"
)
@as_json
@click.option("-w", "--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.pass_context
def status_command(context: click.Context, *, as_json: bool, watch: bool) -> None:
    """Show how the daemon and its servers are; exit 3 when it does not run. Starts nothing."""
    if watch:
        _watch()
    service = installed_service()
    if not is_running(service):
        _print_absence(service, as_json=as_json)
        context.exit(NOT_RUNNING)
    status = ask_status()
    if as_json:
        print_json({"running": True, **status_as_dict(status)})
    else:
        print_status(status)


def _watch() -> NoReturn:
    """Ctrl-C ends it."""
    while True:
        click.echo(_HOME if is_terminal() else "", nl=not is_terminal())
        service = installed_service()
        if is_running(service):
            print_status(ask_status())
        else:
            _print_absence(service, as_json=False)
        click.echo(_ERASE_REST if is_terminal() else "", nl=False)
        time.sleep(_WATCH_SECONDS)


def ask_status() -> v1.StatusResponse:
    from llm_tools_mcp.client import DaemonClient

    with DaemonClient(paths.socket_path()) as client:
        return client.status()


def _print_absence(service: Service | None, *, as_json: bool) -> None:
    who = service.kind if service is not None and service.status().listening else ""
    if as_json:
        print_json({"running": False, "socket": str(paths.socket_path()), "supervisor": who})
        return
    click.echo(
        f"{styled('not running', bold=True)}; the next prompt starts it{f' (through {who})' if who else ''}"
    )
    if service is not None and (failure := service.status().failure):
        click.echo(f"{service.kind} says: {failure}\nmore: llm mcp service status")


def print_status(status: v1.StatusResponse) -> None:
    _print_daemon(status)
    if not status.servers:
        click.echo("\nNo server is connected: each starts at its first call.")
        return
    click.echo()
    print_table(
        ["SERVER", "STATE", "TOOLS>", "CALLS>", "ERRORS>", "P50>", "MEMORY>", "IDLE>", "PID>", "WHERE"],
        [_row(server) for server in status.servers],
        ["bold", "", "", "", "", "", "", "", "", "dim"],
    )
    print_remarks((server.server, server.last_error) for server in status.servers)


def _print_daemon(status: v1.StatusResponse) -> None:
    health = status.health
    state = "stopping" if _state(health) == "draining" else "running"
    color = "yellow" if state == "stopping" else "green"
    click.echo(f"{styled(state, fg=color, bold=True)}  llm-mcp {health.version}, pid {health.pid}")
    facts = {
        "run by": _SUPERVISORS.get(health.supervisor, health.supervisor),
        "up for": duration(health.uptime_seconds),
        "memory": size(status.memory_bytes),
        "now": _activity(status),
        "socket": status.socket,
        "log": f"{health.log} (llm mcp logs)",
    }
    for name, fact in facts.items():
        click.echo(f"{styled(f'{name:>8}', dim=True)}  {fact}")
    if health.installed_version not in ("", health.version):
        click.echo(f"version {health.installed_version} is installed by now: the next prompt moves to it")


def _row(server: v1.ServerStatus) -> list[str]:
    is_idle = server.state and not server.calls_in_flight
    return [
        clean_line(server.server),
        server_state(server),
        str(server.tools) if server.tools else "-",
        str(server.calls),
        str(server.errors),
        latency(server.latency_p50_seconds) if server.latency_p50_seconds else "-",
        size(server.memory_bytes) if server.memory_bytes else "-",
        duration(server.idle_seconds) if is_idle else "busy",
        str(server.pid) if server.pid else "-",
        _place(server),
    ]


def _activity(status: v1.StatusResponse) -> str:
    calls = f"{_count(status.calls_in_flight, 'call')} in flight"
    others = status.connections - 1  # without ourselves
    return f"{calls}, {_count(others, 'other client')} connected" if others > 0 else calls


def _place(server: v1.ServerStatus) -> str:
    """The folder that it runs in, or its url: what tells copies of a server apart."""
    home = str(Path.home())
    is_below = server.cwd == home or server.cwd.startswith(f"{home}/")
    return clean_line(f"~{server.cwd[len(home) :]}" if is_below else server.cwd or server.target)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _state(health: v1.HealthResponse) -> str:
    from llm_tools_mcp import v1

    return v1.HealthResponse.State.Name(health.state).lower()


def server_state(server: v1.ServerStatus) -> str:
    from llm_tools_mcp import v1

    return v1.ServerStatus.State.Name(server.state).lower().replace("_", " ")


def status_as_dict(status: v1.StatusResponse) -> dict[str, Any]:
    return {
        **health_as_dict(status.health),
        "connections": status.connections,
        "calls_in_flight": status.calls_in_flight,
        "memory_bytes": status.memory_bytes,
        "servers": [_server_as_dict(server) for server in status.servers],
    }


def _server_as_dict(server: v1.ServerStatus) -> dict[str, Any]:
    plain = {field.name: getattr(server, field.name) for field in server.DESCRIPTOR.fields}
    return {**plain, "state": server_state(server)}
