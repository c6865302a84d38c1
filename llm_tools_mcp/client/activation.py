"""Make sure that a daemon answers: connect → ask the service manager → spawn one.

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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from llm_tools_mcp import access, paths
from llm_tools_mcp.errors import (
    DaemonError,
    DaemonIncompatible,
    DaemonStartFailed,
    DaemonUnreachable,
    DaemonUnresponsive,
    SocketRefused,
)
from llm_tools_mcp.peer import peer_uid, trusted_uids

from . import threads

if TYPE_CHECKING:
    from llm_tools_mcp import v1

# Seconds.
_CONNECT_SECONDS = 2.0
_READY_SECONDS = 20.0
_LOCK_SECONDS = 30.0
# Longer than a killed daemon takes to be back (RestartSec and a start), shorter than people wait.
_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.02
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
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            _check_protocol(health(_PATIENCE_SECONDS))
        except (DaemonUnreachable, DaemonUnresponsive) as error:
            _raise_if_hopeless(error, is_late=time.monotonic() > deadline)
            time.sleep(_POLL_SECONDS)
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
        time.sleep(_POLL_SECONDS)


def start(socket: Path) -> bool:
    """Have somebody listen. Whether it is a daemon of ours that has said that it is ready."""
    from llm_tools_mcp.service import installed_service

    service = installed_service()
    if service is None:
        return spawn(socket)
    service.start()
    if not _within(_READY_SECONDS, lambda: accepts(socket)):
        detail = f"{service.kind} started it, but {socket} does not accept"
        raise DaemonStartFailed(detail, [], service.diagnosis())
    return False


# --- spawning ---------------------------------------------------------------------------------------


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
        if not _within(_LOCK_SECONDS, lambda: _try_lock(descriptor)):
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
            receiver.settimeout(_POLL_SECONDS)
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
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(TimeoutError):
            if b"READY=1" in receiver.recv(4096).splitlines():
                return True
        if child.poll() is not None:
            # Whoever spawned another one just before us may have been killed, and its lock is free.
            if _within(_LOST_RACE_SECONDS, lambda: accepts(socket)):
                return False
            raise DaemonStartFailed(
                f"it exited with code {child.returncode}", _tail(log, began), _advice(log)
            )
    child.terminate()
    raise DaemonStartFailed(f"it was not ready within {_READY_SECONDS:g} s", _tail(log, began), _advice(log))


def _advice(log: Path) -> str:
    return f"Its log is {log}; to watch it start: llm mcp daemon"


def _tail(log: Path, began: int) -> list[str]:
    """The last lines that this start has written."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(began)
        return file.read().decode("utf-8", "replace").splitlines()[-_LOG_TAIL:]
    return []


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
