"""The terminal of whoever prompts, as something to ask on: also where stdin is a pipe and stdout a file.

Lines are edited by the terminal itself. One question at a time: threads wait for each other, and so do
programs that share a terminal.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import sys
import termios
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import click

from llm_tools_mcp.text.plain import plain

from .screen import counted, is_colourful

_PATH = "/dev/tty"
# Linux: which device /dev/tty stands for (asm-generic/ioctls.h; Python has no name for it).
_TIOCGDEV = 0x80045432
# Seconds between two looks at a lock that others hold.
_POLL = 0.1
_MIN_WIDTH, _MAX_WIDTH = 40, 100
# In front of each line that is not ours: a server must not be able to speak in our voice.
_MARGIN = "  | "

# Enter is a carriage return where a program (`llm … | less`) has taken the terminal's line editing away.
_LINE_END = re.compile(rb"[\r\n]")

_one_at_a_time = threading.Lock()


class NoTerminal(Exception):
    """Nobody can be asked; the text says why."""


class Gone(Exception):
    """The question was withdrawn while it was asked; the text says why."""


class EndOfInput(Exception):
    """Ctrl-D, or the terminal has gone: no answer."""


class Withdrawal(Protocol):
    """As client.asking's: readable once nobody waits for the answer any more."""

    reason: str

    def fileno(self) -> int: ...


class Tty:
    """A terminal that is ours for the moment. What is printed is cleaned by whoever prints it."""

    def __init__(self, descriptor: int, withdrawal: Withdrawal | None) -> None:
        self.descriptor = descriptor
        self._withdrawal = withdrawal
        self._rest = b""

    @property
    def width(self) -> int:
        try:
            columns = os.get_terminal_size(self.descriptor).columns
        except OSError:
            columns = 80
        return max(_MIN_WIDTH, min(columns, _MAX_WIDTH))

    def print(self, text: str = "", **style: bool) -> None:
        """A line of ours."""
        self._write(self._styled(text, **style) + "\n")

    def quote(self, text: str, most: int = 40, *, is_list: bool = False) -> int:
        """A text of somebody else's: cleaned, behind a margin. How many lines beyond `most` are left out.

        `is_list`: each line means something by itself, and none may be forged by a long one.
        """
        paragraphs = plain(text).expandtabs(4).splitlines()
        lines = [line for paragraph in paragraphs for line in self._wrapped(paragraph, is_list=is_list)]
        for line in lines[:most]:
            self.print(_MARGIN + line)
        if len(lines) > most:
            self.print(f"{_MARGIN}({counted(len(lines) - most, 'more line')})")
        return max(0, len(lines) - most)

    def _wrapped(self, paragraph: str, *, is_list: bool) -> list[str]:
        """What goes on below stands further in: it must not pass for a line of its own."""
        indent = " " * min(20, len(paragraph) - len(paragraph.lstrip()))
        more = f"{indent}      " if is_list else f"{indent}  " if indent else ""
        return textwrap.wrap(paragraph, self.width - len(_MARGIN), subsequent_indent=more) or [""]

    def ask(self, prompt: str) -> str:
        """A line that is typed, without the spaces around it. Raises EndOfInput, Gone."""
        self._write(prompt)
        line = self._line()
        if line is None:
            self._write("\n")
            raise EndOfInput
        return line.decode("utf-8", "replace").strip()

    def ask_secret(self, prompt: str) -> str:
        """The same, where what is typed is not shown. Raises EndOfInput, Gone."""
        try:
            before = termios.tcgetattr(self.descriptor)
        except termios.error as error:  # it has hung up
            raise EndOfInput from error
        hidden = [*before]
        hidden[3] &= ~termios.ECHO
        hidden[3] |= termios.ECHONL
        try:
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, hidden)
            return self.ask(prompt)
        finally:
            with suppress(termios.error):
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, before)

    def forget_input(self) -> None:
        """What was typed before the question came is no answer to it.

        Read, not only flushed: where the input has ended (`script` with an empty stdin) nobody types, and the
        end is told once. Raises NoTerminal then.
        """
        self._rest = b""
        while select.select([self.descriptor], [], [], 0)[0]:
            try:
                data = os.read(self.descriptor, 4096)
            except OSError:  # it has hung up
                data = b""
            if not data:
                raise NoTerminal("the input of the terminal has ended")
        with suppress(termios.error):  # and half a line, which cannot be read yet
            termios.tcflush(self.descriptor, termios.TCIFLUSH)

    def check(self) -> None:
        """Raises Gone once the question is withdrawn."""
        if self._withdrawal is not None and self._withdrawal.reason:
            raise Gone(self._withdrawal.reason)

    def _line(self) -> bytes | None:
        while not (end := _LINE_END.search(self._rest)):
            self._wait()
            try:
                data = os.read(self.descriptor, 4096)
            except OSError:  # it has hung up
                return None
            if not data:
                return None
            self._rest += data
        line, self._rest = self._rest[: end.start()], self._rest[end.end() :]
        return line

    def _wait(self) -> None:
        while True:
            self.check()
            sources = [self.descriptor]
            if self._withdrawal is not None:
                sources.append(self._withdrawal.fileno())
            if self.descriptor in select.select(sources, [], [])[0]:
                return

    def _styled(self, text: str, **style: bool) -> str:
        return click.style(text, **style) if style and is_colourful() else text

    def _write(self, text: str) -> None:
        encoding = (sys.stderr.encoding if sys.stderr is not None else None) or "utf-8"
        data = memoryview(text.encode(encoding, "replace"))
        while data:
            try:
                data = data[os.write(self.descriptor, data) :]
            except OSError as error:  # it has hung up
                raise EndOfInput from error


