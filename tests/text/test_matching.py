"""Patterns of others: what they find is told, and what never ends is ended."""

from __future__ import annotations

import pytest

from llm_tools_mcp.text.matching import BadPattern, matching


def test_what_is_found_is_told() -> None:
    """The texts by index, whatever characters they hold."""
    texts = ["one\ud800", "TWO\0", "three\n", "zwölf"]
    assert matching("t", texts) == [2]
    assert matching("t|Ö", texts, any_case=True) == [1, 2, 3]
    assert matching("\ud800", texts) == [0]
    assert matching("x", []) == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+$", "took too long"),
        ("(?:a{0,65535}){0,65535}$x", "took too long|too much memory"),
        ("(", "no regular expression: missing"),
        ("a{99999999999999999999}", "no regular expression"),
    ],
)
def test_what_cannot_be_told_is_an_error(pattern: str, why: str) -> None:
    """A pattern that never ends is ended, one that is none is said to be none."""
    with pytest.raises(BadPattern, match=why):
        matching(pattern, ["a" * 60 + "!"] * 3000)
