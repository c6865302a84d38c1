"""Shows something on a terminal again and again, in place. In a pipe, one below the other."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

import click

from llm_tools_mcp.errors import McpError

from .screen import console, counted

# The terminal's second screen, without a cursor; and back. What was on the first one comes back, too.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
# Each line is drawn over the one that was there: clearing first would flicker.
_HOME, _ERASE_LINE, _ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class _Page(io.StringIO):
    """Takes what is written for the terminal."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.__stdout__.encoding if sys.__stdout__ else "utf-8"

    def isatty(self) -> bool:
        return True


def show_again_and_again(show: Callable[[], object], seconds: float) -> None:
    """Until Ctrl-C. An error is shown like the rest: what is watched may come back."""
    is_screen = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    try:
        if is_screen:
            with _second_screen():
                _repeat(lambda: _draw(show), seconds)
        else:
            _repeat(lambda: _append(show), seconds)
    except KeyboardInterrupt:
        return


def _repeat(step: Callable[[], None], seconds: float) -> None:
    while True:
        step()
        time.sleep(seconds)


@contextmanager
def _second_screen() -> Iterator[None]:
    _write(_ENTER)
    try:
        yield
    finally:
        _write(_LEAVE)


def _append(show: Callable[[], object]) -> None:
    _show_or_say(show)
    click.echo()
    sys.stdout.flush()


def _draw(show: Callable[[], object]) -> None:
    page = _Page()
    with redirect_stdout(page):
        _show_or_say(show)
    lines = _wrapped(page.getvalue()).splitlines()
    room = shutil.get_terminal_size().lines - 1  # the last one holds the cursor
    if len(lines) > room:
        lines = [*lines[: room - 1], f"({counted(len(lines) - room + 1, 'more line')})"]
    _write(_HOME + "".join(f"{line}{_ERASE_LINE}\n" for line in lines) + _ERASE_BELOW)


def _wrapped(text: str) -> str:
    """Lines as the terminal would break them, so that they can be counted."""
    from rich.cells import chop_cells
    from rich.text import Text

    screen = console()
    with screen.capture() as captured:
        for line in Text.from_ansi(text.rstrip("\n")).split("\n", allow_blank=True):
            pieces = [len(piece) for piece in chop_cells(line.plain, screen.width)]
            for piece in line.divide(itertools.accumulate(pieces[:-1])):
                screen.print(piece, soft_wrap=True)
    return captured.get()


def _show_or_say(show: Callable[[], object]) -> None:
    try:
        show()
    except McpError as error:
        click.echo(str(error))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
