"""JSON that anybody may have written, read field by field: what is of another type is not there."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# Of one text, name or list. More is no mistake, but an attack on memory or on the reader.
_MAX_TEXT, _MAX_LIST = 10_000, 1000


def text(document: Json, key: str, default: str = "") -> str:
    value = document.get(key)
    return value[:_MAX_TEXT] if isinstance(value, str) else default


def flag(document: Json, key: str) -> bool:
    return document.get(key) is True


def texts(document: Json, key: str) -> list[str]:
    value = document.get(key)
    return [one for one in value[:_MAX_LIST] if isinstance(one, str)] if isinstance(value, list) else []


def nested(document: Json, key: str) -> Json:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def listed(document: Json, key: str) -> list[Json]:
    value = document.get(key)
    return [one for one in value[:_MAX_LIST] if isinstance(one, dict)] if isinstance(value, list) else []


def entries(document: Json, key: str) -> dict[str, Json]:
    """The objects in an object, by name."""
    found = list(nested(document, key).items())[:_MAX_LIST]
    return {name: value for name, value in found if isinstance(value, dict)}
