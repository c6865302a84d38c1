"""A JSON text that is changed in place."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from llm_tools_mcp.cli.rewriting import repeated_keys, rewritten
from llm_tools_mcp.config import decoded

LIVELY = """// head
{
  // servers
  "mcpServers": {
    // about a
    "a": {"command": "x", "args": ["1", "2"]}, // behind a
    "b": { "command": "y", /* in b */ "env": {"A": "// none"} }, "c": {"command": "z"},

    /* about d */
    "d": {
      "command": "w",
      "args": [
        "p",
      ],
    }, // behind d
  },
  "other": [{}] // o
}
// foot
"""
TEXTS = [
    LIVELY,
    LIVELY.replace("\n", "\r\n"),
    LIVELY.replace("    },", "    }"),
    '{"mcpServers": {"a": {"command": "x"}}}',
    '{\n "mcpServers": {\n  // none\n }\n}',
    '{\n\t"mcpServers": {}}',
    '{"mcpServers": {"a": {"command":"x"},\n"b":{"command":"y"}\n}, "z": [{}]}',
]
TEXTS += ['{"mcpServers": {"a": {"command": "x", "args": ["1",],}, "b": {"env": {"A": "1",}},},}']
TEXTS += ['{"mcpServers": {"a": {"args": "", "env": {/* none */}} /* behind d */} /* about a */}\n// foot']
COMMENTS = ("// head", "// servers", "// about a", "// behind a", "/* about d */", "// behind d", "// foot")


def change(servers: dict[str, Any], chance: random.Random) -> None:
    """One thing that a command does."""
    name = chance.choice([*servers, "new"])
    what = chance.random()
    if what < 0.3:
        servers.pop(name, None)
    elif what < 0.6 or name not in servers:
        servers[f"n{chance.random()}"] = {"command": "q", "args": ["x" * chance.randint(0, 99)]}
    elif what < 0.8:
        servers[name].update(chance.choice([{"disabled": True}, {"args": ["1"]}, {"env": {"B": "2"}}]))
    elif what < 0.9 and servers[name]:
        servers[name].pop(chance.choice([*servers[name]]))
    elif servers[name]:
        *others, last = servers[name].items()
        servers[name] = {**dict(others), "renamed": last[1]}


@pytest.mark.parametrize("text", TEXTS)
def test_any_change_gives_just_that_document(text: str) -> None:
    """In the same order; comments outside of what has gone are there, as long as anything is."""
    chance = random.Random(text)
    before = decoded("", text)
    for _ in range(300):
        after = copy.deepcopy(before)
        for _ in range(chance.randint(1, 3)):
            change(after["mcpServers"], chance)
        changed = rewritten(text, before, after)
        assert decoded("", changed) == after, changed
        assert list(decoded("", changed)["mcpServers"]) == list(after["mcpServers"])
        if after["mcpServers"]:
            assert [comment for comment in COMMENTS if comment in text and comment not in changed] == []


def test_no_change_is_none() -> None:
    """To the character."""
    assert rewritten(LIVELY, decoded("", LIVELY), decoded("", LIVELY)) == LIVELY


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ('{\n"m": {"A": "1",},\n}', '{\n"m": {"A": "1", "B": "2",},\n}'),
        ('{"m": {"A": "1",}}', '{"m": {"A": "1", "B": "2",}}'),
        ('{"m": {"A": "1"},}', '{"m": {"A": "1", "B": "2"},}'),
        ('{"m": {"A": "1", /* why */}}', '{"m": {"A": "1", "B": "2", /* why */}}'),
    ],
)
def test_comma_at_the_end_of_an_object_stays(text: str, changed: str) -> None:
    """Also of an object in one line, to which something is added."""
    assert rewritten(text, {"m": {"A": "1"}}, {"m": {"A": "1", "B": "2"}}) == changed


def test_comma_at_the_end_of_an_array_stays() -> None:
    """In one line, and in several."""
    for text, changed in (
        ('{\n "a": ["1",]\n}', '{\n "a": ["1", "2",]\n}'),
        ('{\n "a": [\n  "1",\n ]\n}', '{\n "a": [\n  "1",\n  "2",\n ]\n}'),
        ('{\n "a": ["1"]\n}', '{\n "a": ["1", "2"]\n}'),
    ):
        assert rewritten(text, {"a": ["1"]}, {"a": ["1", "2"]}) == changed
    assert rewritten('{\n "a": ["1",]\n}', {"a": ["1"]}, {"a": []}) == '{\n "a": []\n}'


def test_renamed_key_keeps_its_place() -> None:
    """And all that stands beside it."""
    before = decoded("", LIVELY)
    names = [("other a" if name == "a" else name) for name in before["mcpServers"]]
    after = {**before, "mcpServers": dict(zip(names, before["mcpServers"].values(), strict=True))}
    assert rewritten(LIVELY, before, after) == LIVELY.replace('"a": {', '"other a": {')


def test_renamed_key_beside_other_changes() -> None:
    """As `set NAME enabled=false timeout=5 --unset isActive` makes them: all of them are made."""
    before, after = {"isActive": False, "timeout": 3}, {"enabled": False, "timeout": 5}
    text = '{\n "isActive": false, // so far\n "timeout": 3\n}'
    changed = text.replace("isActive", "enabled").replace("3", "5")
    assert rewritten(text, before, after) == changed


def test_comments_stay_in_an_object_that_becomes_empty_or_is_filled() -> None:
    """Such as servers that somebody has commented out."""
    empty, filled = '{"m": {\n // "B": 1\n}}', '{"m": {\n "A": 1\n // "B": 1\n}}'
    assert rewritten(filled, {"m": {"A": 1}}, {"m": {}}) == empty
    assert '// "B": 1\n' in rewritten(empty, {"m": {}}, {"m": {"A": 1}})


def test_repeated_keys() -> None:
    """In any object, also one in a list; not in two objects beside each other."""
    assert repeated_keys('{"a": {"x": 1}, "b": {"x": 2}, "c": ["x", "x"]} // "a": "a":') == []
    assert repeated_keys('{"a": [{"x": 1, /* "y" */ "x": 2}], "a": 1}') == ["x", "a"]
