"""Whether a result's structured content says more than its text, which is to say the same for older clients.

Servers write both for one result: as the same JSON, the same values one by one, or a summary and the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

# Values that are looked for in the text, and characters of it: each look costs the whole of it.
_MAX_VALUES, _MAX_TEXT = 500, 200_000
# A text that is so much shorter than the data cannot say the same.
_SHARE = 0.25


def says_more(structured: Any, texts: Sequence[str], size: int) -> bool:
    """`size` is that of the structured content as JSON, in characters."""
    if not texts:
        return bool(structured)
    length = sum(map(len, texts))
    if any(_says_the_same(text, structured, size) for text in texts):
        return False
    if length > _MAX_TEXT:
        return length < size * _SHARE
    text = "\n".join(texts)
    return not all(_is_told(value, text) for value in _values(structured, _MAX_VALUES))


def repeats(structured: Any, content: Any) -> bool:
    """Whether it is one text that stands in a block as well, as of a file that was read."""
    if not isinstance(structured, dict) or len(structured) != 1 or not isinstance(content, list):
        return False
    (value,) = structured.values()
    return isinstance(value, str) and any(
        isinstance(block, dict) and block.get("text") == value for block in content
    )


def _says_the_same(text: str, structured: Any, size: int) -> bool:
    """Whether it is the same JSON, or that of the one value in it (FastMCP's `result`)."""
    if not size * _SHARE <= len(text) or text[:1] not in ("{", "["):
        return False
    from pydantic_core import from_json  # loaded by now: it must not keep READY waiting

    try:
        value = from_json(text)
    except ValueError:
        return False
    inner = next(iter(structured.values())) if isinstance(structured, dict) and len(structured) == 1 else None
    return bool(value in (structured, inner))


def _is_told(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return not value.strip() or value in text or value.strip() in text
    if isinstance(value, bool):
        return str(value).lower() in text.lower()
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}" in text
    return str(value) in text


def _values(structured: Any, limit: int) -> Iterator[Any]:
    """What a text has to tell: all but what is called how, and what is not there."""
    stack = [structured]
    while stack and limit:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif value is not None:
            limit -= 1
            yield value
