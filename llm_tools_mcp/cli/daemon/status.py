"""`llm mcp status`: is it well, who runs it, what is it doing. Starts nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import as_json, command
from llm_tools_mcp.cli.running_daemon import (
    ask_status,
    health_as_dict,
    is_running,
    server_state,
    why_several,
)
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.terminal.columns import print_columns
from llm_tools_mcp.terminal.screen import (
    clean_line,
    console,
    counted,
    duration,
    is_terminal,
    latency,
    print_json,
    print_remarks,
    size,
    styled,
)
from llm_tools_mcp.text.token_estimate import shown_tokens

from .other_daemons import Elsewhere, daemons_elsewhere

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.service import Service

_INDENT = 10  # of facts, behind their names
_WATCH_SECONDS = 1.0
NOT_RUNNING = 3  # exit status, as systemctl's
INTERRUPTED = 130  # exit status, as a shell's

_SUPERVISORS = {
    "systemd": "systemd",
    "launchd": "launchd",
    "spawned": "itself (started on demand)",
    "foreground": "a terminal (in the foreground)",
}


# What gives way on a narrow terminal, the first first.
_DISPENSABLE = (
    *("TOOL-ERRORS>", "TOKENS>", "P95>", "RESTARTS>", "TOOLS>", "IDLE>", "MEMORY>", "P50>"),
    *("ERRORS>", "PID>", "WHERE"),
)


@command(
    "status", "llm mcp status", "llm mcp status --watch", "llm mcp status --json | jq '.servers[].server'"
)
@as_json
@click.option("-w", "--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.pass_context
def status_command(context: click.Context, *, as_json: bool, watch: bool) -> None:
    """Show the state of the daemon and of its servers; exit 3 when it does not run. Starts nothing.

    A narrow terminal gets the columns that tell most; a pipe and --json get all.
    """
    if watch:
        from llm_tools_mcp.terminal.watching import show_again_and_again

        show_again_and_again(lambda: _show(as_json=as_json), _WATCH_SECONDS)
        context.exit(INTERRUPTED)
    if not _show(as_json=as_json):
        context.exit(NOT_RUNNING)


def _show(*, as_json: bool) -> bool:
    """Whether it runs."""
    service = installed_service()
    others = daemons_elsewhere()
    if not is_running(service):
        _print_absence(service, others, as_json=as_json)
        return False
    status = ask_status()
    if as_json:
        print_json({"running": True, **status_as_dict(status), "elsewhere": _as_dicts(others)})
    else:
        print_status(status)
        _print_others(others)
    return True


def _as_dicts(others: Sequence[Elsewhere]) -> list[dict[str, Any]]:
    return [{"socket": str(other.socket), "pid": other.pid} for other in others]


def _print_others(others: Sequence[Elsewhere]) -> None:
    for other in others:
        click.echo(f"\n{other}; to end both: llm mcp stop")


def _print_absence(service: Service | None, others: Sequence[Elsewhere], *, as_json: bool) -> None:
    who = service.kind if service is not None and service.status().listening else ""
    if as_json:
        absence = {"running": False, "socket": str(paths.socket_path()), "supervisor": who, "servers": []}
        print_json({**absence, "elsewhere": _as_dicts(others)})
        return
    if service is not None and (failure := service.status().failure):
        click.echo(f"{styled('not running', bold=True)}; {service.kind} says: {failure}")
        click.echo("more, and how to repair it: llm mcp service status")
    else:
        through = f" (through {who})" if who else ""
        click.echo(f"{styled('not running', bold=True)}; the next prompt starts it{through}")
    _print_others(others)


def print_status(status: v1.StatusResponse) -> None:
    _print_daemon(status)
    if not status.servers:
        click.echo("\nNo server is connected: each starts at its first call, or once after a prompt.")
        return
    click.echo()
    servers = sorted(status.servers, key=lambda server: (server.server, _place(server)))
    rows = [_row(server) for server in servers]
    if not any(server.tool_errors for server in servers):
        for row in rows:
            del row["TOOL-ERRORS>"]
    print_columns(rows, _DISPENSABLE, {"SERVER": "bold", "WHERE": "dim"})
    for name, places in _places(status).items():
        if len(set(places)) < len(places):
            click.echo(
                f"\n{styled(clean_line(name), bold=True)}: {why_several(len(places), len(set(places)))}"
            )
    # Copies of a server fail alike.
    print_remarks(dict.fromkeys((server.server, server.last_error) for server in servers))


def _places(status: v1.StatusResponse) -> dict[str, list[str]]:
    """The folders that each server has a process in, by name."""
    found: dict[str, list[str]] = {}
    for server in status.servers:
        if server.pid:
            found.setdefault(server.server, []).append(server.cwd)
    return found


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
        "log": "its terminal (stderr)" if health.log == "stderr" else f"{health.log} (llm mcp logs)",
    }
    for name, fact in facts.items():
        _print_fact(name, fact)
    if not health.installed_version:
        click.echo("the environment that it runs in was deleted: llm mcp restart")
    elif health.installed_version not in ("", health.version):
        click.echo(f"version {health.installed_version} is installed by now: the next prompt moves to it")


def _print_fact(name: str, fact: str) -> None:
    """What does not fit on a terminal goes on below; a path stays whole, so that it can be copied."""
    lines = [fact]
    if is_terminal():
        lines = textwrap.wrap(
            fact, console().width - _INDENT, break_long_words=False, break_on_hyphens=False
        ) or [""]
    click.echo(f"{styled(f'{name:>8}', dim=True)}  {lines[0]}")
    for line in lines[1:]:
        click.echo(f"{'':{_INDENT}}{line}")


def _row(server: v1.ServerStatus) -> dict[str, str]:
    is_idle = server.state and not server.calls_in_flight
    return {
        "SERVER": clean_line(", ".join([server.server, *server.also_called])),
        "STATE": server_state(server),
        "CALLS>": str(server.calls),
        "ERRORS>": str(server.errors),
        "RESTARTS>": str(server.restarts),
        "P50>": latency(server.latency_p50_seconds) if server.latency_p50_seconds else "-",
        "P95>": latency(server.latency_p95_seconds) if server.latency_p95_seconds else "-",
        "IDLE>": duration(server.idle_seconds) if is_idle else "busy",
        "TOOLS>": str(server.tools) if server.tools else "-",
        "TOKENS>": shown_tokens(server.tool_tokens) if server.tool_tokens else "-",
        "MEMORY>": size(server.memory_bytes) if server.memory_bytes else "-",
        "PID>": str(server.pid) if server.pid else "-",
        "TOOL-ERRORS>": str(server.tool_errors),
        "WHERE": _place(server),
    }


def _activity(status: v1.StatusResponse) -> str:
    calls = f"{counted(status.calls_in_flight, 'call')} in flight"
    others = status.connections - 1  # without ourselves
    return f"{calls}, {counted(others, 'other client')} connected" if others > 0 else calls


def _place(server: v1.ServerStatus) -> str:
    """The folder that it runs in, or its url: what tells copies of a server apart."""
    home = str(Path.home())
    is_below = server.cwd == home or server.cwd.startswith(f"{home}/")
    return clean_line(f"~{server.cwd[len(home) :]}" if is_below else server.cwd or server.target)


def _state(health: v1.HealthResponse) -> str:
    from llm_tools_mcp import v1

    return v1.name_of(v1.HealthResponse.State, health.state)


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
    return {**plain, "also_called": list(server.also_called), "state": server_state(server)}
