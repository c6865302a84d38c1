"""Each node of a schema with the keywords alone that all providers take; what others said goes into words.

The narrowest is Gemini, whose `Schema` is a protocol buffer: an unknown key is an error there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .alternatives import flatten_object
from .choices import choose
from .kinds import ANY_ITEM, KEPT, is_never, is_null, kinds_of, split_by_kind
from .values import distinct
from .wording import listed, shown, with_notes

# Of Anthropic.
_ARGUMENT_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_FORMATS = {
    "string": ("date-time", "enum"),
    "number": ("float", "double"),
    "integer": ("int32", "int64"),
}
_WHOLE_NUMBERS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum")
_TEXTS = ("title", "description", "pattern", "format")
_ANNOTATIONS = ("description", "title", "default")
# Required names, of those that nothing describes.
_MOST_REQUIRED = 200

Node = dict[str, Any]


class Rewriter:
    """`changes` and `problems` of all that it has rewritten."""

    def __init__(self) -> None:
        self.changes: dict[str, None] = {}
        self.problems: list[str] = []

    def top(self, schema: Mapping[str, Any]) -> tuple[Node, list[str]]:
        """The schema of a whole tool, and what to tell in its description."""
        notes: list[str] = []
        node = self._kept(schema, "object", notes)
        self._object(node, schema, notes, is_top=True)
        return node, [note for note in notes if note != _ANY_KEYS]

    def node(self, given: Any) -> Node:
        """The schema of a value."""
        part = dict(given) if isinstance(given, dict) else {}
        notes: list[str] = []
        if "properties" in part and ("anyOf" in part or "oneOf" in part):
            part, notes = flatten_object(part)
            self._note("anyOf beside properties")
        options = [*_listed(part, "anyOf"), *_listed(part, "oneOf")]
        if options:
            node = self._union(part, options)
        else:
            kinds, nullable = kinds_of(part)
            if kinds[1:] or "type" not in part or part["type"] != kinds[0]:
                self._note("a type that is a list, missing or unknown")
            node = self._several(part, kinds) if kinds[1:] else self._single(part, kinds[0], notes)
            if nullable:
                node["nullable"] = True
        described = with_notes(_text(node, "description"), notes)
        return {**node, "description": described} if described else node

    # --- one kind, or several -----------------------------------------------------------------------

    def _single(self, part: Node, kind: str, notes: list[str]) -> Node:
        choice = choose(part, kind)
        part = choice.part
        notes += choice.notes
        for change in choice.changes:
            self._note(change)
        node = self._kept(part, kind, notes)
        if kind == "object":
            self._object(node, part, notes)
        elif kind == "array":
            self._array(node, part, notes)
        else:
            self._scalar(node, part, kind, notes)
        return node

    def _several(self, part: Node, kinds: list[str]) -> Node:
        outer = {key: part[key] for key in _ANNOTATIONS if key in part}
        return {**self._annotated(outer), "anyOf": [self.node(one) for one in split_by_kind(part, kinds)]}

    def _union(self, part: Node, given: list[Any]) -> Node:
        """`anyOf` of several, or the only one that is not null."""
        if "oneOf" in part:
            self._note("oneOf")
        outer = self._annotated({key: part[key] for key in _ANNOTATIONS if key in part})
        shared = {key: value for key, value in part.items() if key not in (*_ANNOTATIONS, "anyOf", "oneOf")}
        options: list[Node] = []
        nullable = part.get("nullable") is True
        for one in given:
            if is_never(one):
                self._note("an alternative that nothing fits")
                continue
            if isinstance(one, dict) and is_null(one):
                nullable = True
                continue
            option = self.node({**shared, **one} if isinstance(one, dict) else one)
            nullable = bool(option.pop("nullable", False)) or nullable
            options.append(option)
        options = _unnested(options)
        if not options:
            options = [{"type": "string"}]
        if nullable:
            self._note("null among alternatives")
            outer["nullable"] = True
        return {**options[0], **outer} if len(options) == 1 else {**outer, "anyOf": options}

    # --- keywords -----------------------------------------------------------------------------------

    def _kept(self, part: Mapping[str, Any], kind: str, notes: list[str]) -> Node:
        """What every provider takes, in the order in which it came."""
        node: Node = {}
        for key, value in part.items():
            if key in KEPT and _is_well_formed(key, value):
                node[key] = value
            elif key not in _HANDLED:
                self._note(key if key in _TELLING else "a keyword that Gemini does not know")
                notes += _TELLING[key](value) if key in _TELLING else []
        if node.get("type") != kind:
            node = {"type": kind, **{key: value for key, value in node.items() if key != "type"}}
        if node.get("nullable") is False:
            del node["nullable"]
        return node

    def _annotated(self, outer: Node) -> Node:
        return {key: value for key, value in outer.items() if _is_well_formed(key, value)}

    def _scalar(self, node: Node, part: Node, kind: str, notes: list[str]) -> None:
        _bound(node, part, "exclusiveMinimum", kind, notes)
        _bound(node, part, "exclusiveMaximum", kind, notes)
        if "exclusiveMinimum" in part or "exclusiveMaximum" in part:
            self._note("exclusive bounds")
        wanted = node.get("format")
        if wanted is not None and wanted not in _FORMATS.get(kind, ()):
            self._note("format")
            del node["format"]
            notes.append(f"format: {wanted}")

    def _array(self, node: Node, part: Node, notes: list[str]) -> None:
        items: Any = part.get("items")
        places = _listed(part, "prefixItems")
        if isinstance(items, list):
            items, places = part.get("additionalItems"), items
        if places:
            self._note("items by position")
            kinds = [kinds_of(one)[0][0] for one in places if isinstance(one, dict)]
            notes.append(f"by position: {', '.join(kinds)}")
            node["items"] = self.node({"anyOf": [*places, *([items] if isinstance(items, dict) else [])]})
        elif isinstance(items, dict) and items:
            node["items"] = self.node(items)
        else:
            self._note("an array without items")
            node["items"] = ANY_ITEM

    def _object(self, node: Node, part: Mapping[str, Any], notes: list[str], *, is_top: bool = False) -> None:
        given = part.get("properties")
        if not isinstance(given, dict):
            self._note("an object without properties")
            if part.get("additionalProperties") is not False:
                notes.append(_ANY_KEYS)
        required = self._required(part)
        needed = set(required)
        properties: Node = {}
        for name, one in {
            **(given if isinstance(given, dict) else {}),
            **_undescribed(given, required),
        }.items():
            if is_never(one):
                continue
            if not _ARGUMENT_NAME.fullmatch(name):
                self._leave_out(name, one, notes, is_required=name in needed)
                if is_top and name in needed:
                    why = "providers refuse the name of an argument that it needs"
                    self.problems.append(f"{why}: {shown(name)}")
                continue
            properties[name] = self._property(one, is_required=name in needed)
        node["properties"] = properties
        known = [name for name in required if name in properties]
        if known or part.get("required") == []:
            node["required"] = known
        _open_keys(part, notes)

    def _required(self, part: Mapping[str, Any]) -> list[str]:
        given = part.get("required")
        names = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
        return list(dict.fromkeys(names))

    def _property(self, given: Any, *, is_required: bool) -> Node:
        node = self.node(given)
        says_so = isinstance(given, dict) and given.get("nullable") is True  # in the word that providers take
        if is_required and node.get("nullable") and not says_so:
            node["description"] = with_notes(_text(node, "description"), ["may be null"])
        return node

    def _leave_out(self, name: str, given: Any, notes: list[str], *, is_required: bool) -> None:
        """Under its own name alone would the server know it, and that name costs the whole prompt."""
        self._note("the name of an argument")
        kind = kinds_of(given if isinstance(given, dict) else {})[0][0]
        notes.append(f"also {'needs' if is_required else 'takes'} {shown(name)} ({kind})")

    def _note(self, change: str) -> None:
        self.changes[change] = None


_ANY_KEYS = "any keys"


def _undescribed(given: Any, required: list[str]) -> dict[str, Any]:
    known = given if isinstance(given, dict) else {}
    return {name: {} for name in required[:_MOST_REQUIRED] if name not in known}


def _open_keys(part: Mapping[str, Any], notes: list[str]) -> None:
    more = part.get("additionalProperties")
    if isinstance(more, dict) and more:
        notes.append(f"further keys hold: {' or '.join(kinds_of(more)[0])}")
    patterns = part.get("patternProperties")
    if isinstance(patterns, dict):
        notes += [f"keys like {shown(pattern)} too" for pattern in list(patterns)[:3]]


def _bound(node: Node, part: Mapping[str, Any], key: str, kind: str, notes: list[str]) -> None:
    """An exclusive bound: of whole numbers the next one is the bound, else it is told."""
    value: Any = part.get(key)
    plain, word, step = ("minimum", "more", 1) if key == "exclusiveMinimum" else ("maximum", "less", -1)
    if value is True and _is_number(node.get(plain)):  # of draft 4
        value = node[plain]
    if not _is_number(value):
        return
    if kind == "integer" and value == int(value):
        bound = int(value) + step
        node[plain] = (max if step > 0 else min)(node.get(plain, bound), bound)
    else:
        notes.append(f"{word} than {value}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _is_well_formed(key: str, value: Any) -> bool:
    if key in _WHOLE_NUMBERS:
        return _is_number(value) and value == int(value) and value >= 0
    if key in _NUMBERS:
        return _is_number(value)
    if key in _TEXTS:
        return isinstance(value, str)
    return isinstance(value, bool) if key == "nullable" else True


def _unnested(options: list[Node]) -> list[Node]:
    """A union within a union is one union."""
    return distinct(
        one for option in options for one in (option["anyOf"] if set(option) == {"anyOf"} else [option])
    )


def _listed(part: Mapping[str, Any], key: str) -> list[Any]:
    found = part.get(key)
    return found if isinstance(found, list) else []


def _text(part: Mapping[str, Any], key: str) -> str:
    found = part.get(key)
    return found if isinstance(found, str) else ""


def _examples(value: Any) -> list[str]:
    return [f"for example: {listed(value[:3])}"] if isinstance(value, list) and value else []


# What goes into words.
_TELLING: dict[str, Callable[[Any], list[str]]] = {
    "multipleOf": lambda value: [f"a multiple of {shown(value)}"],
    "uniqueItems": lambda value: ["no two alike"] if value is True else [],
    "examples": _examples,
    "contentEncoding": lambda value: [f"encoded as {shown(value)}"],
    "deprecated": lambda value: ["deprecated"] if value is True else [],
}
# What is read elsewhere, or says nothing to a model.
_HANDLED = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "patternProperties", "items"),
        *("additionalItems", "prefixItems", "anyOf", "oneOf", "enum", "const", "nullable"),
        *("exclusiveMinimum", "exclusiveMaximum", "readOnly", "writeOnly", "unevaluatedProperties"),
    )
)
