"""Unions of objects → one object with the arguments of all, and the alternatives in words.

No provider takes `anyOf`, `oneOf` or their kin at the top of a schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .wording import shortened, shown

_CONDITIONS = ("if", "then", "else", "not", "dependentSchemas", "dependentRequired", "dependencies")
_UNIONS = ("anyOf", "oneOf")
_OBJECT = ("object", "dict", "map")
_MAX_DEPTH = 6
# Characters of all alternatives of a union.
_ALTERNATIVES = 220


@dataclass
class Flattened:
    """A schema without unions around its arguments. See Accepted for the rest."""

    schema: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    changes: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def flattened(given: Any) -> Flattened:
    """Of the schema of a whole tool: there is an object in any case."""
    if not isinstance(given, dict):
        changes = {"no schema": None} if given in (None, True) else {"a schema that is none": None}
        return Flattened({"type": "object", "properties": {}}, changes=changes)
    flat = Flattened(dict(given))
    _flatten(flat, 0)
    named = flat.schema.get("type", "object")
    if named != "object":
        flat.changes["its type is not object"] = None
        kinds = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        if kinds and not any(isinstance(kind, str) and kind.lower() in _OBJECT for kind in kinds):
            flat.problems.append(f"its arguments would have to be {shown(named)}, and no call can send that")
    flat.schema["type"] = "object"
    for key in ("enum", "const", "nullable"):
        flat.schema.pop(key, None)
    return flat


def flatten_object(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """An object with properties and unions beside them, as an argument may be; and what to say of it."""
    flat = Flattened(dict(given))
    _flatten(flat, 0)
    return flat.schema, flat.notes


def _flatten(flat: Flattened, depth: int) -> None:
    schema = flat.schema
    for union in _UNIONS:
        if union in schema:
            flat.changes[f"{union} around its arguments"] = None
            alternatives = schema.pop(union)
            _take_in(flat, alternatives if isinstance(alternatives, list) else [], depth)
    conditions = [schema.pop(key) for key in _CONDITIONS if key in schema]
    if conditions:
        flat.changes["conditions around its arguments"] = None
        branches = [one for one in conditions if isinstance(one, dict) and "properties" in one]
        _add_properties(schema, branches)


def _take_in(flat: Flattened, alternatives: Sequence[Any], depth: int) -> None:
    objects = [_alternative(one, depth) for one in alternatives if _may_be_object(one)]
    if not objects:
        return
    schema = flat.schema
    _add_properties(schema, objects)
    needed = [name for name in _required(objects[0]) if all(name in _required(one) for one in objects)]
    if needed:
        schema["required"] = list(dict.fromkeys([*_required(schema), *needed]))
    told = list(dict.fromkeys(filter(None, (_told(one, needed) for one in objects))))
    if len(told) > 1:
        flat.notes.append(f"give one of: {shortened(' | '.join(told), _ALTERNATIVES)}")


def _alternative(given: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth >= _MAX_DEPTH:
        return dict(given)
    inner = Flattened(dict(given))
    _flatten(inner, depth + 1)
    return inner.schema


def _may_be_object(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    kinds = part.get("type", "object")
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds)


def _told(alternative: Mapping[str, Any], shared: Sequence[str]) -> str:
    """`op="insert" + text`: what an alternative needs beyond what all need, or has if it needs nothing."""
    properties = _properties(alternative)
    chosen = [name for name in _required(alternative) if name not in shared or _value(properties.get(name))]
    return " + ".join(f"{name}{_value(properties.get(name))}" for name in chosen or properties)


def _value(part: Any) -> str:
    if isinstance(part, dict) and "const" in part:
        return f"={shown(part['const'])}"
    enum = part.get("enum") if isinstance(part, dict) else None
    return f"={shown(enum[0])}" if isinstance(enum, list) and len(enum) == 1 else ""


def _add_properties(schema: dict[str, Any], parts: Iterable[Mapping[str, Any]]) -> None:
    whole = dict(_properties(schema))
    own = set(whole)
    for part in parts:
        for name, one in _properties(part).items():
            if name not in whole:
                whole[name] = one
            elif name not in own:
                whole[name] = _either(whole[name], one)
    schema["properties"] = whole


def _either(first: Any, second: Any) -> Any:
    """An argument that alternatives describe in two ways."""
    if first == second or not isinstance(first, dict) or not isinstance(second, dict):
        return first
    choices, more = _choices(first), _choices(second)
    if choices and more and first.get("type") == second.get("type"):
        rest = {key: value for key, value in first.items() if key not in ("const", "enum")}
        return {**rest, "enum": [*choices, *(one for one in more if one not in choices)]}
    options = first["anyOf"] if set(first) == {"anyOf"} else [first]
    return {"anyOf": options if second in options else [*options, second]}


def _choices(part: Mapping[str, Any]) -> list[Any]:
    found = [part["const"]] if "const" in part else part.get("enum")
    return found if isinstance(found, list) else []


def _properties(part: Mapping[str, Any]) -> dict[str, Any]:
    found = part.get("properties")
    return found if isinstance(found, dict) else {}


def _required(part: Mapping[str, Any]) -> list[str]:
    found = part.get("required")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
