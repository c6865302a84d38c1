"""A schema without `$ref` and `allOf`: what is local is put in its place, nothing is ever fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from .values import key_of

# What a schema may hold below it: by name, one, several.
MAPS = ("properties", "patternProperties", "dependentSchemas")
SINGLE = (
    *("items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
    *("contains", "propertyNames", "not", "if", "then", "else"),
)
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")

_BOOKKEEPING = frozenset(
    ("$schema", "$id", "id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "$dynamicAnchor")
)
# `id` and `definitions` are words of their own, too: dropped only where they hold what these keywords hold.
_HOLDS = {"id": str, "definitions": dict}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# A schema may multiply itself (ten references to ten references …): so many nodes by reference, so deep.
_MAX_NODES = 4000
_MAX_DEPTH = 24
_MAX_STEPS = 16  # of a chain of references
# RFC 6901. Of digits Python knows more, of which some are no number to it, nor are those of 5,000 places.
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

_NOTHING: Mapping[str, Any] = {}

Path = tuple[str, ...]


class Inliner:
    """`changes` has what was replaced, in order; `problems` what is lost."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes = 0
        self._anchors: dict[str, Any] | None = None
        self.changes: dict[str, None] = {}
        self.problems: list[str] = []

    def inlined(self) -> Any:
        return self._inlined(self._root, (), 0)

    def _inlined(self, part: Any, within: Path, depth: int) -> Any:
        """`within` are the references that led here."""
        if not isinstance(part, dict):
            return part
        self._nodes += bool(within)
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            return self._cut(part)
        reference = next((part[key] for key in _REFERENCES if isinstance(part.get(key), str)), None)
        own = {
            key: value
            for key, value in part.items()
            if key not in _REFERENCES and not _is_internal(key, value)
        }
        whole = {key: self._below(key, value, within, depth) for key, value in own.items() if key != "allOf"}
        if isinstance(part.get("allOf"), list):
            whole = self._with_all(part["allOf"], whole, within, depth)
        if reference is None:
            return whole
        self.changes["$ref"] = None
        return merged(self._target(reference, within, depth), whole)

    def _below(self, key: str, value: Any, within: Path, depth: int) -> Any:
        if key in MAPS and isinstance(value, dict):
            return {name: self._inlined(one, within, depth + 1) for name, one in value.items()}
        if key in LISTS and isinstance(value, list):
            return [self._inlined(one, within, depth + 1) for one in value]
        if key in SINGLE:
            if isinstance(value, list):  # `items` of a tuple, before 2020-12
                return [self._inlined(one, within, depth + 1) for one in value]
            return self._inlined(value, within, depth + 1)
        return value

    def _with_all(
        self, parts: Sequence[Any], own: dict[str, Any], within: Path, depth: int
    ) -> dict[str, Any]:
        self.changes["allOf"] = None
        found = [self._inlined(part, within, depth + 1) for part in parts]
        return merged(_all_of([one for one in found if isinstance(one, dict)]), own)

    def _target(self, reference: str, within: Path, depth: int) -> dict[str, Any]:
        if not reference.startswith("#"):
            problem = f"{reference[:80]!r} is another document, which is not fetched"
            if problem not in self.problems:
                self.problems.append(problem)
            return {}
        found = self._at(reference)
        if reference in within or len(within) >= _MAX_STEPS:
            return self._cut(found)  # a schema of itself
        inlined = self._inlined(found, (*within, reference), depth + 1)
        return inlined if isinstance(inlined, dict) else {}

    def _at(self, reference: str) -> Any:
        """By JSON pointer, or by anchor. What leads nowhere is any value."""
        fragment = reference[1:]
        if fragment and not fragment.startswith("/"):
            if self._anchors is None:
                self._anchors = dict(_anchors(self._root, 0))
            return self._anchors.get(fragment)
        place = self._root
        for step in fragment.split("/")[1:]:
            name = _unescaped(step)
            if isinstance(place, list) and _INDEX.fullmatch(name) and int(name) < len(place):
                place = place[int(name)]
            else:
                place = place.get(name) if isinstance(place, dict) else None
        return place

    def _cut(self, part: Any) -> dict[str, Any]:
        """What is left of a part where it would go on for ever: its kind and its words."""
        self.changes["$ref"] = None
        if not isinstance(part, dict):
            return {}
        kept = {key: part[key] for key in ("type", "description", "title", "enum") if key in part}
        if part.get("properties") == {}:
            return {**kept, "type": "object", "properties": {}}
        return kept if "type" in kept or "properties" not in part else {**kept, "type": "object"}


def _is_internal(key: str, value: Any) -> bool:
    return key in _BOOKKEEPING and isinstance(value, _HOLDS.get(key, object))


def _unescaped(step: str) -> str:
    from urllib.parse import unquote

    return (unquote(step) if "%" in step else step).replace("~1", "/").replace("~0", "~")


def _anchors(part: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Inner ones first: of several of one name the outermost counts."""
    if depth > _MAX_DEPTH or not isinstance(part, (dict, list)):
        return
    for one in part.values() if isinstance(part, dict) else part:
        yield from _anchors(one, depth + 1)
    if isinstance(part, dict):
        names = (part.get("$anchor"), part.get("$dynamicAnchor"))
        yield from ((name, part) for name in names if isinstance(name, str))


def _all_of(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Two and two: each merge copies, so that thousands one after the other take seconds."""
    while len(parts) > 1:
        pairs = zip_longest(parts[::2], parts[1::2], fillvalue=_NOTHING)
        parts = [merged(one, other) for one, other in pairs]
    return parts[0] if parts else {}


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What fits both, as far as JSON Schema says it in one; of words the second's count."""
    whole = dict(first)
    for key, value in second.items():
        whole[key] = _both(key, whole[key], value) if key in whole else value
    return whole


def _both(key: str, first: Any, second: Any) -> Any:
    if key in MAPS and isinstance(first, dict) and isinstance(second, dict):
        shared = {
            name: merged(first[name], second[name]) for name in first if _are_objects(name, first, second)
        }
        return {**first, **second, **shared}
    if key in SINGLE and isinstance(first, dict) and isinstance(second, dict):
        return merged(first, second)
    if isinstance(first, list) and isinstance(second, list):
        if key == "required":
            return list(dict.fromkeys(name for name in (*first, *second) if isinstance(name, str)))
        if key == "enum":
            known = set(map(key_of, first))
            return [one for one in second if key_of(one) in known] or second
    return second


def _are_objects(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return isinstance(first[name], dict) and isinstance(second.get(name), dict)
