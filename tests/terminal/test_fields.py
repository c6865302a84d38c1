"""Fields of a form: what is typed becomes a value of the field's type, or a reason that helps."""

from __future__ import annotations

import json
import resource
from typing import Any

import pytest

from llm_tools_mcp.terminal.fields import Field, Unfit, Wrong, fields_of, parse

COLOURS = {
    "type": "string",
    "oneOf": [{"const": "#f00", "title": "Red"}, {"const": "#0f0", "title": "Green"}],
}
TAGS = {"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}, "minItems": 1, "maxItems": 2}


def field(schema: dict[str, Any], *, key: str = "it", required: bool = False) -> Field:
    form = {"type": "object", "properties": {key: schema}, "required": [key] if required else []}
    (only,) = fields_of(json.dumps(form))
    return only


@pytest.mark.parametrize(
    ("schema", "typed", "value"),
    [
        ({"type": "string"}, "some text", "some text"),
        ({"type": "string"}, '""', ""),
        ({}, "no type is text", "no type is text"),
        ({"type": "string", "minLength": 2, "maxLength": 3}, "äöü", "äöü"),
        ({"type": "string", "format": "email"}, "ada@example.org", "ada@example.org"),
        ({"type": "string", "format": "uri"}, "https://example.org/x", "https://example.org/x"),
        ({"type": "string", "format": "date"}, "2024-02-29", "2024-02-29"),
        ({"type": "string", "format": "date-time"}, "2026-12-31T18:30:00Z", "2026-12-31T18:30:00Z"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "abc", "abc"),
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 40 + "!", "a" * 40 + "!"),  # the server judges
        ({"type": "string", "pattern": "(?<js>["}, "x", "x"),  # the same
        ({"type": "integer", "minimum": 0}, "007", 7),
        ({"type": "integer"}, "-12345678901234567890", -12345678901234567890),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number", "exclusiveMinimum": 0}, ".5", 0.5),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "off", False),
        ({"type": "string", "enum": ["2", "1"]}, "2", "2"),  # the value before the number
        ({"type": "string", "enum": ["x", "y"], "enumNames": ["Ex", "Why"]}, "why", "y"),
        (COLOURS, "2", "#0f0"),
        (COLOURS, "red", "#f00"),
        (TAGS, "3, a,3", ["c", "a"]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "Age"}, "5", 5),
    ],
)
def test_what_fits(schema: dict[str, Any], typed: str, value: object) -> None:
    """It becomes a value of the field's type."""
    parsed = parse(field(schema), typed)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("schema", "typed", "why"),
    [
        ({"type": "string", "minLength": 2}, "a", "it needs at least 2 characters"),
        ({"type": "string", "minLength": 2, "maxLength": 3}, "abcd", "it needs 2 to 3 characters"),
        ({"type": "string"}, "x" * 5000, "longer than 4000"),
        ({"type": "string", "format": "email"}, "ada", "such as ada@example.org"),
        ({"type": "string", "format": "uri"}, "example", "a whole address"),
        ({"type": "string", "format": "date"}, "2026-02-30", "such as 2026-12-31"),
        ({"type": "string", "format": "date"}, "20261231", "such as 2026-12-31"),
        ({"type": "string", "format": "date-time"}, "2026-12-31T18:30:00", "with its zone"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A1", r"the pattern \^\[a-z\]\+\$"),
        ({"type": "integer"}, "1.5", "a whole number"),
        ({"type": "integer"}, "1_000", "a whole number"),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "6", "it has to be 1 to 5"),
        ({"type": "number", "exclusiveMaximum": 1}, "1", "less than 1"),
        ({"type": "number"}, "nan", "a number is needed"),
        ({"type": "number"}, "1e999", "a number is needed"),
        ({"type": "number"}, "0,5", "a number is needed"),
        ({"type": "boolean"}, "maybe", "yes or no"),
        (COLOURS, "3", "none of the choices; type the number of one, 1 to 2"),
        (COLOURS, "0", "none of the choices"),
        (COLOURS, "²", "none of the choices"),
        (TAGS, "1,2,3", "choose 1 to 2"),
        (TAGS, ",", "choose 1 to 2"),
    ],
)
def test_what_does_not_fit(schema: dict[str, Any], typed: str, why: str) -> None:
    """The reason says what would."""
    with pytest.raises(Wrong, match=why):
        parse(field(schema), typed)


