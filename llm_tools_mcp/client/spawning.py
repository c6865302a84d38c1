"""Start a daemon of our own, where no service manager does.

Two clients that race end with one daemon: spawning happens under a lock, and whoever waited for the
lock looks again first.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket as socket_module
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from llm_tools_mcp import paths
from llm_tools_mcp.errors import DaemonStartFailed
from llm_tools_mcp.system import access

from . import threads
from .socket_probe import POLL_SECONDS, accepts, within

# Seconds.
READY_SECONDS = 20.0
_LOCK_SECONDS = 30.0
# A daemon that has the lock binds at once.
_LOST_RACE_SECONDS = 0.5

_LOG_TAIL = 8
# Its own 15, three for each server, one for each client.
_OPEN_FILES = 64
SPAWNED_VARIABLE = "LLM_MCP_SPAWNED"
# What it notifies us by: beside its socket.
_NOTICES = ".n"
# What the daemon marks the processes of its servers with.
SERVER_MARK = "LLM_MCP_DAEMON"


def spawn(socket: Path) -> bool:
    """Start a daemon in a session of its own, and wait until it is ready. False where another one was faster.

    Raises DaemonStartFailed.
    """
    _check_open_files()
    threads.check()
    if access.lacks_proc():
        raise DaemonStartFailed(access.NO_PROC, [])
    try:
        access.make_private_folder(socket.parent)
        with _locked(paths.spawn_lock_path(socket)):
            return not accepts(socket) and _spawn_and_wait(socket)
    except OSError as error:  # a folder that cannot be made, a full disk, no more processes
        raise DaemonStartFailed(_why_not_spawned(error), []) from error


def _why_not_spawned(error: OSError) -> str:
    if error.errno == errno.EAGAIN:
        return "no more processes are allowed here (ulimit -u)"
    return str(access.obstacle(error)) if error.filename else str(error)


def _check_open_files() -> None:
    """The daemon inherits the limit. Where it is too low, what fails first is anything, in any words."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < _OPEN_FILES:  # -1 is RLIM_INFINITY
        detail = f"too many open files: only {limit} are allowed here, and it needs {_OPEN_FILES}"
        raise DaemonStartFailed(detail, [], "To allow more: ulimit -n 1024")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock files are never unlinked: a lock on a removed file would exclude nobody."""
    descriptor = access.open_private(path, os.O_RDWR)
    try:
        if not within(_LOCK_SECONDS, lambda: _try_lock(descriptor)):
            detail = f"another process has been starting it for {_LOCK_SECONDS:g} s ({path})"
            raise DaemonStartFailed(detail, [])
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _spawn_and_wait(socket: Path) -> bool:
    with _listening_for_notices(socket) as receiver, _open_log(socket) as output:
        log, began = Path(output.name), output.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "llm_tools_mcp.daemon", f"--socket={socket}", f"--log-file={log}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",  # it must not keep a folder busy; servers run in their callers' folders
            start_new_session=True,  # it outlives the terminal
            env=_daemon_environment(receiver.getsockname()),
        )
        is_ready = _wait_until_ready(child, receiver, socket, log, began)
    child.returncode = 0  # it lives on, by design: without this Python would warn that it was not waited for
    return is_ready


@contextmanager
def _listening_for_notices(socket: Path) -> Iterator[socket_module.socket]:
    """Where the daemon says READY=1: always the same place, so that killed clients leave one at most."""
    path = paths.checked_socket_path(socket.with_name(socket.name + _NOTICES))
    if path.is_socket():
        path.unlink()  # the lock is ours: whoever bound it is no more
    with closing(socket_module.socket(socket_module.AF_UNIX, socket_module.SOCK_DGRAM)) as receiver:
        receiver.bind(os.fsencode(path))
        try:
            path.chmod(0o600)
            receiver.settimeout(POLL_SECONDS)
            yield receiver
        finally:
            path.unlink(missing_ok=True)


def _daemon_environment(notices: str) -> dict[str, str]:
    # The folder may have been given relative to ours, and the daemon's is another.
    folder = {"LLM_TOOLS_MCP_CONFIG_DIR": str(paths.config_folder())}
    # Started from within an MCP server it is none of that one's processes, which end with it.
    inherited = {name: value for name, value in os.environ.items() if name != SERVER_MARK}
    return {**inherited, **folder, "NOTIFY_SOCKET": notices, SPAWNED_VARIABLE: "1"}


def _open_log(socket: Path) -> BinaryIO:
    """In the config folder; beside the socket where that is mounted read-only, as in containers."""
    log = paths.daemon_log()
    try:
        access.make_private_folder(log.parent)
        return _opened(log)
    except OSError:
        return _opened(socket.with_name(log.name))


def _opened(path: Path) -> BinaryIO:
    return open(path, "ab", opener=lambda _, flags: access.open_private(path, flags))


def _wait_until_ready(
    child: subprocess.Popen[bytes], receiver: socket_module.socket, socket: Path, log: Path, began: int
) -> bool:
    """Whether it is this one that accepts."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(TimeoutError):
            if b"READY=1" in receiver.recv(4096).splitlines():
                return True
        if child.poll() is not None:
            # Whoever spawned another one just before us may have been killed, and its lock is free.
            if within(_LOST_RACE_SECONDS, lambda: accepts(socket)):
                return False
            raise DaemonStartFailed(
                f"it exited with code {child.returncode}", _tail(log, began), _advice(log)
            )
    child.terminate()
    raise DaemonStartFailed(f"it was not ready within {READY_SECONDS:g} s", _tail(log, began), _advice(log))


def _advice(log: Path) -> str:
    return f"Its log is {log}; to watch it start: llm mcp daemon"


def _tail(log: Path, began: int) -> list[str]:
    """The last lines that this start has written."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(began)
        return file.read().decode("utf-8", "replace").splitlines()[-_LOG_TAIL:]
    return []
