"""JSON values by what they are."""

from __future__ import annotations

from llm_tools_mcp.acceptable.values import distinct


def test_distinct_values_stay_where_they_come_first() -> None:
    """In the order in which a server wrote them; 1, 1.0 and true are three, keys have no order."""
    assert distinct(["a", "b", "a"]) == ["a", "b"]
    assert list(map(repr, distinct([1, True, 1.0, 1]))) == ["1", "True", "1.0"]
    assert list(distinct([{"a": 1, "b": 2}, {"b": 2, "a": 1}])[0]) == ["a", "b"]
