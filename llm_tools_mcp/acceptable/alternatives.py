"""Unions of objects → one object with the arguments of all, and the alternatives in words.

No provider takes `anyOf`, `oneOf` or their kin at the top of a schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from .values import distinct
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
    shared = set.intersection(*(set(_required(one)) for one in objects))
    needed = [name for name in _required(objects[0]) if name in shared]
    if needed:
        schema["required"] = list(dict.fromkeys([*_required(schema), *needed]))
    told = list(dict.fromkeys(filter(None, (_told(one, shared) for one in objects))))
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


def _told(alternative: Mapping[str, Any], shared: AbstractSet[str]) -> str:
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
    own = _properties(schema)
    found: dict[str, list[Any]] = {}
    for part in parts:
        for name, one in _properties(part).items():
            if name not in own:
                found.setdefault(name, []).append(one)
    schema["properties"] = {**own, **{name: _either(ways) for name, ways in found.items()}}


def _either(given: Sequence[Any]) -> Any:
    """An argument that alternatives describe in these ways."""
    ways = distinct(way for way in given if isinstance(way, dict))
    if len(ways) < 2:
        return ways[0] if ways else given[0]
    choices = [_choices(way) for way in ways]
    if all(choices) and all(way.get("type") == ways[0].get("type") for way in ways):
        rest = {key: value for key, value in ways[0].items() if key not in ("const", "enum")}
        return {**rest, "enum": distinct(one for some in choices for one in some)}
    options = [way["anyOf"] if set(way) == {"anyOf"} else [way] for way in ways]
    return {"anyOf": distinct(one for some in options if isinstance(some, list) for one in some)}


def _choices(part: Mapping[str, Any]) -> list[Any]:
    found = [part["const"]] if "const" in part else part.get("enum")
    return found if isinstance(found, list) else []


def _properties(part: Mapping[str, Any]) -> dict[str, Any]:
    found = part.get("properties")
    return found if isinstance(found, dict) else {}


def _required(part: Mapping[str, Any]) -> list[str]:
    found = part.get("required")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