@contextmanager
def terminal(withdrawal: Withdrawal | None = None) -> Iterator[Tty]:
    """The terminal, once nobody else asks on it. Raises NoTerminal, Gone."""
    descriptor = _opened()
    try:
        tty = Tty(descriptor, withdrawal)
        with _alone(tty):
            _check_foreground(descriptor)
            tty.forget_input()
            yield tty
    finally:
        os.close(descriptor)


def _opened() -> int:
    try:
        descriptor = os.open(_PATH, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise NoTerminal("there is no terminal to ask on") from None
    try:
        _check_foreground(descriptor)
    except NoTerminal:
        os.close(descriptor)
        raise
    return descriptor


def _check_foreground(descriptor: int) -> None:
    """A background job that reads from its terminal is stopped, for as long as nobody brings it back."""
    try:
        is_ours = os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        raise NoTerminal("the terminal has gone") from None
    if not is_ours:
        raise NoTerminal("it runs in the background, where nobody can be asked")


@contextmanager
def _alone(tty: Tty) -> Iterator[None]:
    while not _one_at_a_time.acquire(timeout=_POLL):
        tty.check()
    try:
        with _locked(tty):
            yield
    finally:
        _one_at_a_time.release()


@contextmanager
def _locked(tty: Tty) -> Iterator[None]:
    """Programs of one terminal (`llm … | llm …`) wait for each other, where its device can be found."""
    device = _device(tty.descriptor)
    if device is None:
        yield
        return
    try:
        while not _try_lock(device):
            tty.check()
            time.sleep(_POLL)
        yield
    finally:
        os.close(device)


def _device(descriptor: int) -> int | None:
    """/dev/tty is a name that all terminals share: a lock on it would be everybody's."""
    for name in _names(descriptor):
        if name == _PATH:  # of a stream that was closed, whose number is the terminal's now
            continue
        try:
            return os.open(name, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
    return None


def _names(descriptor: int) -> Iterator[str]:
    """Of the terminal: by a stream that is one, else (Linux) by the number that the kernel has for it."""
    for stream in (2, 1, 0):
        with suppress(OSError):
            yield os.ttyname(stream)
    with suppress(OSError):
        (device,) = struct.unpack("I", fcntl.ioctl(descriptor, _TIOCGDEV, bytes(4)))
        name = f"/dev/pts/{os.minor(device)}"
        if os.stat(name).st_rdev == device:  # noqa: PTH116 - beside os.open
            yield name


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
