"""What the JSON of strangers holds, as far as it can be used. Nothing here raises."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

_MOST_SECONDS = 1e10  # as a time since the epoch: the year 2286
_LONGEST_INT = 20  # digits
# Characters of a token, which may name groups without end; of a name in a list; and how many of these.
_LONGEST_TEXT, _LONGEST_NAME, _MOST_NAMES = 64 * 1024, 2048, 500


def integer(digits: str) -> float:
    """For a JSON parser: Python refuses to read very long ones, and all that came with them would be lost."""
    return int(digits) if len(digits) <= _LONGEST_INT else float(digits)


def text(found: dict[str, Any], key: str) -> str:
    """Empty where it is none, or holds what no request could carry: controls, halves of characters."""
    value = found.get(key)
    is_usable = isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()
    return str(value) if is_usable else ""


def texts(found: dict[str, Any], key: str) -> tuple[str, ...] | None:
    """Those of a list that can be used; None where it is no list."""
    value = found.get(key)
    if not isinstance(value, list):
        return None
    return _names(each for each in value if isinstance(each, str))


def words(found: dict[str, Any], key: str) -> tuple[str, ...] | None:
    """Each once, in their order; None where it is no text."""
    value = found.get(key)
    if not isinstance(value, str):
        return None
    return _names(dict.fromkeys(value.split()))


def _names(given: Iterable[str]) -> tuple[str, ...]:
    usable = (each for each in given if len(each) <= _LONGEST_NAME and each.isprintable())
    return tuple(islice(usable, _MOST_NAMES))


def seconds(value: object, most: float = _MOST_SECONDS) -> float | None:
    """A duration, or a time since the epoch; some servers write the number as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < most else None
