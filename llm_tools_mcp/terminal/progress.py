"""What a person sees of work that takes long: on stderr, once it has lasted a moment, and gone when done.

Nothing is drawn where stderr is no terminal or LLM_MCP_QUIET is set. Warnings of servers are printed anyway.
rich is imported only when something is drawn.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET = "LLM_MCP_QUIET"

# Seconds that work may take before it is shown.
_PATIENCE = 1.0
# RFC 5424, from `warning` up.
_WORTH_SHOWING = frozenset({"warning", "error", "critical", "alert", "emergency"})

OnEvent = Callable[["v1.Progress | v1.LogMessage"], None]
OnAnswer = Callable[["v1.ServerTools"], None]


class Display:
    """Lines at the bottom of the terminal, one for each thing that is waited for. May be used by threads."""

    def __init__(self) -> None:
        self.is_on = sys.stderr.isatty() and not os.environ.get(QUIET)
        self._lock = threading.RLock()
        self._drawn: Progress | None = None
        self._lines = 0
        self._pauses = 0
        self._is_after_text = False
        self._held_back: list[str] = []

    @contextmanager
    def listing(self) -> Iterator[OnAnswer]:
        """While servers are asked for their tools: says which ones are waited for."""
        pending: dict[str, None] = {}
        with self._line("waiting for MCP servers") as line:

            def note(answer: v1.ServerTools) -> None:
                if answer.sign_in_url:  # whole, on a line of its own: it is clicked or copied
                    self.print(f"{answer.server!r} waits for you to sign in at:")
                    self.print(answer.sign_in_url)
                if answer.state == v1.ServerTools.STARTING:
                    pending[answer.server] = None
                else:
                    pending.pop(answer.server, None)
                line.describe(f"waiting for MCP servers: {', '.join(pending)}")

            yield note

    @contextmanager
    def call(self, server: str, tool: str) -> Iterator[OnEvent]:
        """While a tool runs: its progress, and what its server warns of."""
        with self._line(f"{server}: {tool}") as line:

            def note(event: v1.Progress | v1.LogMessage) -> None:
                if isinstance(event, v1.Progress):
                    line.advance(event)
                elif event.level in _WORTH_SHOWING:
                    self.print(f"{server}: {event.level}: {event.text}")

            yield note

    def note_text(self) -> None:
        """The model may have written on the same screen, and left the line unfinished."""
        is_shared = sys.stderr.isatty() and sys.stdout is not None and sys.stdout.isatty()
        self._is_after_text = is_shared and os.environ.get("TERM", "dumb") != "dumb"

    def _leave_line(self) -> None:
        """Also before rich draws, which would wipe out what stands there.

        As zsh does it: so many spaces lead from the middle of a line into the next one, and from its
        beginning nowhere. Where the cursor is, nobody could say.
        """
        if self._is_after_text:
            self._is_after_text = False
            spaces = " " * (shutil.get_terminal_size().columns - 1)
            print(spaces, end="\r", file=sys.stderr, flush=True)  # noqa: T201 - to a person

    def print(self, text: str) -> None:
        """A line that stays, above those that are drawn."""
        text = plain(text)
        with self._lock:
            if self._pauses:
                self._held_back.append(text)
            elif self._drawn is not None:
                self._drawn.console.print(text, soft_wrap=True)
            else:
                self._leave_line()
                print(text, file=sys.stderr, flush=True)  # noqa: T201 - to a person

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is drawn or printed within: a person is asked on the same terminal."""
        with self._lock:
            self._pauses += 1
            self._is_after_text = False
            if self._drawn is not None:
                self._drawn.stop()
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if not self._pauses:
                    self._resume()

    def _resume(self) -> None:
        held_back, self._held_back = self._held_back, []
        for text in held_back:
            self.print(text)
        if self._drawn is not None:
            self._drawn.start()

    @contextmanager
    def _line(self, description: str) -> Iterator[_Line]:
        line = _Line(self, description)
        if not self.is_on:
            yield line
            return
        timer = threading.Timer(_PATIENCE, line.draw)
        timer.daemon = True
        timer.start()
        try:
            yield line
        finally:
            timer.cancel()
            line.close()

    # --- what the lines need ------------------------------------------------------------------------

    def _begin(self, description: str) -> tuple[Progress, TaskID]:
        with self._lock:
            if self._drawn is None:
                self._leave_line()
                self._drawn = _progress()
                if not self._pauses:
                    self._drawn.start()
            self._lines += 1
            return self._drawn, self._drawn.add_task(description, total=None, note="")

    def _end(self, task: TaskID) -> None:
        with self._lock:
            if self._drawn is None:
                return
            self._drawn.remove_task(task)
            self._lines -= 1
            if self._lines == 0:
                self._drawn.stop()
                self._drawn = None


class _Line:
    """One thing that is waited for; drawn by a timer, closed by whoever waits."""

    def __init__(self, display: Display, description: str) -> None:
        self._display = display
        self._description = _on_one_line(description)
        self._values: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._task: tuple[Progress, TaskID] | None = None
        self._closed = False

    def draw(self) -> None:
        with self._lock:
            if not self._closed:
                self._task = self._display._begin(self._description)  # noqa: SLF001 - two halves of one
                self._update()

    def describe(self, description: str) -> None:
        with self._lock:
            self._description = _on_one_line(description)
            self._update()

    def advance(self, event: v1.Progress) -> None:
        with self._lock:
            self._values = {"completed": event.progress, "total": event.total or None, "note": event.message}
            self._update()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._task is not None:
                self._display._end(self._task[1])  # noqa: SLF001 - two halves of one

    def _update(self) -> None:
        if self._task is not None:
            progress, task = self._task
            progress.update(task, description=self._description, **self._values)


def _on_one_line(text: str) -> str:
    return " ".join(plain(text).split())


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    wide, narrow = (Column(no_wrap=True, overflow="ellipsis", ratio=ratio) for ratio in (3, 2))
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=wide),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[note]}", style="dim", markup=False, table_column=narrow),
        TimeElapsedColumn(),
        console=Console(stderr=True, highlight=False, markup=False, emoji=False),
        transient=True,
        expand=True,
    )
