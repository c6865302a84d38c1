"""--json: whoever asks for JSON gets some, also of what goes wrong."""

from __future__ import annotations

import json

import pytest

from tests.home import Home


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "nope", "--json"], 1, "no MCP server is called 'nope'"),
        (["tools", "nope", "--json"], 1, "no MCP server is called 'nope'"),
        (["read", "nope", "a:b", "--json"], 1, "no MCP server is called 'nope'"),
        (["read", "--json"], 2, "Missing argument"),
        (["list", "--config", "gone.json", "--jsn", "--json"], 2, "No such option"),
        (["call", "--json"], 2, "Missing argument"),
    ],
)
def test_error_is_an_object(home: Home, words: list[str], code: int, said: str) -> None:
    """On stdout, with the words that a person reads on stderr."""
    home.write_config({"a": {"command": "true"}})
    failed = home.run_cli(*words, check=False)
    told = json.loads(failed.stdout)
    assert failed.code == code
    assert said in told["error"]
    assert told["error"].splitlines()[0] in failed.stderr
    assert ("is_error" in told) == (words[0] == "call")


def test_json_behind_two_dashes_is_none_of_ours(home: Home) -> None:
    """It belongs to what is called."""
    failed = home.run_cli("call", "a", "--", "--json", check=False)
    assert (failed.code, failed.stdout) == (1, "")
