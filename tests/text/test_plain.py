"""What may be shown of anybody's text, and what JSON leaves with."""

from __future__ import annotations

import json

import pytest

from llm_tools_mcp.text import strict_json
from llm_tools_mcp.text.plain import plain, visible, visible_name


@pytest.mark.parametrize(
    "hidden",
    [
        *("\u061c", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\u202e", "\u3164", "\u2800"),
        *("\U000e0041\U000e0042", "\U000e0101\U000e0150", "\u180e", "\ufff9", "\x1b[31m", "\x07", "\x9b"),
    ],
)
def test_what_nobody_sees_is_left_out(hidden: str) -> None:
    """Tags, zero width, fillers, marks of direction, supplementary variations: none reaches a reader."""
    assert plain(f"rea{hidden}d me{hidden}") == "read me"


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "检索 café ñ", "❤️ 👍🏽", "हिन्दी"])
def test_what_people_write_stays(text: str) -> None:
    """Letters, marks that belong to them, emoji with their own variation."""
    assert plain(text) == text


BREAKING = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("character", [*BREAKING, "\x1b", "\u200b", "\u202e", "\ud800"])
def test_nothing_ends_a_line_unseen(character: str) -> None:
    """What splits lines does so as a newline or not at all; for a decision each stands there as an escape."""
    assert len(plain(f"a{character}b").splitlines()) == len(plain(f"a{character}b").split("\n"))
    assert visible(f"a{character}b") == f"a{ascii(character)[1:-1]}b"
    assert visible_name(f"a{character}b") == f'"a{ascii(character)[1:-1]}b"'


def test_names_look_like_nothing_else() -> None:
    """One with what could be a value, or the next name, is in quotes."""
    assert visible_name("@modelcontextprotocol/server-time_2.0") == "@modelcontextprotocol/server-time_2.0"
    assert visible_name("path: /tmp, force") == '"path: /tmp, force"'


def test_message_in_variations_is_left_out() -> None:
    """One tells how an emoji looks; a row of them is read by models alone."""
    assert plain("ok\ufe0f\ufe0e\ufe0f\ufe0e!") == "ok\ufe0f!"


def test_numbers_that_json_does_not_know_leave_as_null() -> None:
    """NaN and Infinity, however deep."""
    value = {"a": [float("nan"), 1e999, {"b": -1e999}], "c": 0.5}
    assert json.loads(strict_json.dumps(value)) == {"a": [None, None, {"b": None}], "c": 0.5}
