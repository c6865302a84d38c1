"""A tool's JSON Schema in words, and its parts: references followed, alternatives one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llm_tools_mcp.terminal.screen import clean_line

from .command import did_you_mean

Schema = Mapping[str, Any]

PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": (int, float),
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}
CHOICE = "choice"
# Schemas may refer to themselves.
_MAX_REFERENCES = 16
_MAX_DEPTH = 3
# Characters of a default.
_SHOWN_DEFAULT = 60


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
    found = [_argument(name, part, schema, required) for name, part in properties_of(schema).items()]
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
        for name, part in properties_of(schema).items()
        if name in required and _has_default(part)
    }


def nested_arguments(schema: Schema, name: str) -> list[Argument]:
    """What stands within an argument that is an object, or a list of them: `edits[].oldText`."""
    return list(_nested(properties_of(schema).get(name), schema, clean_line(name), 0))


def _nested(part: Any, schema: Schema, path: str, depth: int) -> Iterator[Argument]:
    if depth > _MAX_DEPTH:
        return
    for option in options_of(part, schema):
        if option.kind == "array" and "items" in option.part:
            yield from _nested(option.part["items"], schema, f"{path}[]", depth + 1)
        for name, inner in properties_of(option.part).items() if option.kind == "object" else ():
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
    words = (_in_words(option, schema, depth) for option in options_of(part, schema))
    return " or ".join(dict.fromkeys(words)) or "any"


def _in_words(option: Option, schema: Schema, depth: int) -> str:
    if option.kind == CHOICE:
        return " or ".join(map(_shown_choice, choices_of(option.part)))
    if option.kind == "array" and "items" in option.part and depth < _MAX_DEPTH:
        return f"array of {kind_of(option.part['items'], schema, depth + 1)}"
    return option.kind


def _shown_choice(choice: Any) -> str:
    return clean_line(json.dumps(choice, ensure_ascii=False))


# --- what is wrong with the arguments as a whole ----------------------------------------------------


def complaints(given: Sequence[str], schema: Schema) -> list[str]:
    """Missing and unknown arguments, each with what to do."""
    known = properties_of(schema)
    named = {*known, *_required(schema)}
    unknown = [name for name in given if name not in named] if _is_closed(schema) else []
    missing = [a for a in arguments_of(schema) if a.is_required and a.name not in given]
    return [
        *(f"there is no argument {name!r}{_meant(name, known)}" for name in unknown),
        *(f"{a.name}=… is missing: {a.kind}{f', {a.description}' if a.description else ''}" for a in missing),
    ]


def _meant(name: str, known: Mapping[str, Any]) -> str:
    """What lies within an argument is shown as `edits[].oldText`, and is given with all the rest of it."""
    outer = re.split(r"[.[]", name, maxsplit=1)[0]
    if outer == name or outer not in known:
        return did_you_mean(name, known)
    return f"; what lies within {outer!r} is given as JSON: {outer}='…'"


def _is_closed(schema: Schema) -> bool:
    """Whether an argument that is not described is a mistake: JSON Schema allows it unless told otherwise,
    but a tool that names its arguments and gets another one was called with a misspelling.
    """
    more = schema.get("additionalProperties")
    return more is False or (more is None and isinstance(schema.get("properties"), dict))


def properties_of(schema: Schema) -> dict[str, Any]:
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
    return "" if default in (None, "", [], {}) else _shown_choice(default)[:_SHOWN_DEFAULT]


def options_of(part: Any, schema: Schema, depth: int = 0) -> list[Option]:
    """What a value may be, one by one; none where everything goes."""
    if depth > _MAX_DEPTH:
        return []
    resolved = _resolved(part, schema)
    named = resolved.get("type")
    kinds = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    options = [Option(kind, resolved) for kind in kinds if isinstance(kind, str) and kind in PYTHON_TYPES]
    if _may_be_chosen(choices_of(resolved), options):
        return [Option(CHOICE, resolved)]
    if kinds:
        return options
    alternatives = [*_listed(resolved, "anyOf"), *_listed(resolved, "oneOf")]
    found = [options_of(alternative, schema, depth + 1) for alternative in alternatives]
    return [option for some in found for option in some] if all(found) else []


def _may_be_chosen(choices: Sequence[Any], options: Sequence[Option]) -> bool:
    """Generators write the choices of a list's items beside the list, and those of a text beside its null."""
    kinds = [PYTHON_TYPES[option.kind] for option in options]
    return bool(choices) and (not kinds or any(isinstance(one, kind) for one in choices for kind in kinds))


def choices_of(part: Schema) -> list[Any]:
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
