"""What servers say is untrusted: here it loses what forges journal lines and tells secrets; see `plain`."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from llm_tools_mcp.text.plain import plain

# sd-daemon(3): a line that starts with <N> sets its own priority in the journal.
_FORGED_PRIORITY = re.compile(r"^(?:<\d{1,3}>)+")

MAX_LINE = 4096  # characters
_REDACTED = "[redacted]"
# Shorter values are words like "true" or "1" that a message must be able to say.
_MIN_SECRET = 6


def clean_line(text: str) -> str:
    """One line of a log: plain, without line breaks or a forged priority, and bounded."""
    line = " ".join(plain(text).split("\n")).strip()
    line = "".join(" " if unicodedata.category(c) in ("Zl", "Zp") else c for c in line[: MAX_LINE + 1])
    line = _FORGED_PRIORITY.sub("", line).lstrip()
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…"


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """What takes the secrets that a server was given out of a text, should it repeat them.

    A secret of several lines is found line by line too, as logs show it.
    """
    shapes = {shape for secret in secrets for shape in _shapes(secret) if len(shape) >= _MIN_SECRET}
    if not shapes:
        return str
    pattern = re.compile("|".join(map(re.escape, sorted(shapes, key=len, reverse=True))))
    return lambda text: pattern.sub(_REDACTED, text)


def _shapes(secret: str) -> Iterator[str]:
    for part in (secret, *secret.splitlines()):
        part = part.strip()  # noqa: PLW2901
        yield from (part, json.dumps(part)[1:-1], repr(part)[1:-1], quote(part, safe=""), quote(part))
