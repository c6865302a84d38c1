"""What is typed at a shell made into the JSON that a tool's schema asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llm_tools_mcp.text import strict_json

from .command import did_you_mean
from .schema import CHOICE, PYTHON_TYPES, Option, Schema, choices_of, kind_of, options_of, properties_of

# What is a text in JSON too comes last, and 1 is a number sooner than it is true.
_TRIED = (CHOICE, "null", "integer", "number", "object", "array", "boolean", "string")
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
# Characters of what was typed that a message repeats: it may be a file's content.
_SHOWN_TEXT = 60


class Mistyped(Exception):
    """What is typed does not fit the schema; the text says what would."""


def convert(name: str, texts: Sequence[str], schema: Schema) -> Any:
    """The value of an argument from what was typed, which may be several texts. Raises Mistyped."""
    part = properties_of(schema).get(name, {})
    try:
        return _converted(texts[0], part, schema) if len(texts) == 1 else _list(texts, part, schema)
    except Mistyped as error:
        raise Mistyped(f"{name}: {error}") from None


def _list(texts: Sequence[str], part: Any, schema: Schema) -> list[Any]:
    options = options_of(part, schema)
    arrays = [option for option in options if option.kind == "array"]
    if options and not arrays:
        raise Mistyped(f"was given {len(texts)} times")
    items = arrays[0].part.get("items", {}) if arrays else {}
    return [_converted(text, items, schema) for text in texts]


def _converted(text: str, part: Any, schema: Schema) -> Any:
    options = options_of(part, schema)
    if not options:  # anything goes: JSON if it is some
        return _json_or_text(text)
    for option in sorted(options, key=lambda option: _TRIED.index(option.kind)):
        try:
            return _of_kind(option, text)
        except ValueError:
            continue
    arrays = [option for option in options if option.kind == "array"]
    if arrays and not text.lstrip().startswith("["):  # one item stands for a list of it
        return [_converted(text, arrays[0].part.get("items", {}), schema)]
    raise Mistyped(_mismatch(text, options, kind_of(part, schema)))


def _mismatch(text: str, options: Sequence[Option], wanted: str) -> str:
    shown = repr(text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "…")
    choices = [choice for option in options for choice in choices_of(option.part)]
    if choices:
        near = did_you_mean(text, [choice for choice in choices if isinstance(choice, str)])
        return f"{shown} is not {wanted}{near}"
    return f"{shown} is not {'an' if wanted[0] in 'aeiou' else 'a'} {wanted}"


def _of_kind(option: Option, text: str) -> Any:
    """Raises ValueError where the text is not of this kind."""
    if option.kind == "string":
        return text
    if option.kind == CHOICE:
        return _chosen(text, choices_of(option.part))
    if option.kind == "boolean":
        return _boolean(text)
    value = strict_json.loads(text)
    if not _is_of_kind(option.kind, value):
        raise ValueError(text)
    return int(value) if option.kind == "integer" else value  # 1e3 is an integer


def _is_of_kind(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, PYTHON_TYPES[kind])


def _chosen(text: str, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if text == choice or text == json.dumps(choice):
            return choice
    raise ValueError(text)


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text.lower()]


def _json_or_text(text: str) -> Any:
    try:
        return strict_json.loads(text)
    except ValueError:
        return text
