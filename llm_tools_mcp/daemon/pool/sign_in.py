"""A page to sign in at that a server prints while it starts, as mcp-remote does, and waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from llm_tools_mcp import v1

from .calls import OnEvent

_URL = re.compile(r"https?://[^\s\"'<>|]+")
_WORDS = re.compile(
    r"authori[sz]|authenticat|oauth|log.?in\b|sign.?in\b|/device|verif|client_id=", re.IGNORECASE
)


class SignIn:
    """Fed with the lines of a server's log; `url` is the last page that it named, whole."""

    def __init__(self) -> None:
        self.url = ""
        self._is_announced = False
        self._waiting: list[OnEvent] = []

    def forget(self) -> None:
        """Another start begins."""
        self.url, self._is_announced = "", False

    def note(self, line: str) -> None:
        """The url may stand in the line that says what it is for, or in the one after it."""
        found = _URL.search(line)
        if found and (self._is_announced or _WORDS.search(line)):
            self._found(found[0].rstrip(".,;)"))
        self._is_announced = not found and bool(_WORDS.search(line))

    def _found(self, url: str) -> None:
        if url != self.url:
            self.url = url
            for on_event in self._waiting:
                on_event(_notice(url))

    @contextmanager
    def told_to(self, on_event: OnEvent) -> Iterator[None]:
        """Within, a caller waits for the start: it hears of the page, also of one that is known already."""
        self._waiting.append(on_event)
        try:
            if self.url:
                on_event(_notice(self.url))
            yield
        finally:
            self._waiting.remove(on_event)


def _notice(url: str) -> v1.LogMessage:
    """The url is on a line of its own: it is clicked or copied."""
    return v1.LogMessage(level="alert", text=f"it waits for you to sign in at:\n{url}")
