"""What becomes of schemas: acceptable ones stay, the others are mended, and their meaning is told."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest

from llm_tools_mcp.acceptable import acceptable_schema, described
from tests.acceptable.provider_rules import RULES, complaints

TEXT = {"type": "string"}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def tool(schema: Any) -> dict[str, Any]:
    """As it is sent."""
    accepted = acceptable_schema(schema)
    suffix = "\n[from MCP server: s]"
    return {
        "name": "t",
        "description": described("Does it.", accepted, suffix),
        "parameters": accepted.schema,
    }


def argument(part: Any) -> Any:
    """What becomes of the schema of one argument."""
    return acceptable_schema(of(x=part)).schema["properties"]["x"]


ACCEPTABLE = [
    of(),
    {**of(), "required": []},
    {**of(city={**TEXT, "description": "Where.", "minLength": 1, "pattern": "^[A-Z]"}), "required": ["city"]},
    of(unit={"type": "string", "enum": ["C", "F"], "default": "C"}, when={**TEXT, "format": "date-time"}),
    of(days={"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 7}),
    of(at={**of(hour={"type": "integer"}), "required": ["hour"], "description": "When."}),
    of(either={"anyOf": [TEXT, {"type": "number"}], "description": "Either."}),
    of(title=TEXT, type=TEXT, properties=TEXT, items=TEXT, required={"type": "boolean"}, enum=TEXT),
    {**of(must={**TEXT, "nullable": True}), "required": ["must"]},
    of(maybe={"type": "number", "nullable": True}) | {"title": "Args", "description": "All of them."},
]


@pytest.mark.parametrize("schema", ACCEPTABLE)
def test_acceptable_schema_is_the_same(schema: dict[str, Any]) -> None:
    """What all providers take is passed on as it is, word by word."""
    accepted = acceptable_schema(schema)
    assert accepted.schema is schema
    assert (accepted.notes, accepted.changes, accepted.problems) == ((), (), ())


RECURSIVE = {
    **of(root={"$ref": "#/$defs/node"}),
    "$defs": {"node": of(next={"$ref": "#/$defs/node"}, v=TEXT)},
}
REFUSED: list[Any] = [
    None,
    True,
    [],
    "object",
    {},
    {"type": "object"},
    {"type": ["object", "null"]},
    {"type": 5, "properties": {"a": {"type": None}}},
    {"type": "OBJECT", "properties": {"a": TEXT}},
    {"type": "object", "properties": None, "required": None},
    {"type": "array", "items": TEXT},
    {**of(), "$schema": "http://json-schema.org/draft-07/schema#", "additionalProperties": False},
    {"$ref": "#/$defs/args", "$defs": {"args": of(path=TEXT)}},
    {"$ref": "https://example.com/schema.json"},
    of(x={"$ref": "#/nowhere"}, y={"$ref": "other.json#/a"}),
    of(x={"$ref": "#/anyOf/\u00b2"}, y={"$ref": f"#/anyOf/{'9' * 5000}"}) | {"anyOf": [of(a=TEXT)]},
    of(x={"$ref": "#node"}, y={"$anchor": "node", **TEXT}),
    RECURSIVE,
    {"$ref": "#"},
    {"allOf": [of(a=TEXT), {**of(b=TEXT), "required": ["b"]}]},
    {"anyOf": [of(path=TEXT), of(url=TEXT), {"type": "null"}]},
    {**of(a=TEXT, b=TEXT), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {**of(a=TEXT), "not": {"required": ["b"]}, "if": of(a={"const": 1}), "then": of(c=TEXT), "enum": [{}]},
    of(x=True, y=None, z={}, w={"description": "anything"}, v=[]),
    of(x={"type": "array"}, y={"type": "array", "items": {}}, z={"type": "array", "items": True}),
    of(x={"type": "array", "items": [TEXT, {"type": "integer"}]}, y={"prefixItems": [TEXT], "items": False}),
    of(x={"type": ["string", "null"]}, y={"type": ["string", "integer", "number", "array"]}, z={"type": []}),
    of(x={"type": "STRING"}, y={"type": "int"}, z={"type": "nonsense"}, w={"type": 5}),
    of(x={"const": "a"}, y={"const": 5}, z={"const": None}, w={"enum": [1, "a", None, True, {}]}),
    of(x={"enum": []}, y={"type": "string", "enum": ["", "a", "a"]}, z={"type": "integer", "enum": ["1"]}),
    of(x={**TEXT, "format": "uri"}, y={"type": "integer", "format": "uint8"}, z={"format": "date"}),
    of(x={"type": "integer", "exclusiveMinimum": 0}, y={"minimum": 0, "exclusiveMinimum": True}),
    of(x={"type": "number", "multipleOf": 0.5, "examples": [1]}, y={"type": "array", "uniqueItems": True}),
    of(x={"type": "object", "additionalProperties": TEXT, "propertyNames": {"pattern": "a"}}),
    of(x={"oneOf": [TEXT, {"anyOf": [{"type": "null"}, {"type": "boolean"}]}], "default": None}),
    of(x={"allOf": [{"$ref": "#/$defs/e"}], "description": "own"}) | {"$defs": {"e": {"enum": ["a"]}}},
    of(x={**of(a=TEXT), "anyOf": [{"required": ["a"]}, {"properties": {"b": TEXT}}]}),
    of(**{"$filter": TEXT, "a b": TEXT, "x" * 65: TEXT, "": TEXT}) | {"required": ["$filter"]},
    {**of(a=TEXT), "required": ["a", "b", "a", 5]},
    of(a={**TEXT, "required": True, "x-order": 1, "title": None, "minLength": "5", "pattern": 7}),
    {**of(a={"type": "object"}), "definitions": {"unused": {"const": 1}}, "id": "x"},
]


@pytest.mark.parametrize("schema", REFUSED, ids=lambda schema: json.dumps(schema)[:60])
def test_refused_schema_is_mended(schema: Any) -> None:
    """No provider refuses what comes out; doing it again changes nothing; what came in is left alone."""
    before = copy.deepcopy(schema)
    sent = tool(schema)
    assert complaints(sent) == []
    assert acceptable_schema(sent["parameters"]).schema is sent["parameters"]
    assert schema == before


def test_every_rule_is_broken_by_something() -> None:
    """The table holds nothing that no test shows: each rule of a schema refuses one of those above."""
    sent = [
        {"name": "t", "description": "", "parameters": schema}
        for schema in REFUSED
        if isinstance(schema, dict)
    ]
    odd = {"name": "3 d", "description": "x" * 1025, "parameters": {"type": "array"}}
    idle = [rule.what for rule in RULES if not any(list(rule.broken_by(one)) for one in [*sent, odd])]
    assert idle == []


def test_alternatives_are_one_object() -> None:
    """The arguments of all, required what all require, and the choice in words."""
    insert = {**of(op={"const": "insert"}, text=TEXT, at=TEXT), "required": ["op", "at", "text"]}
    delete = {**of(op={"const": "delete"}, at=TEXT), "required": ["op", "at"]}
    sent = tool({"anyOf": [insert, delete]})
    assert sent["parameters"] == {
        **of(op={"type": "string", "enum": ["insert", "delete"]}, text=TEXT, at=TEXT),
        "required": ["op", "at"],
    }
    assert 'Give one of: op="insert" + text | op="delete".' in sent["description"]


def test_choice_of_required_is_told() -> None:
    """`oneOf` beside the properties asks for one or the other: neither is required, and it is said."""
    sent = tool({**of(number=TEXT, title=TEXT), "oneOf": [{"required": ["number"]}, {"required": ["title"]}]})
    assert sent["parameters"] == of(number=TEXT, title=TEXT)
    assert sent["description"].startswith("Does it.\nGive one of: number | title.\n")


def test_references_are_put_in_place() -> None:
    """A local reference becomes what it points at, with the words beside it; a schema of itself ends."""
    schema = of(when={"$ref": "#/$defs/day", "description": "The day."}) | {
        "$defs": {"day": {"enum": ["mo", "tu"]}}
    }
    assert tool(schema)["parameters"] == of(
        when={"type": "string", "enum": ["mo", "tu"], "description": "The day."}
    )
    root = tool(RECURSIVE)["parameters"]["properties"]["root"]["properties"]
    assert root["v"] == TEXT
    assert root["next"]["type"] == "object"


def test_schema_that_multiplies_itself_ends() -> None:
    """Ten references to ten references and so on are no billion nodes."""
    levels = {f"l{n}": of(**{f"p{k}": {"$ref": f"#/$defs/l{n + 1}"} for k in range(10)}) for n in range(12)}
    accepted = acceptable_schema(of(x={"$ref": "#/$defs/l0"}) | {"$defs": {**levels, "l12": TEXT}})
    assert len(json.dumps(accepted.schema)) < 2_000_000


LARGE = {
    "choices": of(x={"enum": [f"v{n % 30_000}" for n in range(60_000)]}),
    "numbers": of(x={"enum": list(range(60_000))}),
    "alternatives": {"anyOf": [of(op={"const": n}, **{f"p{n}": TEXT}) for n in range(1000)]},
    "ways of an argument": {"anyOf": [of(x=of(**{f"p{n}": TEXT})) for n in range(1000)]},
    "options": of(x={"anyOf": [of(**{f"p{n}": TEXT}) for n in range(1000)]}),
    "parts": {"allOf": [of(**{f"p{n}": TEXT}) for n in range(1000)]},
    "both": {"allOf": [of(x={"enum": [str(n) for n in range(k, 20_000 + k)]}) for k in (0, 5)]},
    "required": {**of(a=TEXT), "required": [f"r{n}" for n in range(50_000)]},
    "anchors": of(**{f"p{n}": {"$ref": "#nowhere"} for n in range(300)}) | {"$defs": {"d": of(a=TEXT)}},
    "nested": of(x=functools.reduce(lambda inner, _: of(a=inner), range(300), TEXT)),
}


@pytest.mark.parametrize("schema", LARGE.values(), ids=LARGE)
@pytest.mark.timeout(30)
def test_large_schema_takes_no_time(schema: dict[str, Any]) -> None:
    """Nothing in it is compared with all the rest, which would take hours; it is mended like any other."""
    sent = tool(schema)
    assert complaints(sent) == []
    assert acceptable_schema(sent["parameters"]).schema is sent["parameters"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": ["string", "null"], "maxLength": 5}, {"type": "string", "maxLength": 5, "nullable": True}),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "title": "N"},
            {"type": "integer", "default": None, "title": "N", "nullable": True},
        ),
        ({"anyOf": [{"not": {}}, TEXT]}, TEXT),
        ({"anyOf": [{"anyOf": [{"not": {}}, TEXT]}, {"type": "null"}]}, {**TEXT, "nullable": True}),
        ({"anyOf": [False, TEXT, {"not": True}]}, TEXT),
        ({"const": "a", "description": "d"}, {"type": "string", "enum": ["a"], "description": "d"}),
        ({"enum": [1, 2, 5]}, {"type": "integer", "description": "One of 1, 2, 5"}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
        ({"type": "number", "exclusiveMaximum": 1}, {"type": "number", "description": "Less than 1"}),
        ({**TEXT, "format": "uri", "description": "Where."}, {**TEXT, "description": "Where. (format: uri)"}),
        ({"oneOf": [TEXT, {"type": "boolean"}]}, {"anyOf": [TEXT, {"type": "boolean"}]}),
        ({"properties": {"a": TEXT}}, of(a=TEXT)),
        ({"type": "object"}, {**of(), "description": "Any keys"}),
        (
            {"type": ["integer", "array"], "minimum": 1, "items": TEXT},
            {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": TEXT}]},
        ),
    ],
)  # fmt: skip
def test_meaning_is_kept(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """What one provider refuses is said in another way, in words where there is none."""
    assert argument(given) == expected


def test_argument_that_nothing_fits_is_left_out() -> None:
    """No model can give it."""
    assert acceptable_schema(of(a=TEXT, b=False, c={"not": {}})).schema == of(a=TEXT)


def test_names_of_arguments_that_are_refused_are_told() -> None:
    """Such an argument leaves the schema for the description; where it is required that is a problem."""
    accepted = acceptable_schema({**of(**{"$top": {"type": "integer"}, "a b": TEXT}), "required": ["a b"]})
    assert accepted.schema == of()
    assert accepted.notes == ('also takes "$top" (integer)', 'also needs "a b" (string)')
    assert accepted.problems == ('providers refuse the name of an argument that it needs: "a b"',)


def test_what_is_lost_is_a_problem() -> None:
    """A document elsewhere is not fetched, and arguments that are no object cannot be sent."""
    assert (
        "'https://example.com/s.json' is another document"
        in acceptable_schema({"$ref": "https://example.com/s.json"}).problems[0]
    )
    assert 'have to be "array"' in acceptable_schema({"type": "array"}).problems[0]


def test_description_is_cut_at_a_sentence() -> None:
    """At most 1,024 characters with the notes and the server's name, and a whole sentence at the end."""
    accepted = acceptable_schema({**of(a=TEXT, b=TEXT), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})
    suffix = "\n[from MCP server: s]"
    cut = described("A sentence of words. " * 100, accepted, suffix)
    assert 900 < len(cut) <= 1024
    assert cut.endswith(f"A sentence of words. …\nGive one of: a | b.{suffix}")
    plain = acceptable_schema(of())
    assert described("Short.", plain, suffix) == f"Short.{suffix}"
    for text in ("x" * 5000, "word " * 1000, "文。" * 3000, "\n".join(["line"] * 900)):
        assert len(described(text, plain, suffix)) <= 1024
    assert len(described("x" * (1024 - len(suffix)), plain, suffix)) == 1024
