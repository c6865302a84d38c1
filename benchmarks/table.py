"""Tables on the terminal: of targets, reached or missed, and of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One thing that was measured. `is_reached` is None where there is no target."""

    what: str
    measured: str
    target: str = ""
    is_reached: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "reached", False: "MISSED", None: ""}[self.is_reached]


def at_most(what: str, value: float, limit: float, text: str, shown_limit: str) -> Row:
    return Row(what, text, f"≤ {shown_limit}", value <= limit)


def at_least(what: str, value: float, limit: float, text: str, shown_limit: str) -> Row:
    return Row(what, text, f"≥ {shown_limit}", value >= limit)


def show_rows(title: str, rows: Sequence[Row]) -> None:
    show(title, ("", "measured", "target", ""), [(r.what, r.measured, r.target, r.verdict) for r in rows])


def show(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    print(f"\n## {title}\n")
    for line in [head, ["-" * width for width in widths], *lines]:
        print(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |",
            flush=True,
        )
