"""Runs programs and looks for processes that outlive a test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


# A program that takes the terminal for its own and becomes another one. Not `preexec_fn`: with it Popen
# forks, and grpc, which tests use in this process, breaks in the child (1.85: "epoll_wait error").
_TAKE = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), termios.TIOCSCTTY, 0)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


def on_terminal(terminal: str, argv: Sequence[str]) -> list[str]:
    """The command for a new session (`start_new_session`), with this terminal as its /dev/tty."""
    return [sys.executable, "-I", "-S", "-c", _TAKE, terminal, *argv]


@dataclass(frozen=True)
class Result:
    """How a command ended. `seconds` is its wall time."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    def __str__(self) -> str:
        return (
            f"{' '.join(self.argv)}\nexit code {self.code} after {self.seconds:.2f} s\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    input: str | None = None,  # noqa: A002 - as subprocess.run
    timeout: float = 60,
    check: bool = True,
) -> Result:
    """Run a command to its end. Fails when it exits non-zero (`check`) or does not end in `timeout` seconds.

    A command has ended when its output is closed too: a daemon that holds it open is a fault.
    """
    start = time.monotonic()
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    with subprocess.Popen(  # not subprocess.run: after a timeout it waits for the pipes without limit
        argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=cwd
    ) as child:
        try:
            stdout, stderr = child.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(_unfinished(child, argv, timeout)) from None
        except BaseException:
            child.kill()
            raise
    result = Result(tuple(argv), child.returncode, stdout, stderr, time.monotonic() - start)
    assert not check or result.code == 0, str(result)
    return result


def _unfinished(child: subprocess.Popen[str], argv: Sequence[str], timeout: float) -> str:
    state = "still runs" if child.poll() is None else "has ended, but something holds its output open,"
    child.kill()
    stdout = stderr = ""
    with suppress(subprocess.TimeoutExpired):
        stdout, stderr = child.communicate(timeout=2)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe:
            pipe.close()
    return f"{' '.join(argv)}\n{state} after {timeout:g} s\n--- stdout\n{stdout}\n--- stderr\n{stderr}"


def processes_with(*marks: str) -> list[psutil.Process]:
    """The processes that carry one of `marks` as the value of an environment variable or in an argument."""
    return [process for process in psutil.process_iter() if _carries(process, marks)]


def _carries(process: psutil.Process, marks: Sequence[str]) -> bool:
    """Asks psutil for no more than that, since each home's end looks at all processes twice."""
    try:
        return process.pid != os.getpid() and (
            not set(marks).isdisjoint(process.environ().values())
            or any(mark in argument for argument in process.cmdline() for mark in marks)
        )
    except GONE:  # also of a zombie, by its empty command line
        return False


def is_alive(process: psutil.Process) -> bool:
    """Whether it has not ended; a zombie has, which its parent has not looked after yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except GONE:
        return False


def describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} (parent {process.ppid()}): {' '.join(process.cmdline())}"
    except GONE:
        return f"{process.pid}: gone by now"


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes], timeout: float = 10) -> None:
    """End a process that the test started: ask, then kill."""
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout)
