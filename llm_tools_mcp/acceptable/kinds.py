"""Which JSON types a schema means: as it says, or as its other keywords show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_KINDS = ("string", "number", "integer", "boolean", "object", "array")
_ALIASES = {
    **dict.fromkeys(("str", "text", "char", "date", "datetime", "file", "uri", "url"), "string"),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    "bool": "boolean",
    **dict.fromkeys(("dict", "map"), "object"),
    **dict.fromkeys(("list", "tuple", "set"), "array"),
}
# What only one kind can have: where no type is said, it shows which.
_SIGNS = {
    "object": ("properties", "additionalProperties", "patternProperties", "required", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_BY_VALUE: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}
ANY = ["string", "number", "boolean", "object", "array"]
ANY_ITEM = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "object", "properties": {}},
    ]
}

# Which keywords all providers take, and of which kind they are.
_OF_KIND = {
    "string": ("enum", "minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "format"),
    "integer": ("minimum", "maximum", "format"),
    "boolean": (),
    "object": ("properties", "required", "minProperties", "maxProperties"),
    "array": ("items", "minItems", "maxItems"),
}
KEPT = frozenset(
    ("type", "description", "title", "default", "nullable", "example", "propertyOrdering")
).union(*_OF_KIND.values()) - {"properties", "items", "required"}


def kinds_of(part: Mapping[str, Any]) -> tuple[list[str], bool]:
    """At least one kind, and whether null is one, too."""
    given = part.get("type")
    named = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    words = [word.lower() for word in named if isinstance(word, str)]
    nullable = "null" in words or part.get("nullable") is True or None in _values(part)
    kinds = _distinct(_ALIASES.get(word, word) for word in words)
    return kinds or _shown_by(part), nullable


def is_never(part: Any) -> bool:
    """Whether nothing fits it: `false`, and what zod writes of an argument that may be missing."""
    return part is False or (isinstance(part, dict) and (part.get("not") is True or part.get("not") == {}))


def is_null(part: Mapping[str, Any]) -> bool:
    return (
        part.get("type") in ("null", ["null"]) or part.get("const", 0) is None or part.get("enum") == [None]
    )


def _distinct(words: Iterable[str]) -> list[str]:
    kinds = [kind for kind in dict.fromkeys(words) if kind in _KINDS]
    return [kind for kind in kinds if kind != "integer" or "number" not in kinds]


def _shown_by(part: Mapping[str, Any]) -> list[str]:
    by_value = _distinct(_BY_VALUE[type(one)] for one in _values(part) if type(one) in _BY_VALUE)
    if by_value:
        return by_value
    for kind, keywords in _SIGNS.items():
        if any(keyword in part for keyword in keywords):
            return [kind]
    default = part.get("default")
    return [_BY_VALUE[type(default)]] if isinstance(default, (str, bool, int, float)) else ANY


def _values(part: Mapping[str, Any]) -> list[Any]:
    found = [part["const"]] if "const" in part else part.get("enum")
    return found if isinstance(found, list) else []


def split_by_kind(part: Mapping[str, Any], kinds: Iterable[str]) -> list[dict[str, Any]]:
    """A schema for each kind, with the keywords that are about it."""
    values = _values(part)
    found = []
    for kind in kinds:
        own = {key: part[key] for key in (*_OF_KIND[kind], *_SIGNS.get(kind, ())) if key in part}
        fitting = [one for one in values if _is_of(one, kind)]
        own.pop("enum", None)
        found.append({"type": kind, **own, **({"enum": fitting} if fitting else {})})
    return found


def _is_of(value: Any, kind: str) -> bool:
    own = _BY_VALUE.get(type(value))
    return own == kind or (own == "integer" and kind == "number")
