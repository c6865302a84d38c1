"""How things look: JSON, sizes, times, tables. On a terminal rich draws, and is imported only then; in a
pipe columns are plain text that `awk` and `cut` can take.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

# Columns are shortened to no less.
_MIN_WIDTH = 20


def print_json(value: Any) -> None:
    """For programs: the same keys whether or not there is something to say."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which only an escape sequence can say
        text = json.dumps(value, indent=2)
    click.echo(text)


def is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed by who started us


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    return is_terminal() and sys.stdin is not None and sys.stdin.isatty()


def read_stdin() -> str:
    """All that comes on stdin; nothing where it is closed."""
    return sys.stdin.read() if sys.stdin is not None else ""


def clean_line(text: str) -> str:
    return " ".join(plain(text).split())


def one_line(text: str) -> str:
    """Several lines as one: `a; b`; under a heading of ours, `2 errors: a; b`."""
    lines = [clean_line(line) for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and re.fullmatch(r"\d+ errors", lines[0]):
        return f"{lines[0]}: {'; '.join(lines[1:])}"
    return "; ".join(lines)


def console(*, stderr: bool = False) -> Console:
    """rich's: knows the width, and terminals without UTF-8."""
    from rich.console import Console

    # Without colours rich would still draw bold and dim.
    color_system: Literal["auto"] | None = "auto" if is_colourful() else None
    return Console(stderr=stderr, color_system=color_system, highlight=False, emoji=False, markup=False)


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
    """Columns under titles. `styles` are rich's, a column each; a title that ends with > is of numbers."""
    if is_terminal():
        _draw_table(titles, rows, styles)
        return
    names = [title.rstrip(">") for title in titles]
    widths = [max(len(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    for row in [names, *rows]:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw_table(titles: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(titles):
        style = styles[index] if index < len(styles) else ""
        justify: Literal["left", "right"] = "right" if title.endswith(">") else "left"
        # rich would shorten all columns alike, and the numbers first to nothing.
        width = max(len(cell) for cell in (title.rstrip(">"), *(row[index] for row in rows)))
        table.add_column(
            title.rstrip(">"),
            style=style,
            justify=justify,
            min_width=min(width, _MIN_WIDTH),
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(cell, style=_STATE_STYLES.get(cell, "")) for cell in row))
    console().print(table)


def print_remarks(remarks: Iterable[tuple[str, str]]) -> None:
    """Under a table, what would not fit into it: `name: text`, for those that have one."""
    lines = [f"{styled(clean_line(name), bold=True)}: {one_line(text)}" for name, text in remarks if text]
    if lines:
        click.echo("\n" + "\n".join(lines))


_STATE_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "backing off": "red",
    "failed": "red",
    "needs login": "yellow",
    "stopped": "dim",
    "disabled": "dim",
}


def styled(text: str, **style: Any) -> str:
    """Colours of click, on terminals only."""
    return click.style(text, **style) if is_terminal() and is_colourful() else text


def is_colourful() -> bool:
    """Whether escape sequences are wanted; bold and dim are some, too."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def duration(seconds: float) -> str:
    """A time span for people: `0.4 s`, `12 s`, `5 min`, `3 h 10 min`, `2 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds) // 60
    hours = minutes // 60
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def latency(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def counted(count: int, what: str) -> str:
    """`1 line`, `2 lines`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Bytes for people: `0 B`, `12 KB`, `34 MB`, `1.2 GB`."""
    if count >= 2**30:
        return f"{count / 2**30:.1f} GB"
    if count >= 2**20:
        return f"{count / 2**20:.0f} MB"
    return f"{count / 2**10:.0f} KB" if count >= 2**10 else f"{count} B"