@pytest.mark.parametrize(
    ("schema", "default"),
    [
        ({"type": "string", "default": "x"}, "x"),
        ({"type": "integer", "default": 0}, 0),
        ({"type": "boolean", "default": False}, False),
        ({"type": "number", "default": True}, None),
        ({"type": "integer", "default": 7, "maximum": 5}, None),
        ({**COLOURS, "default": "#f00"}, "#f00"),
        ({**COLOURS, "default": "Red"}, None),
        ({**TAGS, "default": ["a", "b"]}, ["a", "b"]),
        ({**TAGS, "default": "a"}, None),
    ],
)
def test_defaults(schema: dict[str, Any], default: object) -> None:
    """One that does not fit its own field is none."""
    assert field(schema).default == default


BIG = 10**400


@pytest.mark.parametrize(
    ("schema", "expects", "default"),
    [
        ({"type": "string", "maxLength": BIG, "default": "x"}, "at most 1000", "x"),
        ({"type": "string", "minLength": BIG, "default": "x"}, "at least 1000", None),
        ({"type": "integer", "minimum": BIG, "default": 1}, "at least 1000", None),
        ({"type": "number", "maximum": BIG, "default": 0.5}, "at most 1000", 0.5),
        ({"type": "integer", "minimum": 1e999, "default": 3}, "whole number", 3),
        ({"type": "integer", "default": 1e999}, "whole number", None),
        ({"type": "integer", "default": float("nan")}, "whole number", None),
        ({"type": "number", "default": float("nan")}, "number", None),
        ({**TAGS, "maxItems": BIG, "default": ["a"]}, "1 to 1000", ["a"]),
        ({"type": "string", "oneOf": 5, "default": "x"}, "text", "x"),
    ],
)
def test_numbers_beyond_floats(schema: dict[str, Any], expects: str, default: object) -> None:
    """They bound as any, are shown short, and what is no number at all is none."""
    found = field(schema)
    assert (expects in found.expects, len(found.expects) < 100) == (True, True)
    assert found.default == default


@pytest.mark.parametrize(
    "form", [f'{{"properties": {{"a": {{"minimum": 1{"0" * 5000}}}}}}}', '{"properties": 5}']
)
def test_forms_that_cannot_be_read(form: str) -> None:
    """They are declined with words."""
    with pytest.raises(Unfit, match="the form"):
        fields_of(form)


def test_patterns_of_defaults_are_tried_once() -> None:
    """A form full of slow ones does not hold the person up for each, nor again at each look."""
    slow = {"type": "string", "pattern": "(a+)+$", "default": "a" * 60 + "!"}
    wrong = {"type": "string", "pattern": "^b$", "default": "a"}
    properties = {"wrong": wrong} | {f"slow{number}": slow for number in range(40)}
    begun = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    fields = fields_of(json.dumps({"properties": properties}))
    assert [one.default for one in fields] == [None, *[slow["default"]] * 40]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begun < 20


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "array", "items": {"type": "string"}}])
def test_what_no_form_has(schema: dict[str, Any]) -> None:
    """A field that cannot be typed in makes the form unfit."""
    with pytest.raises(Unfit, match="'it'"):
        field(schema)


@pytest.mark.parametrize(
    ("key", "is_secret"),
    [
        *((key, True) for key in ("password", "api_key", "ACCESS_TOKEN", "pin")),
        *((key, False) for key in ("author", "keyword", "shipping")),
    ],
)
def test_secrets(key: str, is_secret: bool) -> None:  # noqa: FBT001 - a table
    """A field that looks like a secret is known by its name."""
    assert field({"type": "string"}, key=key).looks_secret is is_secret
