"""JSON as everybody reads it. Python's own writes NaN and Infinity, which no other parser takes."""

from __future__ import annotations

import json
import math
from typing import Any


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
