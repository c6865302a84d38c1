"""What is typed becomes the JSON that a schema asks for."""

from __future__ import annotations

from typing import Any

import pytest

from llm_tools_mcp.cli.schema import arguments_of, complaints, kind_of, usage
from llm_tools_mcp.cli.typed_arguments import Mistyped, convert


def of(part: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}, **more}


@pytest.mark.parametrize(
    ("part", "text", "value"),
    [
        ({"type": "string"}, "12", "12"),
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, "12345678901234567890", 12345678901234567890),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "No", False),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "array", "items": {"type": "string"}}, "one", ["one"]),
        ({"type": "array", "items": {"type": "integer"}}, "7", [7]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": ["integer", "string"]}, "abc", "abc"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "3", 3),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "3", "3"),
        ({"enum": ["a", 2]}, "2", 2),
        ({"const": "only"}, "only", "only"),
        ({}, "[1]", [1]),
        ({}, "text", "text"),
        (True, "text", "text"),
        ({"$ref": "#/$defs/n"}, "5", 5),
        ({"allOf": [{"$ref": "#/$defs/n"}], "default": 1}, "5", 5),
        ({"type": "integer"}, "1e3", 1000),
        ({"anyOf": [{"type": "boolean"}, {"type": "number"}]}, "1", 1),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "3", [3]),
        ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}, "a", "a"),
        ({"anyOf": [{"enum": ["x", "y"], "type": "string"}, {"type": "null"}]}, "null", None),
        ({}, "NaN", "NaN"),
        ({"type": "array", "enum": [1, 2]}, "[1]", [1]),
        ({"anyOf": [{"type": "string", "enum": ["x"]}, {"type": "null", "enum": ["x"]}]}, "null", None),
    ],
)
def test_value_is_read_as_the_schema_says(part: Any, text: str, value: Any) -> None:
    """Types, lists of types, choices, references; JSON or text where the schema says nothing."""
    converted = convert("x", [text], of(part, **{"$defs": {"n": {"type": "integer"}}}))
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "integer"}, "1.5"),
        ({"type": "integer"}, "true"),
        ({"type": "number"}, "many"),
        ({"type": "boolean"}, "perhaps"),
        ({"type": "object"}, "[1]"),
        ({"type": "array", "items": {"type": "integer"}}, "a"),
        ({"enum": ["a", "b"]}, "c"),
        ({"anyOf": [{"enum": ["x", "y"], "type": "string"}, {"type": "null"}]}, "z"),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "x"),
        ({"allOf": [{"enum": ["a", "b"]}]}, "c"),
        ({"type": "integer"}, "1e400"),
        ({"type": "number"}, "NaN"),
        ({"type": "number"}, "1e400"),
        ({"type": "array", "items": {"type": "integer"}}, "[" * 100_000),
    ],
)
def test_value_that_does_not_fit_is_refused(part: Any, text: str) -> None:
    """By the name of the argument, with what would fit."""
    with pytest.raises(Mistyped, match=r"^x: "):
        convert("x", [text], of(part))


def test_repeated_key_is_a_list() -> None:
    """Where the schema asks for a list; elsewhere it is a mistake."""
    assert convert("x", ["1", "2"], of({"type": "array", "items": {"type": "integer"}})) == [1, 2]
    with pytest.raises(Mistyped, match="given 2 times"):
        convert("x", ["1", "2"], of({"type": "integer"}))


def test_unknown_arguments_are_complained_about_unless_allowed() -> None:
    """A tool that names its arguments takes no others, unless it says so."""
    assert complaints(["y"], of({})) == ["there is no argument 'y'"]
    assert complaints(["y"], of({}, additionalProperties=True)) == []
    assert complaints(["y"], {"type": "object"}) == []
    assert complaints(["y"], of({}, required=["y"])) == []
    inner = of({"type": "object", "properties": {"y": {}}})
    assert complaints(["x.y"], inner)[0].endswith("what lies within 'x' is given as JSON: x='…'")


def test_usage_shows_required_arguments_first() -> None:
    """As in a synopsis."""
    schema = {"properties": {"head": {"type": "integer"}, "path": {"type": "string"}}, "required": ["path"]}
    assert usage(schema) == "path=STRING [head=INTEGER]"


def test_usage_of_lists() -> None:
    """What stands in place of a value is one item; … says that there may be more."""
    lists = {"type": "array", "items": {"type": "string"}}
    maybe = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    properties = {"tags": lists, "any": {"type": "array"}, "n": maybe}
    assert usage({"properties": properties}) == "[tags=STRING…] [any=VALUE…] [n=INTEGER]"


def test_defaults_are_told() -> None:
    """As JSON; one that is empty says nothing."""
    given = [5, "a b", False, "", None, {}]
    properties = {f"x{n}": {"default": default} for n, default in enumerate(given)}
    told = [argument.default for argument in arguments_of({"properties": properties})]
    assert told == ["5", '"a b"', "false", "", "", ""]


def test_schema_that_refers_to_itself_is_survived() -> None:
    """Servers may send anything."""
    looping = {"$defs": {"a": {"$ref": "#/$defs/a"}, "b": {"type": "array", "items": {"$ref": "#/$defs/b"}}}}
    assert kind_of({"$ref": "#/$defs/a"}, looping) == "any"
    assert kind_of({"$ref": "#/$defs/b"}, looping).startswith("array of array")
    assert kind_of({"$ref": "#/$defs/c"}, {"$defs": {"c": {"allOf": [{"$ref": "#/$defs/c"}] * 3}}}) == "any"
    for nonsense in (
        None,
        5,
        "text",
        [],
        {"type": 5},
        {"enum": 3},
        {"anyOf": [1, None]},
        {"anyOf": 7},
        {"allOf": 7},
    ):
        kind_of(nonsense, {"properties": {"x": nonsense}})
        convert("x", ["1"], of(nonsense))


def test_kinds_in_words() -> None:
    """Choices and lists are told inside of alternatives too."""
    level = {"anyOf": [{"enum": ["low", "high"], "type": "string"}, {"type": "null"}]}
    assert kind_of(level, {}) == '"low" or "high" or null'
    many = {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}
    assert kind_of(many, {}) == "array of integer or null"


def test_what_was_typed_is_repeated_in_short() -> None:
    """It may be the content of a file."""
    with pytest.raises(Mistyped) as refused:
        convert("x", ["a" * 10_000], of({"type": "integer"}))
    assert len(str(refused.value)) < 200
