"""The daemon that runs, as the commands ask it. Only `start` starts one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import paths
from llm_tools_mcp.client import activation, socket_probe
from llm_tools_mcp.errors import DaemonUnreachable, DaemonUnresponsive, McpError
from llm_tools_mcp.service import Service, installed_service

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.config import ConfigSource

# Seconds: a first start on a cold disk, through systemd.
_START_SECONDS = 20.0
# To ask for these alone: of the others only what is known already is sent, and none is called so.
NO_SERVER = ("\0",)


def start() -> v1.HealthResponse:
    """Have a daemon that answers, started if need be. Raises DaemonError, ServiceError."""
    return ask(activation.ensure_daemon(), _START_SECONDS)


def listening_service() -> Service | None:
    """The manager that holds the socket: a unit that is installed and does not listen owns nothing."""
    service = installed_service()
    return service if service is not None and service.status().listening else None


def is_running(service: Service | None) -> bool:
    """Whether a daemon is there. A manager is asked: connecting to its socket would start one."""
    if service is not None and (state := service.status()).listening:
        return state.active
    try:
        return socket_probe.accepts(paths.socket_path())
    except DaemonUnresponsive:
        return True  # it hangs, but it is there


def ask(socket: Path, seconds: float = 5.0) -> v1.HealthResponse:
    from llm_tools_mcp.client.channel import DaemonClient

    if not socket_probe.accepts(socket):
        raise DaemonUnreachable(str(socket))
    with DaemonClient(socket) as client:
        return client.health(seconds)


def describe(health: v1.HealthResponse) -> str:
    owner = {"spawned": "started on demand", "foreground": "in the foreground"}
    return f"llm-mcp {health.version}, pid {health.pid}, {owner.get(health.supervisor, health.supervisor)}"


def health_as_dict(health: v1.HealthResponse) -> dict[str, Any]:
    from llm_tools_mcp import v1

    return {
        "state": v1.name_of(v1.HealthResponse.State, health.state),
        "version": health.version,
        "installed_version": health.installed_version,
        "pid": health.pid,
        "uptime_seconds": round(health.uptime_seconds, 3),
        "supervisor": health.supervisor,
        "socket": str(paths.socket_path()),
        "log": health.log,
    }


def ask_status() -> v1.StatusResponse:
    from llm_tools_mcp.client.channel import DaemonClient

    with DaemonClient(paths.socket_path()) as client:
        return client.status()


def let_know(source: ConfigSource) -> None:
    """The daemon, where one runs: what this config wants no more ends now, and not with the next prompt."""
    from llm_tools_mcp.client.caller import make_caller
    from llm_tools_mcp.client.channel import DaemonClient

    with suppress(McpError):
        if is_running(installed_service()):
            with DaemonClient(paths.socket_path()) as client:
                list(client.tools(make_caller(source), NO_SERVER))


def why_several(processes: int, folders: int) -> str:
    """Why a server runs more than once."""
    if processes == folders:
        return (
            "one process for each folder that uses it. "
            "Where the folder does not matter, a `cwd` in its entry makes all share one."
        )
    where = "one folder" if folders == 1 else f"{folders} folders"
    return (
        f"{processes} processes in {where}. One is shared by those who would start it alike: in the same "
        "folder, with the same PATH, umask and variables; and `instances` in its entry may want more."
    )


def server_state(server: v1.ServerStatus) -> str:
    """As on the wire; and `failed`: stopped, because of an error, or out of reach when it was last asked."""
    from llm_tools_mcp import v1

    is_stopped = server.state == v1.ServerStatus.STOPPED
    if server.state == v1.ServerStatus.UNREACHABLE or (is_stopped and server.last_error):
        return "failed"
    return v1.name_of(v1.ServerStatus.State, server.state)
