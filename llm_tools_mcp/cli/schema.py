"""A tool's JSON Schema in words, and what is typed at a shell made into the JSON that it asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from llm_tools_mcp.terminal.screen import clean_line

from .command import did_you_mean

Schema = Mapping[str, Any]

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": (int, float),
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}
_CHOICE = "choice"
# What is a text in JSON too comes last, and 1 is a number sooner than it is true.
_TRIED = (_CHOICE, "null", "integer", "number", "object", "array", "boolean", "string")
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
# Schemas may refer to themselves.
_MAX_REFERENCES = 16
_MAX_DEPTH = 3
# Characters of what was typed that a message repeats: it may be a file's content.
_SHOWN_TEXT = 60


class Mistyped(Exception):
    """What is typed does not fit the schema; the text says what would."""


class Option(NamedTuple):
    """One thing that a value may be: a JSON type or a choice, and the part of the schema that says so."""

    kind: str
    part: Schema


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool."""

    name: str
    kind: str
    is_required: bool
    description: str
    default: str = ""  # as JSON; empty where there is none


def arguments_of(schema: Schema) -> list[Argument]:
    """In the schema's order, the required ones first."""
    required = _required(schema)
    found = [_argument(name, part, schema, required) for name, part in _properties(schema).items()]
    return sorted(found, key=lambda argument: not argument.is_required)


def _argument(name: str, part: Any, schema: Schema, required: Sequence[str], prefix: str = "") -> Argument:
    """What has a default need not be given, though generators call it required."""
    is_required = name in required and not _has_default(part)
    shown = f"{prefix}{clean_line(name)}"
    return Argument(shown, kind_of(part, schema), is_required, _description(part), _default(part))


def _has_default(part: Any) -> bool:
    return isinstance(part, dict) and "default" in part


def required_defaults(schema: Schema) -> dict[str, Any]:
    """What a call says of its own accord: some servers insist on arguments though they have a default."""
    required = _required(schema)
    return {
        name: part["default"]
        for name, part in _properties(schema).items()
        if name in required and _has_default(part)
    }


def nested_arguments(schema: Schema, name: str) -> list[Argument]:
    """What stands within an argument that is an object, or a list of them: `edits[].oldText`."""
    return list(_nested(_properties(schema).get(name), schema, clean_line(name), 0))


def _nested(part: Any, schema: Schema, path: str, depth: int) -> Iterator[Argument]:
    if depth > _MAX_DEPTH:
        return
    for option in _options(part, schema):
        if option.kind == "array" and "items" in option.part:
            yield from _nested(option.part["items"], schema, f"{path}[]", depth + 1)
        for name, inner in _properties(option.part).items() if option.kind == "object" else ():
            argument = _argument(name, inner, schema, _required(option.part), f"{path}.")
            yield argument
            yield from _nested(inner, schema, argument.name, depth + 1)


def usage(schema: Schema) -> str:
    """As in a synopsis: `path=STRING [head=INTEGER]`."""
    words = (f"{a.name}={_placeholder(a.kind)}" for a in arguments_of(schema) if a.is_required)
    options = (f"[{a.name}={_placeholder(a.kind)}]" for a in arguments_of(schema) if not a.is_required)
    return " ".join([*words, *options])


def _placeholder(kind: str) -> str:
    """`STRING`; `STRING…` for a list of them, whose key may be repeated."""
    item = kind.removesuffix(" or null").removeprefix("array").removeprefix(" of ")
    word = item.upper() if item.isalpha() else "VALUE"
    return f"{word}…" if kind.startswith("array") else word


def kind_of(part: Any, schema: Schema, depth: int = 0) -> str:
    """What a value may be, in words: `integer`, `array of string`, `"a" or "b"`."""
    words = (_in_words(option, schema, depth) for option in _options(part, schema))
    return " or ".join(dict.fromkeys(words)) or "any"


def _in_words(option: Option, schema: Schema, depth: int) -> str:
    if option.kind == _CHOICE:
        return " or ".join(map(_shown_choice, _choices(option.part)))
    if option.kind == "array" and "items" in option.part and depth < _MAX_DEPTH:
        return f"array of {kind_of(option.part['items'], schema, depth + 1)}"
    return option.kind


