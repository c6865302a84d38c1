"""The mark that every process of this daemon carries in its environment, and what to do with those found.

It finds what left its process group, and what a SIGKILLED daemon left behind (under systemd the control
group does that; this serves the spawned daemon, on Linux and macOS).
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

_log = logging.getLogger(__name__)

MARK_VARIABLE = "LLM_MCP_DAEMON"
_SEPARATOR = "|"
# A start time is counted from the boot time, which moves when the clock is set.
_CLOCK_STEP_SECONDS = 60.0
_serial = itertools.count(1)


@cache
def owner_mark(socket: Path) -> str:
    """Names this daemon: its socket, pid and start, since pids are used again; and where its pid is one."""
    me = psutil.Process()
    return _SEPARATOR.join((str(socket), str(me.pid), repr(me.create_time()), _pid_namespace()))


def _pid_namespace() -> str:
    """Which PID namespace this is; containers have their own. Empty where the system has none."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def server_mark(owner: str) -> str:
    """Names one process that the daemon starts, and all that it will start."""
    return f"{owner}{_SEPARATOR}{next(_serial)}"


def signal_marked(mark: str, number: int) -> int:
    """Signal all that carries this mark. Returns how many there were. Reads /proc: not for the event loop."""
    return sum(_signal(process, number) for process in _carriers(lambda found: found == mark))


def sweep(socket: Path) -> int:
    """End the processes of daemons on this socket that are dead. Returns how many there were."""
    dead = _carriers(lambda mark: _is_of_dead_daemon(mark, socket))
    ended = sum(_signal(process, signal.SIGKILL) for process in dead)
    if ended:
        _log.warning("processes that a killed daemon had left behind, ended now: %d", ended)
    return ended


def _carriers(wanted: Callable[[str], bool]) -> Iterator[psutil.Process]:
    """The user's processes whose mark is a wanted one; zombies have none."""
    me = os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError, ValueError):
            if process.uids().real == me and wanted(process.environ().get(MARK_VARIABLE, "")):
                yield process


def _signal(process: psutil.Process, number: int) -> bool:
    with suppress(psutil.Error, OSError):
        process.send_signal(number)
        return True
    return False


def _is_of_dead_daemon(mark: str, socket: Path) -> bool:
    if not mark.startswith(f"{socket}{_SEPARATOR}"):
        return False
    pid, created, namespace, _ = mark[len(str(socket)) + 1 :].split(_SEPARATOR)
    if namespace != _pid_namespace():  # its pid means another process here, or none
        return False
    try:
        daemon = psutil.Process(int(pid))
        if daemon.status() == psutil.STATUS_ZOMBIE:  # nobody has waited for it: `llm chat`, a lazy pid 1
            return True
        return abs(daemon.create_time() - float(created)) > _CLOCK_STEP_SECONDS
    except psutil.NoSuchProcess:
        return True
