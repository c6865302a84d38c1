"""Server-sent events as they are read: of one that nobody has asked for only the beginning is kept.

The parser holds an event whole before anybody can look at it, and a result may have 256 MB.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from .charset import UTF_8, charset_of
from .messages import MAX_UNASKED
from .prescan import has_method

if TYPE_CHECKING:
    import httpx2

# Characters from which on an event is looked at: its data alone is longer than what is let through.
_LONG = MAX_UNASKED + 1024
# Characters of an event in which its method stands, if it has one.
_HEAD = 4096
# Of its end.
_TAIL = 64
_DATA = re.compile(r"^data: ?(.*)$", re.MULTILINE)


class SievedResponse:
    """A response as the parser of events sees it."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    @property
    def headers(self) -> httpx2.Headers:
        return self._response.headers

    @property
    def request(self) -> httpx2.Request:
        return self._response.request

    async def aiter_text(self) -> AsyncIterator[str]:
        sieve, charset = Sieve(), charset_of(self._response)
        # A stream is UTF-8 by its definition; some servlets name another one, and mean it.
        self._response.encoding = UTF_8 if charset.startswith("utf") else charset
        async for text in self._response.aiter_text():
            yield sieve.passed(text)
        yield sieve.ended()


class Sieve:
    """What is cut off is no JSON any more: whoever reads messages says that this one is skipped."""

    def __init__(self) -> None:
        self._ends_with_cr = False
        self._begin_event()
        self._is_line_empty = self._is_first = True
        self._is_bare = False  # JSON alone, whatever its type says
        self._last = ""

    def _begin_event(self) -> None:
        self._size, self._head = 0, ""
        self._is_skipped = self._is_asked_for = False

    def passed(self, text: str) -> str:
        """Of the next piece of the stream what the parser shall see, its lines ended by LF."""
        if not text:
            return ""
        self._last = (self._last + text)[-_TAIL:]
        if self._is_first:
            self._is_first, text = False, text.removeprefix("\ufeff")  # as the specification has it
            self._is_bare = text.lstrip().startswith("{")
            text = f"data: {text.lstrip()}" if self._is_bare else text
        rest_of_end = self._ends_with_cr and text.startswith("\n")  # CR LF, in two pieces
        self._ends_with_cr = text.endswith("\r")
        text = text[rest_of_end:].replace("\r\n", "\n").replace("\r", "\n")
        if self._is_bare:
            text = text.replace("\n", " ")
        *lines, rest = text.split("\n")
        return "".join([self._line(line) for line in lines]) + self._part(rest)

    def ended(self) -> str:
        """The stream is over: what ends as an object does is whole, though it lacks its blank line."""
        is_whole = self._size and not self._is_skipped and self._last.rstrip().endswith("}")
        return "\n\n" if is_whole else ""

    def _line(self, end: str) -> str:
        """A line of which this is the end."""
        if self._is_line_empty and not end:
            end_of_event = "\n\n" if self._is_skipped else "\n"  # the line that was cut ends, too
            self._begin_event()
            return end_of_event
        passed = self._part(f"{end}\n")
        self._is_line_empty = True
        return passed

    def _part(self, text: str) -> str:
        self._is_line_empty = self._is_line_empty and not text
        self._size += len(text)
        self._head += text[: _HEAD - len(self._head)]
        if self._is_skipped:
            return ""
        if self._size > _LONG and not self._is_asked_for:
            data = "\n".join(_DATA.findall(self._head))
            self._is_skipped = has_method(data.encode("utf-8", "replace"))
            self._is_asked_for = not self._is_skipped
        return text


def sieved(response: httpx2.Response) -> Any:
    """The same response for `EventSource`, which takes it by its attributes."""
    return SievedResponse(response)
