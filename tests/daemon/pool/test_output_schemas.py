"""Results are held against `outputSchema`, to warn in the log alone."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.pool.conformity import misfit
from llm_tools_mcp.daemon.pool.output_schemas import OutputSchemas
from llm_tools_mcp.daemon.pool.tool_cache import ToolList
from tests.daemon.live import Live, variant, with_live
from tests.daemon.web import Legacy, serving
from tests.waiting import wait_until_async

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "names": {"type": ["array", "null"], "items": {"$ref": "#/$defs/name"}},
        "kind": {"enum": ["a", "b"]},
        "any": {},
    },
    "required": ["n"],
    "$defs": {"name": {"type": "string", "minLength": 2}},
}
# Each level refers to the next one twice: 2^60 steps.
MULTIPLIED = {
    "$ref": "#/$defs/d0",
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)} | {"d60": {}},
}
HOSTILE = (
    MULTIPLIED,
    {
        **MULTIPLIED,
        "$defs": {**MULTIPLIED["$defs"], "d3": {"$schema": "http://json-schema.org/draft-07/schema#"}},
    },
    {"$ref": "#"},
    {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False},
    {"additionalProperties": {"pattern": "(a+)+$"}},
    {"properties": 5, "required": "x", "type": {"x": 1}},
    {"$ref": "#/nowhere"},
    {"$ref": "http://[/nonsense"},
    {"allOf": 1e999},
    True,
    7,
)


@pytest.mark.parametrize(
    ("structured", "problem"),
    [
        ({"n": 1, "names": None, "any": 5, "more": 1}, ""),
        ({"n": 2.0, "names": ["ab"], "kind": "a"}, ""),
        ({}, 'required: ["n"]'),
        ({"n": True}, 'properties/n/type: "integer"'),
        ({"n": 1, "names": "secret"}, 'properties/names/type: ["array", "null"]'),
        ({"n": 1, "names": ["ab", "c"]}, "properties/names/items/minLength: 2"),
        ({"n": 1, "kind": "secret"}, 'properties/kind/enum: ["a", "b"]'),
        ([1], 'type: "object"'),
    ],
)
def test_misfits(structured: Any, problem: str) -> None:
    """All of JSON Schema counts; what is told is the schema's, and nothing of the value."""
    assert misfit(json.dumps(SCHEMA), structured) == problem


@pytest.mark.parametrize("schema", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_schema_finds_nothing_and_takes_no_time(schema: Any) -> None:
    """One that multiplies itself, or is no schema, is no reason to complain; nor does it take for ever."""
    assert misfit(json.dumps(schema), {"a" * 60 + "!": "a" * 60 + "!", "list": [1, 2]}) == ""


@with_live
async def test_nothing_is_fetched(live: Live) -> None:
    """A schema elsewhere is not asked for, whichever way it is named."""
    async with serving(Legacy()) as web:
        for schema in ({"$ref": web.url()}, {"$id": web.url(), "$ref": "x#/y"}, {"$schema": web.url()}):
            await asyncio.to_thread(misfit, json.dumps(schema), {"x": 1})
        assert web.requests == []


def test_misfit_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Once for each tool; never for an error, nor for a tool without such a schema."""
    tools = (v1.Tool(name="a", output_schema='{"required": ["n"]}'), v1.Tool(name="b"))
    known, outputs = ToolList(tools, 0.0, is_legacy=False), OutputSchemas()

    async def check(*checks: Any) -> None:
        for one in checks:
            outputs.check("s", *one)
            await outputs.finish()

    with caplog.at_level(logging.WARNING):
        fits: Any = {"structuredContent": {"n": 1}}
        asyncio.run(
            check(("b", known, {}), ("a", known, {"isError": True}), ("a", None, {}), ("a", known, fits))
        )
        assert caplog.messages == []
        asyncio.run(check(*[("a", known, {"structuredContent": {}})] * 2))
    assert caplog.messages == ['a result of a of s does not fit its outputSchema: required: ["n"]']


@with_live
async def test_result_of_a_server_is_checked(live: Live, caplog: Any) -> None:
    """The call itself is none the worse for it."""
    body = """
    def tool(self, name):
        return {**super().tool(name), "outputSchema": {"type": "object"}}
    """
    server = live.define({"odd": variant(body)})
    await live.names(server)
    assert await live.call(server, "echo", text="hi") == "hi"
    await wait_until_async(lambda: "there is no structured content" in caplog.text)
