"""Which arguments of a command were given in confidence: what a telling name announces, and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_NAMES = "token|secret|passw|passphrase|key|auth|credential|cookie|bearer|session"
TELLING = re.compile(_NAMES, re.IGNORECASE)
# --token=x, API_KEY=x, Authorization: Bearer x
_ANNOUNCED = re.compile(
    rf"[\w-]*(?:{_NAMES})[\w-]*\s*[:=]\s*(?:(?:bearer|basic)\s)?(.+)", re.IGNORECASE | re.DOTALL
)
_LONG_RUN = re.compile(r"[A-Za-z0-9_-]{20,}")


def secret_args(args: Iterable[str]) -> Iterator[str]:
    """The secrets among the arguments of a command, without the names before them."""
    follows_telling = False
    for arg in args:
        if follows_telling and not arg.startswith("-"):
            yield arg
        elif announced := _ANNOUNCED.search(arg):
            yield announced[1].strip()
        else:
            yield from filter(_looks_random, _LONG_RUN.findall(arg))
        follows_telling = arg.startswith("-") and "=" not in arg and bool(TELLING.search(arg))


def holds_token(text: str) -> bool:
    return any(map(_looks_random, _LONG_RUN.findall(text)))


def _looks_random(run: str) -> bool:
    """Long, with digits among letters: more like a token than like a name."""
    return any(c.isdigit() for c in run) and any(c.isalpha() for c in run)
