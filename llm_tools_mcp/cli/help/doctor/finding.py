"""What `doctor` says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, BAD = "ok", "note", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and how it is. `repair` is what to type, a command a line."""

    level: str
    text: str
    repair: str = ""