def _shown_choice(choice: Any) -> str:
    return clean_line(json.dumps(choice, ensure_ascii=False))


# --- what is typed → a value ------------------------------------------------------------------------


def convert(name: str, texts: Sequence[str], schema: Schema) -> Any:
    """The value of an argument from what was typed, which may be several texts. Raises Mistyped."""
    part = _properties(schema).get(name, {})
    try:
        return _converted(texts[0], part, schema) if len(texts) == 1 else _list(texts, part, schema)
    except Mistyped as error:
        raise Mistyped(f"{name}: {error}") from None


def _list(texts: Sequence[str], part: Any, schema: Schema) -> list[Any]:
    options = _options(part, schema)
    arrays = [option for option in options if option.kind == "array"]
    if options and not arrays:
        raise Mistyped(f"was given {len(texts)} times")
    items = arrays[0].part.get("items", {}) if arrays else {}
    return [_converted(text, items, schema) for text in texts]


def _converted(text: str, part: Any, schema: Schema) -> Any:
    options = _options(part, schema)
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
    choices = [choice for option in options for choice in _choices(option.part)]
    if choices:
        near = did_you_mean(text, [choice for choice in choices if isinstance(choice, str)])
        return f"{shown} is not {wanted}{near}"
    return f"{shown} is not {'an' if wanted[0] in 'aeiou' else 'a'} {wanted}"


def _of_kind(option: Option, text: str) -> Any:
    """Raises ValueError where the text is not of this kind."""
    if option.kind == "string":
        return text
    if option.kind == _CHOICE:
        return _chosen(text, _choices(option.part))
    if option.kind == "boolean":
        return _boolean(text)
    value = strict_json(text)
    if not _is_of_kind(option.kind, value):
        raise ValueError(text)
    return int(value) if option.kind == "integer" else value  # 1e3 is an integer


def _is_of_kind(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _PYTHON[kind])


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
        return strict_json(text)
    except ValueError:
        return text


def strict_json(text: str) -> Any:
    """JSON as it is defined: no NaN, no number beyond all numbers. Raises ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:_SHOWN_TEXT]} is not a JSON number")


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _refuse_number(text)


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


def _default(part: Any) -> str:
    default = part.get("default") if isinstance(part, dict) else None
    return "" if default in (None, "", [], {}) else _shown_choice(default)[:_SHOWN_TEXT]


def _options(part: Any, schema: Schema, depth: int = 0) -> list[Option]:
    """What a value may be, one by one; none where everything goes."""
    if depth > _MAX_DEPTH:
        return []
    resolved = _resolved(part, schema)
    if _choices(resolved):
        return [Option(_CHOICE, resolved)]
    named = resolved.get("type")
    if isinstance(named, str | list):
        kinds = [named] if isinstance(named, str) else named
        return [Option(kind, resolved) for kind in kinds if isinstance(kind, str) and kind in _PYTHON]
    alternatives = [*_listed(resolved, "anyOf"), *_listed(resolved, "oneOf")]
    found = [_options(alternative, schema, depth + 1) for alternative in alternatives]
    return [option for some in found for option in some] if all(found) else []


def _choices(part: Schema) -> list[Any]:
    return [part["const"]] if "const" in part else _listed(part, "enum")


def _listed(part: Schema, key: str) -> list[Any]:
    found = part.get(key)
    return found if isinstance(found, list) else []


def _resolved(part: Any, schema: Schema, depth: int = 0) -> Schema:
    """Follow `$ref: #/$defs/NAME`, and put the parts of `allOf` together."""
    for _ in range(_MAX_REFERENCES):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return _merged(part, schema, depth)
        part = _at(schema, reference[2:].split("/"))
    return {}


def _merged(part: Schema, schema: Schema, depth: int) -> Schema:
    parts = _listed(part, "allOf")
    if not parts or depth > _MAX_DEPTH:
        return part
    merged: dict[str, Any] = {}
    for one in parts[:_MAX_REFERENCES]:
        merged |= _resolved(one, schema, depth + 1)
    return merged | dict(part)


def _at(schema: Any, path: Sequence[str]) -> Any:
    for key in path:
        schema = schema.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(schema, dict) else None
    return schema
