"""What is typed becomes the JSON that a schema asks for."""

from __future__ import annotations

from typing import Any

import pytest

from llm_tools_mcp.cli.schema import Mistyped, complaints, convert, kind_of, usage


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


def test_usage_shows_required_arguments_first() -> None:
    """As in a synopsis."""
    schema = {"properties": {"head": {"type": "integer"}, "path": {"type": "string"}}, "required": ["path"]}
    assert usage(schema) == "path=STRING [head=INTEGER]"


def test_schema_that_refers_to_itself_is_survived() -> None:
    """Servers may send anything."""
    looping = {"$defs": {"a": {"$ref": "#/$defs/a"}, "b": {"type": "array", "items": {"$ref": "#/$defs/b"}}}}
    assert kind_of({"$ref": "#/$defs/a"}, looping) == "any"
    assert kind_of({"$ref": "#/$defs/b"}, looping).startswith("array of array")
    for nonsense in (None, 5, "text", [], {"type": 5}, {"enum": 3}, {"anyOf": [1, None]}, {"properties": []}):
        kind_of(nonsense, {"properties": {"x": nonsense}})
        convert("x", ["1"], of(nonsense))
