"""Runs a command in a pseudo-terminal, and says what a person sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.home import BIN, Home
from tests.programs import on_terminal
from tests.waiting import SOON

Then = bytes | int | Callable[[], object]

# CSI sequences, OSC ones, and the two-character ones.
_SEQUENCE = re.compile(r"\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\][^\x07]*\x07|\x1b[@-_]")


@dataclass(frozen=True)
class Seen:
    """`raw` is all that was written; `screen` what is left on the screen, without colours."""

    code: int
    raw: str

    @property
    def screen(self) -> str:
        return render(self.raw)


def run_in_terminal(
    home: Home,
    *args: str,
    program: str = "llm-mcp",
    columns: int = 100,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    when: Callable[[str], bool] | None = None,
    then: Then = signal.SIGINT,
    timeout: float = 90,
) -> Seen:
    """Run `program` with stdin, stdout and stderr on one terminal.

    Once `when` says so of what was written, `then` is done: a signal sent, bytes typed, a function called.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**home.env, "TERM": "xterm-256color", **(env or {})}
    argv = on_terminal(os.ttyname(slave), [str(BIN / program), *args])
    with subprocess.Popen(
        argv,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=cwd or home.work,
        start_new_session=True,
    ) as child:
        os.close(slave)
        try:
            raw = _converse(master, child, when, then, timeout)
        finally:
            child.kill()
            os.close(master)
    return Seen(child.returncode, raw)


def _converse(
    master: int,
    child: subprocess.Popen[bytes],
    when: Callable[[str], bool] | None,
    then: Then,
    timeout: float,
) -> str:
    """Read until the command has ended."""
    written, deadline = b"", time.monotonic() + timeout
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.05)[0]:
            try:
                written += os.read(master, 65536)
            except OSError:  # Linux: nobody has it open any more
                child.wait(SOON)
                return written.decode()
        elif child.poll() is not None:
            return written.decode()
        if when is not None and when(written.decode(errors="replace")):
            when = None
            _do(master, child, then)
    raise AssertionError(f"{child.args} still runs after {timeout:g} s:\n{written.decode(errors='replace')}")


def _do(master: int, child: subprocess.Popen[bytes], then: Then) -> None:
    if isinstance(then, bytes):
        os.write(master, then)
    elif callable(then):
        then()
    else:
        child.send_signal(then)


def render(raw: str) -> str:
    """What is left on a screen: lines, carriage returns, cursor up, erased lines."""
    lines: list[str] = [""]
    row = column = position = 0
    while position < len(raw):
        sequence = _SEQUENCE.match(raw, position)
        if sequence:
            row, column = _moved(lines, row, column, sequence)
            position = sequence.end()
            continue
        character = raw[position]
        position += 1
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _moved(lines: list[str], row: int, column: int, sequence: re.Match[str]) -> tuple[int, int]:
    count, kind = sequence[1] or "", sequence[2]
    if kind == "A":
        return max(0, row - int(count or 1)), column
    if kind == "K":
        lines[row] = "" if count == "2" else lines[row][:column]
    if kind == "J":
        lines[:] = [""] if count == "2" else [*lines[:row], lines[row][:column]]
    if kind == "H":
        return 0, 0
    return row, column


def terminal_lines(seen: Seen) -> Sequence[str]:
    return seen.screen.splitlines()
