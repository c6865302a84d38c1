"""Texts of others without the secrets that they were given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

_REDACTED = "[redacted]"
# Shorter values are words like "true" or "1" that a message must be able to say.
_MIN_SECRET = 6


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
