"""What a server writes to stderr only because it was asked for an era that it does not know.

mcp for Python up to 1.8.1 hangs at such a request, and ends with a traceback of a hundred lines; later ones
write dozens of lines, and answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# The line that tells; in a group of exceptions it stands deep inside.
_TELLS = re.compile(r"validation errors? for ClientRequest")
_GOES_ON = re.compile(r"\s|[A-Z]\w*(\.[\w-]+)+\s*$|.*\bthat failed validation\b")
# What may lead to it, and is held until that shows.
_TRACE_BEGINS = re.compile(r"\s*(\+ Exception Group )?Traceback \(most recent call last\)")
_TRACE_GOES_ON = re.compile(r"\s")
_MOST_HELD = 500  # lines


class ProbeNoise:
    """What was held and is none of it goes to `said`, a line at a time."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self._held: list[str] = []
        self._is_over = self._is_within = False

    def has(self, line: str) -> bool:
        """Whether the line is to be kept from the log, for good or until it shows what it belongs to."""
        if self._is_over:
            return False
        if _TELLS.search(line):
            self._held.clear()
            self._is_within = True
            return True
        self._is_within = self._is_within and bool(_GOES_ON.match(line))
        return self._is_within or self._is_held(line)

    def _is_held(self, line: str) -> bool:
        pattern = _TRACE_GOES_ON if self._held else _TRACE_BEGINS
        if pattern.match(line) and len(self._held) < _MOST_HELD:
            self._held.append(line)
            return True
        self.give_back()
        return False

    def give_back(self) -> None:
        """What is held belongs to something else."""
        held, self._held = self._held, []
        was_over, self._is_over = self._is_over, True
        for line in held:
            self._said(line)
        self._is_over = was_over

    def end(self) -> None:
        self._is_over = True
        self.give_back()
