"""The lock beside a socket that a daemon bound by itself: who holds it may bind and unlink the path."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from llm_tools_mcp import paths
from llm_tools_mcp.errors import DaemonAlreadyRunning
from llm_tools_mcp.system import access

# Seconds: from the lock to the socket, also on a busy machine; until a daemon that nobody can reach has gone.
_BIND_SECONDS = 0.5
_GIVE_WAY_SECONDS = 5.0
_POLL_SECONDS = 0.02


def take(path: Path) -> int:
    """The lock of the socket at `path`, held until `let_go`. Raises DaemonAlreadyRunning, OSError."""
    lock = access.open_private(paths.lock_path(path), os.O_RDWR)
    if not _is_locked(lock) and not _has_given_way(lock, path):
        pid = _pid_in(lock)
        os.close(lock)
        raise DaemonAlreadyRunning(str(path), pid)
    with suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def _is_locked(lock: int) -> bool:
    """Whether it is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _has_given_way(lock: int, path: Path) -> bool:
    """Whether the holder lets go: its socket's file was removed, and it is told to look.

    Not at once, since one that has just started takes the lock before it binds.
    """
    began, told = time.monotonic(), False
    while not _is_locked(lock):
        waited = time.monotonic() - began
        if os.path.lexists(path) or waited > _GIVE_WAY_SECONDS:
            return False
        if not told and waited > _BIND_SECONDS:
            told = True
            _tell_to_look(_pid_in(lock))
        time.sleep(_POLL_SECONDS)
    return True


def _tell_to_look(pid: int) -> None:
    """SIGHUP, to a daemon alone: in a container that shares the folder the pid is somebody else's."""
    import psutil

    with suppress(psutil.Error, OSError, ValueError):
        holder = psutil.Process(pid)
        if not {"llm_tools_mcp.daemon", "daemon"}.isdisjoint(holder.cmdline()):
            holder.send_signal(signal.SIGHUP)


def _pid_in(lock: int) -> int:
    text = os.pread(lock, 32, 0).strip()
    return int(text) if text.isdigit() else 0


def let_go(lock: int) -> None:
    """The file stays: a lock on a removed one would exclude nobody."""
    with suppress(OSError):  # a pid that is over must not be taken for the holder's
        os.ftruncate(lock, 0)
    os.close(lock)
