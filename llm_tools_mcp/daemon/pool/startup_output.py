"""What a server says while it starts, for those who wait for it."""

from __future__ import annotations

from .sign_in import SignIn

# Characters of a line that an error quotes.
_QUOTED = 1000
# A silence is odd after so many times what somebody waits for a start, and never before so many seconds: a
# first start that downloads is silent, too.
_MUCH, _LEAST_SILENCE = 2.0, 5.0


class StartupOutput:
    """Of the latest start. `sign_in` finds the page that the server waits for somebody at."""

    def __init__(self) -> None:
        self.sign_in = SignIn()
        self._last_line = ""

    def forget(self) -> None:
        """Another start begins."""
        self.sign_in.forget()
        self._last_line = ""

    def note(self, line: str) -> None:
        """What the server has just written to its log."""
        self.sign_in.note(line)
        self._last_line = line

    def quoted(self) -> str:
        """As the end of a sentence; a page that it names is not cut."""
        line, url = self._last_line, self.sign_in.url
        quoted = line if len(line) <= _QUOTED else line[:_QUOTED] + "…"
        words = f"; its last line was: {quoted}" if line else ", and has not said a word"
        return words if not url or url in quoted else f"{words}; it names {url}"

    def silence(self, age: float, patience: float) -> str:
        """What is to be said where it began `age` seconds ago and has been silent for too long, if it has."""
        if self._last_line or age < max(_LEAST_SILENCE, _MUCH * patience):
            return ""
        return f"has not said a word since it was started {age:.0f} s ago: is it an MCP server?"
