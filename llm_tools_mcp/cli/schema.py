"""A tool's JSON Schema in words, and what is typed at a shell made into the JSON that it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .command import did_you_mean
from .screen import clean_line

Schema = Mapping[str, Any]

_SIMPLE = {"string", "integer", "number", "boolean", "null", "array", "object"}
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
# Schemas may refer to themselves.
_MAX_REFERENCES = 16
_MAX_DEPTH = 3


class Mistyped(Exception):
    """What is typed does not fit the schema; the text says what would."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool."""

    name: str
    kind: str
    is_required: bool
    description: str


def arguments_of(schema: Schema) -> list[Argument]:
    """In the schema's order, the required ones first."""
    required = _required(schema)
    found = [
        Argument(clean_line(name), kind_of(part, schema), name in required, _description(part))
        for name, part in _properties(schema).items()
    ]
    return sorted(found, key=lambda argument: not argument.is_required)


def usage(schema: Schema) -> str:
    """As in a synopsis: `path=STRING [head=INTEGER]`."""
    words = (f"{a.name}={_placeholder(a.kind)}" for a in arguments_of(schema) if a.is_required)
    options = (f"[{a.name}={_placeholder(a.kind)}]" for a in arguments_of(schema) if not a.is_required)
    return " ".join([*words, *options])


def _placeholder(kind: str) -> str:
    return kind.upper() if kind.replace(" ", "").isalpha() and len(kind) < 20 else "VALUE"


def kind_of(part: Any, schema: Schema, depth: int = 0) -> str:
    """What a value may be, in words: `integer`, `array of string`, `"a" or "b"`."""
    resolved = _resolved(part, schema)
    if choices := _choices(resolved):
        return " or ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    kinds = _kinds(resolved, schema)
    if kinds == ["array"] and "items" in resolved and depth < _MAX_DEPTH:
        return f"array of {kind_of(resolved['items'], schema, depth + 1)}"
    return " or ".join(kinds) or "any"


def _choices(part: Schema) -> list[Any]:
    found = part.get("enum", [part["const"]] if "const" in part else [])
    return found if isinstance(found, list) else []


def convert(name: str, texts: Sequence[str], schema: Schema) -> Any:
    """The value of an argument from what was typed, which may be several texts. Raises Mistyped."""
    part = _resolved(_properties(schema).get(name, {}), schema)
    try:
        return _converted(texts[0], part, schema) if len(texts) == 1 else _list(texts, part, schema)
    except Mistyped as error:
        raise Mistyped(f"{name}: {error}") from None


def _list(texts: Sequence[str], part: Schema, schema: Schema) -> list[Any]:
    if "array" not in (_kinds(part, schema) or ["array"]):
        raise Mistyped(f"was given {len(texts)} times")
    items = _resolved(part.get("items", {}), schema)
    return [_converted(text, items, schema) for text in texts]


def _converted(text: str, part: Schema, schema: Schema) -> Any:
    if choices := _choices(part):
        return _chosen(text, choices)
    kinds = _kinds(part, schema)
    for kind in sorted(kinds, key=lambda kind: kind == "string"):  # what is not text is tried first
        try:
            return _of_kind(kind, text, part, schema)
        except ValueError:
            continue
    if not kinds:  # anything goes: JSON if it is some
        return _json_or_text(text)
    wanted = kind_of(part, schema)
    article = "an" if wanted[0] in "aeiou" else "a"
    raise Mistyped(f"{text!r} is not {article} {wanted}")


def _chosen(text: str, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if text == choice or text == json.dumps(choice):
            return choice
    near = did_you_mean(text, [choice for choice in choices if isinstance(choice, str)])
    shown = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    raise Mistyped(f"{text!r} is none of {shown}{near}")


def _of_kind(kind: str, text: str, part: Schema, schema: Schema) -> Any:
    """Raises ValueError where the text is not of this kind."""
    if kind == "string":
        return text
    if kind == "boolean":
        return _boolean(text)
    if kind == "array" and not text.lstrip().startswith("["):
        return [_converted(text, _resolved(part.get("items", {}), schema), schema)]
    value = json.loads(text)
    if not _is_of_kind(kind, value):
        raise ValueError(kind)
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text.lower()]


def _is_of_kind(kind: str, value: Any) -> bool:
    if kind in ("integer", "number"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (kind == "number" or value == int(value))
    types: dict[str, type] = {"null": type(None), "array": list, "object": dict}
    return isinstance(value, types[kind])


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# --- what is wrong with the arguments as a whole ----------------------------------------------------


def complaints(given: Sequence[str], schema: Schema) -> list[str]:
    """Missing and unknown arguments, each with what to do."""
    known = _properties(schema)
    unknown = [name for name in given if name not in known] if _is_closed(schema) else []
    missing = [a for a in arguments_of(schema) if a.is_required and a.name not in given]
    return [
        *(f"there is no argument {name!r}{did_you_mean(name, known)}" for name in unknown),
        *(f"{a.name}=… is missing: {a.kind}{f', {a.description}' if a.description else ''}" for a in missing),
    ]


def _is_closed(schema: Schema) -> bool:
    """Whether an argument that is not described is a mistake: JSON Schema allows it unless told otherwise,
    but a tool that names its arguments and gets another one was called with a misspelling.
    """
    more = schema.get("additionalProperties")
    return more is False or (more is None and isinstance(schema.get("properties"), dict))


def _properties(schema: Schema) -> dict[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _required(schema: Schema) -> list[str]:
    found = schema.get("required")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _description(part: Any) -> str:
    text = part.get("description") if isinstance(part, dict) else ""
    return clean_line(text) if isinstance(text, str) else ""


def _kinds(part: Schema, schema: Schema, depth: int = 0) -> list[str]:
    """The JSON types that a value may have; none where everything goes."""
    if depth > _MAX_DEPTH:
        return []
    named = part.get("type")
    if isinstance(named, str):
        return [named] if named in _SIMPLE else []
    if isinstance(named, list):
        return [kind for kind in named if kind in _SIMPLE]
    options = [_resolved(option, schema) for key in ("anyOf", "oneOf") for option in part.get(key) or ()]
    kinds = [_kinds(option, schema, depth + 1) for option in options]
    return [] if not all(kinds) else list(dict.fromkeys(kind for some in kinds for kind in some))


def _resolved(part: Any, schema: Schema) -> Schema:
    """Follow `$ref: #/$defs/NAME`."""
    for _ in range(_MAX_REFERENCES):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return part
        part = _at(schema, reference[2:].split("/"))
    return {}


def _at(schema: Any, path: Sequence[str]) -> Any:
    for key in path:
        schema = schema.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(schema, dict) else None
    return schema
