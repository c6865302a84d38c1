"""JSON as everybody reads it. Python's own has NaN and Infinity, too, which no other parser takes."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

# Characters of a number that a message repeats.
_SHOWN = 60


def dumps(value: Any, *, ensure_ascii: bool = True) -> str:
    """As json.dumps; what is no number, or too large for one (1e999), is null."""
    try:
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=ensure_ascii)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def loads(text: str) -> Any:
    """JSON as it is defined: no NaN, no number beyond all numbers. Raises ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse_number, parse_float=_finite_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:_SHOWN]} is not a JSON number")


def _finite_number(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _refuse_number(text)
