"""Whether somebody listens on the daemon's socket, and waiting until it is so."""

from __future__ import annotations

import socket as socket_module
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from llm_tools_mcp.errors import DaemonUnresponsive, SocketRefused
from llm_tools_mcp.system import access
from llm_tools_mcp.system.peer import peer_uid, trusted_uids

_CONNECT_SECONDS = 2.0
POLL_SECONDS = 0.02


def accepts(socket: Path) -> bool:
    """Whether somebody listens, who may. That is not yet an answer: RPCs have deadlines.

    Raises SocketRefused where it is another user, whoever owns the socket's file.
    """
    with closing(socket_module.socket(socket_module.AF_UNIX, socket_module.SOCK_STREAM)) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            _connect(probe, str(socket))
            uid = peer_uid(probe)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except PermissionError as error:
            raise SocketRefused(
                str(socket), f"permission denied: {access.obstacle(error, socket)}"
            ) from error
        except (TimeoutError, BlockingIOError) as error:  # its queue is full: it hangs
            raise DaemonUnresponsive(str(socket), _CONNECT_SECONDS) from error
        except OSError as error:  # a loop of symbolic links
            raise SocketRefused(str(socket), error.strerror or str(error)) from error
    if uid not in trusted_uids():
        raise SocketRefused(str(socket), f"another user listens on it (uid {uid})")
    return True


def _connect(probe: socket_module.socket, path: str) -> None:
    """Waits for room in the queue: the kernel only says that there is none."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            return probe.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it comes true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
