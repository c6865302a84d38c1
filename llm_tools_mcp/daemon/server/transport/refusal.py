"""What an HTTP server says that refuses a request: in the words of people, and those that a login needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from llm_tools_mcp.config.definition import public_url
from llm_tools_mcp.login.challenge import parameters

# Where APIs put their reason, the more telling ones first.
_KEYS = ("error_description", "detail", "message", "error", "title", "reason", "msg")
# In a page of HTML; else its first text. What is not closed goes to the end of the page, and no tag holds
# another's beginning: else each of many would be looked for a second time as far as that.
_HEADLINE = re.compile(r"<(title|h1)\b[^<>]*>(.*?)(?:</\1|\Z)", re.IGNORECASE | re.DOTALL)
_NO_TEXT = re.compile(r"<(script|style)\b.*?(?:</\1\b[^<>]*>|\Z)|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_LONGEST = 300  # characters
_SECONDS = re.compile(r"[0-9]{1,9}")
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT")
# Bytes of a body that are looked at.
MAX_REFUSAL = 64 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of HTTP that is none of MCP.

    `challenge` has the parameters of WWW-Authenticate (RFC 6750: error, error_description, scope; RFC 9728:
    resource_metadata); it is None where the server sent no such header.
    """

    status: int
    words: str = ""
    is_page: bool = False  # HTML: a gateway's, or a web site's
    challenge: Mapping[str, str] | None = field(default=None)
    location: str = field(default="", repr=False)  # of a redirect, as the server wrote it
    patience: str = ""  # how long it wants to be left alone

    def text(self, target: str) -> str:
        if self.status in range(300, 400):
            place = self._place(target)
            what = f"{target} redirects to {place or 'another place'} (HTTP {self.status})"
            if_right = "; if that is the server, its `url` in the config should say so" if place else ""
            return f"{what}, where a call is not sent on, nor headers to another origin{if_right}"
        what = f"{target} answered HTTP {self.status}"
        what += " without a result" if self.status < 400 else ""
        wish = f"; it asks to wait {self.patience}" if self.patience else ""
        return (f"{what}: {self.words}" if self.words else what) + wish + self._hint()

    def _place(self, target: str) -> str:
        try:
            return public_url(urljoin(target, self.location)) if self.location else ""
        except ValueError:  # it is no url
            return ""

    def _hint(self) -> str:
        if self.status not in (401, 403):
            return ""
        metadata = (self.challenge or {}).get("resource_metadata")
        wanted = f"; it wants a login (see {metadata})" if metadata else ""
        return f"{wanted}; check its `headers` in the config"


def refusal_of(
    status: int, headers: Mapping[str, str], body: bytes, redacted: Callable[[str], str] = str
) -> Refusal:
    """`redacted` takes out secrets: of one that was cut in two it would not know the halves."""
    text = body[:MAX_REFUSAL].decode("utf-8", "replace").strip()
    header = headers.get("www-authenticate")
    challenge = None if header is None else parameters(header)
    is_page = "html" in headers.get("content-type", "").lower() or text.startswith("<")
    said = (challenge or {}).get("error_description", "")
    lines = map(redacted, map(_line, _candidates(text, said, is_page=is_page)))
    words = _shortened(next(filter(None, lines), ""))
    patience = _patience(headers.get("retry-after", "").strip()) if status >= 400 else ""
    return Refusal(status, words, is_page, challenge, headers.get("location", ""), patience)


def _patience(written: str) -> str:
    """Of Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    if _SECONDS.fullmatch(written):
        return f"{written} s"
    return f"until {written}" if _DATE.fullmatch(written) else ""


def _candidates(text: str, said: str, *, is_page: bool) -> Iterator[str]:
    yield said
    if is_page:
        headline = _HEADLINE.search(text)
        yield headline[2] if headline else ""
        yield _NO_TEXT.sub("\n", text)
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield text
    else:
        yield _reason(value)
        yield text if value not in ({}, [], None, "") else ""


def _reason(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next(filter(None, map(_reason, value[:3])), "")
    if not isinstance(value, dict):
        return ""
    return next(filter(None, (_reason(value[key]) for key in _KEYS if key in value)), "")


def _line(text: str) -> str:
    """The first that says something."""
    return next(filter(None, map(str.strip, text.splitlines())), "")


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
