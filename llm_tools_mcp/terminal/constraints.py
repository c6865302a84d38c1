"""What a value of a form's field must be: bounds, formats, patterns. Each check says why, or nothing."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from llm_tools_mcp.text.matching import BadPattern, matching
from llm_tools_mcp.text.plain import plain

Schema = Mapping[str, Any]

# After these no further pattern of a form is begun.
_PATTERNS_SECONDS = 2.0
# Of a bound that is shown.
_MAX_DIGITS = 30
_EMAIL = re.compile(r"[^@\s]+@[^@\s.][^@\s]*")


def text_problem(schema: Schema, value: Any) -> str:
    """Without its pattern, which takes a process: see `unmatched`."""
    if not isinstance(value, str):
        return "a text is needed"
    if len(value) < _bound(schema, "minLength", 0):
        return f"it needs {between(schema, 'minLength', 'maxLength')} characters"
    if len(value) > _bound(schema, "maxLength", math.inf):
        return f"it needs {between(schema, 'minLength', 'maxLength')} characters"
    check = _FORMATS.get(str(schema.get("format")))
    return check(value) if check is not None else ""


def _bound(schema: Schema, word: str, otherwise: float) -> float:
    """An int stays one: it may be larger than any float, and is compared all the same."""
    value = schema.get(word)
    return value if _is_number(value) else otherwise


def unmatched(pairs: Iterable[tuple[Schema, Any]]) -> list[str]:
    """For each text why it does not match the `pattern` of its schema, or nothing.

    What cannot be told, or not in time for all, is for the server to judge.
    """
    end = time.monotonic() + _PATTERNS_SECONDS
    problems = []
    for schema, text in pairs:
        pattern = schema.get("pattern")
        is_tried = isinstance(pattern, str) and time.monotonic() < end
        is_match = not is_tried or _matches(str(pattern), text)
        problems.append("" if is_match else f"it has to match the pattern {plain(str(pattern))[:200]}")
    return problems


def _matches(pattern: str, text: str) -> bool:
    try:
        return bool(matching(pattern, [text]))
    except BadPattern:
        return True


def number_problem(schema: Schema, value: Any) -> str:
    if not _is_number(value):
        return "a number is needed"
    if schema.get("type") == "integer" and value != int(value):
        return "a whole number is needed"
    if value < _bound(schema, "minimum", -math.inf) or value <= _bound(schema, "exclusiveMinimum", -math.inf):
        return f"it has to be {in_range(schema)}"
    if value > _bound(schema, "maximum", math.inf) or value >= _bound(schema, "exclusiveMaximum", math.inf):
        return f"it has to be {in_range(schema)}"
    return ""


def choices_problem(schema: Schema, known: Collection[str], value: Any) -> str:
    if not isinstance(value, list) or not all(isinstance(one, str) and one in known for one in value):
        return "it holds what is no choice"
    if len(value) < _bound(schema, "minItems", 0):
        return f"choose {between(schema, 'minItems', 'maxItems')}"
    if len(value) > _bound(schema, "maxItems", math.inf):
        return f"choose {between(schema, 'minItems', 'maxItems')}"
    return ""


def _email(text: str) -> str:
    return "" if _EMAIL.fullmatch(text) else "an e-mail address is needed, such as ada@example.org"


def _uri(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    is_one = bool(parts.scheme and (parts.netloc or parts.path)) and not re.search(r"\s", text)
    return "" if is_one else "a whole address is needed, such as https://example.org/page"


def _date(text: str) -> str:
    try:
        is_one = bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text)) and bool(date.fromisoformat(text))
    except ValueError:
        is_one = False
    return "" if is_one else "a date is needed, such as 2026-12-31"


def _date_time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        is_one = moment.tzinfo is not None and bool(re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d", text))
    except ValueError:
        is_one = False
    return "" if is_one else "a moment is needed with its zone, such as 2026-12-31T18:30:00+01:00"


_FORMATS: dict[str, Callable[[str], str]] = {
    "email": _email,
    "uri": _uri,
    "date": _date,
    "date-time": _date_time,
}


def in_range(schema: Schema) -> str:
    """The bounds of a number, in words."""
    low, high = _shown(schema, "minimum"), _shown(schema, "maximum")
    if low and high:
        return f"{low} to {high}"
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return " and ".join(f"{text} {bound}" for word, text in words.items() if (bound := _shown(schema, word)))


def between(schema: Schema, least: str, most: str) -> str:
    """How many, in words: `2 to 10`."""
    low, high = _shown(schema, least), _shown(schema, most)
    if low and high:
        return f"{low} to {high}" if low != high else low
    return f"at least {low}" if low else f"at most {high}" if high else ""


def _shown(schema: Schema, word: str) -> str:
    """A bound, if there is one."""
    value = schema.get(word)
    text = str(value) if _is_number(value) else ""
    return text if len(text) <= _MAX_DIGITS else f"{text[:_MAX_DIGITS]}... ({len(text)} digits)"


def _is_number(value: object) -> TypeGuard[float]:
    """No infinity, which JSON has as 1e999."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
