"""Results are held against `outputSchema`, to warn in the log alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.pool.outputs import Outputs, misfits
from llm_tools_mcp.daemon.pool.tool_cache import ToolList

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "names": {"type": ["array", "null"]}, "any": {}},
    "required": ["n"],
}


@pytest.mark.parametrize(
    ("structured", "problems"),
    [
        ({"n": 1, "names": None, "any": 5, "more": 1}, []),
        ({"n": 2.0, "names": []}, []),
        ({}, ["'n' is missing"]),
        ({"n": True}, ["'n' is not of type 'integer'"]),
        ({"n": 1, "names": "x"}, ["'names' is not of type ['array', 'null']"]),
        (None, ["there is no structured content, or it is no object"]),
        ([1], ["there is no structured content, or it is no object"]),
    ],
)
def test_misfits(structured: Any, problems: list[str]) -> None:
    """What the outline shows; and what is no schema is no reason to complain."""
    assert list(misfits(structured, SCHEMA)) == problems
    assert list(misfits({"x": 1}, {"properties": 5, "required": "x"})) == []


def test_misfit_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Once for each tool; never for an error, nor for a tool without such a schema."""
    tools = (v1.Tool(name="a", output_schema='{"required": ["n"]}'), v1.Tool(name="b"))
    known, outputs = ToolList(tools, 0.0, is_legacy=False), Outputs()
    with caplog.at_level(logging.WARNING):
        outputs.check("s", "b", known, {"content": []})
        outputs.check("s", "a", known, {"isError": True})
        outputs.check("s", "a", None, {"structuredContent": {}})
        outputs.check("s", "a", known, {"structuredContent": {"n": 1}})
        assert caplog.messages == []
        for _ in range(2):
            outputs.check("s", "a", known, {"structuredContent": {}})
    assert caplog.messages == ["a result of a of s does not fit its outputSchema: 'n' is missing"]
