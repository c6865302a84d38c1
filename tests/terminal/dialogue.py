"""A command in a terminal of its own, and a person who waits for prompts and types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.terminal import render
from tests.programs import on_terminal


@dataclass(frozen=True)
class Heard:
    """`screen` is what was left on it; `stdout` and `stderr` have what went elsewhere."""

    code: int
    raw: str
    stdout: str = ""
    stderr: str = ""

    @property
    def screen(self) -> str:
        return render(self.raw)


def converse(
    argv: Sequence[str],
    *steps: tuple[str, str],
    columns: int = 80,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    piped: bool = False,
    timeout: float = 40,
) -> Heard:
    """Run `argv` in a terminal. For each step: once the text stands there, type the other.

    With `piped` its stdin, stdout and stderr are pipes: only /dev/tty is the terminal.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    pipe = subprocess.PIPE
    streams = (
        {"stdin": pipe, "stdout": pipe, "stderr": pipe}
        if piped
        else {"stdin": slave, "stdout": slave, "stderr": slave}
    )

    with subprocess.Popen(
        on_terminal(os.ttyname(slave), argv), env=env, cwd=cwd, start_new_session=True, text=True, **streams
    ) as child:
        if child.stdin is not None:
            child.stdin.close()
        try:
            raw = _typed(master, child, list(steps), time.monotonic() + timeout)
            out = child.stdout.read() if child.stdout else ""
            err = child.stderr.read() if child.stderr else ""
            child.wait(10)
        finally:
            child.kill()
            os.close(slave)  # not before: without anybody who has it open its output is lost
            os.close(master)
    return Heard(child.returncode, raw, out, err)


def _typed(master: int, child: subprocess.Popen[str], steps: list[tuple[str, str]], deadline: float) -> str:
    written, start = "", 0
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.02)[0]:
            written += os.read(master, 65536).decode(errors="replace")
        elif child.poll() is not None:
            break
        while steps and (found := written.find(steps[0][0], start)) >= 0:
            start = found + len(steps[0][0])
            os.write(master, steps.pop(0)[1].encode())
    else:
        raise AssertionError(f"it waits for {steps[:1]} or goes on:\n{written}")
    if steps:
        raise AssertionError(f"never came: {steps}\n{written}\n{_rest(child)}")
    return written


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def _rest(child: subprocess.Popen[str]) -> str:
    return (child.stdout.read() if child.stdout else "") + (child.stderr.read() if child.stderr else "")
