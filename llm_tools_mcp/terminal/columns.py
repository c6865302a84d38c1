"""Which columns of a table a terminal has room for. A pipe gets them all."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from .screen import console, is_terminal, print_table

_GAP = 2
# The first column and WHERE are shortened to no less.
_NAME, _FOLDER = 20, 12

_Rows = Sequence[Mapping[str, str]]


def print_columns(rows: _Rows, dispensable: Sequence[str], styles: Mapping[str, str]) -> None:
    """A table of rows with the same titles; on a narrow terminal the `dispensable` ones go, the first first.

    The first column and WHERE are shortened before a column goes: rich would cut off what is on the right.
    """
    titles = list(rows[0])
    cells = [dict(row) for row in rows]
    if is_terminal():
        width = console().width
        titles = _fitting(titles, cells, dispensable, width)
        _shorten(titles, cells, width)
    lines = [[row[title] for title in titles] for row in cells]
    print_table(titles, lines, [styles.get(title, "") for title in titles])


def _fitting(titles: list[str], rows: _Rows, dispensable: Sequence[str], width: int) -> list[str]:
    for title in dispensable:
        if _least(titles, rows) <= width:
            break
        titles = [one for one in titles if one != title]
    return titles


def _least(titles: list[str], rows: _Rows) -> int:
    """The width that the table takes at least."""
    flexible = _flexible(titles)
    widths = (min(_width(title, rows), flexible.get(title, _width(title, rows))) for title in titles)
    return sum(widths) + _GAP * len(titles)


def _flexible(titles: list[str]) -> dict[str, int]:
    """What may be shortened, the first first, and to how much."""
    return {title: least for title, least in (("WHERE", _FOLDER), (titles[0], _NAME)) if title in titles}


def _width(title: str, rows: _Rows) -> int:
    return max(len(title.rstrip(">")), *(len(row[title]) for row in rows))


def _shorten(titles: list[str], rows: Sequence[dict[str, str]], width: int) -> None:
    too_much = sum(_width(title, rows) + _GAP for title in titles) - width
    for title, least in _flexible(titles).items():
        if too_much <= 0:
            return
        natural = _width(title, rows)
        room = max(min(natural, least), natural - too_much)
        too_much -= natural - room
        for row in rows:
            row[title] = _shortened(row[title], room, keep_end=title == "WHERE")


def _shortened(text: str, room: int, *, keep_end: bool) -> str:
    """The ends of folders tell them apart."""
    if len(text) <= room:
        return text
    mark = "…" if (sys.stdout.encoding or "").lower() == "utf-8" else "..."
    return mark + text[len(mark) - room :] if keep_end else text[: room - len(mark)] + mark
