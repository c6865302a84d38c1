"""A page to sign in at that a server prints while it starts, as mcp-remote does, and waits for."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://[^\s\"'<>|]+")
_WORDS = re.compile(
    r"authori[sz]|authenticat|oauth|log.?in\b|sign.?in\b|/device|verif|client_id=", re.IGNORECASE
)


class SignIn:
    """Fed with the lines of a server's log; `url` is the last page that it named, whole."""

    def __init__(self) -> None:
        self.url = ""
        self._is_announced = False

    def note(self, line: str) -> None:
        """The url may stand in the line that says what it is for, or in the one after it."""
        found = _URL.search(line)
        if found and (self._is_announced or _WORDS.search(line)):
            self.url = found[0].rstrip(".,;)")
        self._is_announced = not found and bool(_WORDS.search(line))
