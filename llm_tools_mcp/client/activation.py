"""Make sure that a daemon answers: connect → ask the service manager → spawn one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llm_tools_mcp import paths
from llm_tools_mcp.errors import (
    DaemonError,
    DaemonIncompatible,
    DaemonStartFailed,
    DaemonUnreachable,
    DaemonUnresponsive,
)

from .socket_probe import POLL_SECONDS, accepts, within
from .spawning import READY_SECONDS, spawn

if TYPE_CHECKING:
    from llm_tools_mcp import v1

# Seconds: longer than a killed daemon takes to be back (RestartSec and a start), shorter than people wait.
_PATIENCE_SECONDS = 5.0


def ensure_daemon() -> Path:
    """The path of a socket that accepts; a daemon is started if need be.

    Raises DaemonStartFailed with what its log says, SocketRefused, DaemonUnresponsive.
    """
    socket = paths.socket_path()
    if not accepts(socket):
        start(socket)
    return socket


def await_answer(health: Callable[[float], v1.HealthResponse]) -> None:
    """A socket may accept while nobody serves: wait for an answer, or for the reason why there is none.

    Raises DaemonStartFailed with the manager's diagnosis; DaemonUnreachable, DaemonUnresponsive where there
    is no manager; DaemonIncompatible for a daemon of another major version of the protocol.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            _check_protocol(health(_PATIENCE_SECONDS))
        except (DaemonUnreachable, DaemonUnresponsive) as error:
            _raise_if_hopeless(error, is_late=time.monotonic() > deadline)
            time.sleep(POLL_SECONDS)
        else:
            return


def _check_protocol(answer: v1.HealthResponse) -> None:
    from llm_tools_mcp.v1 import PROTOCOL_MAJOR  # protobuf: a daemon is started before it is loaded

    if answer.protocol_major != PROTOCOL_MAJOR:
        raise DaemonIncompatible(
            f"the daemon ({answer.version}, pid {answer.pid}) speaks version {answer.protocol_major} of the "
            f"protocol, this client version {PROTOCOL_MAJOR}; "
            "use the same release of llm-tools-mcp for both, then: llm mcp restart"
        )


def _raise_if_hopeless(error: DaemonError, *, is_late: bool) -> None:
    from llm_tools_mcp.service import installed_service

    service = installed_service()
    if service is None:
        raise error
    if service.status().failure or is_late:
        raise DaemonStartFailed(str(error), [], service.diagnosis()) from error


def start(socket: Path) -> bool:
    """Have somebody listen. Whether it is a daemon of ours that has said that it is ready."""
    from llm_tools_mcp.service import installed_service

    service = installed_service()
    if service is None:
        return spawn(socket)
    service.start()
    if not within(READY_SECONDS, lambda: accepts(socket)):
        detail = f"{service.kind} started it, but {socket} does not accept"
        raise DaemonStartFailed(detail, [], service.diagnosis())
    return False
