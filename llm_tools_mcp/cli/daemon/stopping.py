"""How a daemon is stopped: asked first, and where it hangs, by signals, but only one that we spawned."""

from __future__ import annotations

import socket as socket_module
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llm_tools_mcp import paths
from llm_tools_mcp.client import socket_probe
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.client.spawning import SPAWNED_VARIABLE
from llm_tools_mcp.errors import DaemonError, DaemonUnreachable, DaemonUnresponsive
from llm_tools_mcp.system.peer import peer_pid

if TYPE_CHECKING:
    import psutil

# Seconds. A drain takes the grace period for calls in flight (10) and what ending the servers takes.
DRAIN_SECONDS = 25.0
# For a daemon that does not answer: after TERM; and for the kernel, after KILL.
_TERM_SECONDS = 5.0
_KILL_SECONDS = 5.0

_POLL_SECONDS = 0.02
# The pid file is written after the process began; the file system's clock may be coarse.
_CLOCK_SECONDS = 2.0


def stop_daemon(socket: Path) -> int:
    """Stop the daemon that listens on `socket`, and wait until it is gone. Returns its pid; 0: there is none.

    Raises DaemonError where it does not go and must not be killed.
    """
    if not _accepts(socket):
        return _await_drain(socket)
    try:
        with DaemonClient(socket) as client:
            process = _process(client.health().pid)
            client.shut_down()
    except DaemonUnreachable:
        return _await_drain(socket)  # it went away in between
    except DaemonUnresponsive as error:
        return _kill_spawned(socket, error)
    if process is None or _ends_within(process, DRAIN_SECONDS):
        return process.pid if process else 0
    return _kill_spawned(socket, DaemonUnresponsive(str(socket), DRAIN_SECONDS, "it does not end"))


def _accepts(socket: Path) -> bool:
    try:
        return socket_probe.accepts(socket)
    except DaemonUnresponsive:
        return True  # its queue is full


def _await_drain(socket: Path) -> int:
    """A daemon that drains has let its socket go already, and lives until its last call is done."""
    process = spawned_process(socket)
    if process is None:
        return 0
    if not _ends_within(process, DRAIN_SECONDS):
        return _kill(process)
    return process.pid


def _kill_spawned(socket: Path, error: DaemonError) -> int:
    process = spawned_process(socket)
    if process is None:
        raise _not_ours(socket, error) from error
    return _kill(process)


def _not_ours(socket: Path, error: DaemonError) -> DaemonError:
    pid = listening_pid(socket)
    advice = f"; to end it: kill -9 {pid}" if pid else ""
    return DaemonError(f"{error}\nIt was not started on demand, so it is not killed{advice}")


def _kill(process: psutil.Process) -> int:
    """TERM, a grace period, KILL; and so for the servers below it, which nobody else would end."""
    import psutil

    servers = _below(process)
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    if not _ends_within(process, _TERM_SECONDS):
        servers = _below(process) or servers
        with suppress(psutil.NoSuchProcess):
            process.kill()
        _ends_within(process, _KILL_SECONDS)
    for server in servers:
        with suppress(psutil.NoSuchProcess):
            server.kill()
    return process.pid


def _below(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


# --- which process ----------------------------------------------------------------------------------


def spawned_process(socket: Path) -> psutil.Process | None:
    """The daemon that was started on demand for this socket: the one that listens, else of the pid file."""
    pid = listening_pid(socket)
    process = _process(pid) if pid else _process_of_pid_file()
    return process if process is not None and _was_spawned(process, socket) else None


def _process_of_pid_file() -> psutil.Process | None:
    """A process that is older than the file and has its pid is the one that wrote it: pids are reused."""
    try:
        pid = int(paths.pid_file().read_text())
        written = paths.pid_file().stat().st_mtime
    except (OSError, ValueError):
        return None
    process = _process(pid)
    return process if process is not None and process.create_time() <= written + _CLOCK_SECONDS else None


def _was_spawned(process: psutil.Process, socket: Path) -> bool:
    import psutil

    try:
        words, environment = process.cmdline(), process.environ()
    except psutil.Error:
        return False
    is_daemon = "llm_tools_mcp.daemon" in words and any(word.endswith(str(socket)) for word in words)
    return is_daemon and SPAWNED_VARIABLE in environment


def listening_pid(socket: Path) -> int:
    """The process that listens, as the kernel knows it; 0 where nobody does or it does not say."""
    with closing(socket_module.socket(socket_module.AF_UNIX, socket_module.SOCK_STREAM)) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(socket))
            return peer_pid(probe)
        except OSError:
            return 0


def _process(pid: int) -> psutil.Process | None:
    import psutil

    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return None
    return process if _lives(process) else None


def _lives(process: psutil.Process) -> bool:
    """A zombie has ended: in containers nobody may ever wait for it.

    Not before its other threads have: until then its socket accepts, and answers with a reset.
    """
    import psutil

    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.Error:
        return False


def _ends_within(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _lives(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
