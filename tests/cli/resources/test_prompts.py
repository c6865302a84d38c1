"""`llm mcp prompts` and `prompt`: what servers have to say in one's place."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.help.test_completion import BASH, completed, in_bash
from tests.home import Home
from tests.servers import entry, library_server
from tests.servers.library import PNG


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for the tests here, with a server that has prompts of every kind."""
    home = Home(tmp_path_factory.mktemp("reader") / "home")
    home.write_config({"library": entry(library_server())})
    yield home
    home.close()


def test_listing(reader: Home) -> None:
    """Names, what they take, and what they are for; completion knows them afterwards."""
    lines = reader.run_here("prompts").stdout.splitlines()
    assert lines[:3] == ["library", "  plain  Nothing to fill in.", "  travel city=… [style=…]  Where to go."]
    found = json.loads(reader.run_here("prompts", "library", "--json").stdout)["prompts"]
    assert found[1]["arguments"][0] == {"name": "city", "description": "where", "is_required": True}
    assert completed(reader, "prompt", "library", "t") == ["travel", "talk"]
    assert completed(reader, "prompt", "library", "travel", "city=x", "''") == ["style="]
    if BASH:  # with another PATH than where the server was connected
        typed = "llm-mcp prompt library travel ci\tP\t"
        assert in_bash(reader, typed)[-1] == "city=Paris"


def test_prompts(reader: Home) -> None:
    """The text on stdout, who says what where it is not the user alone, images in a file."""
    assert reader.run_here("prompt", "library", "travel", "city=Bern").stdout == (
        "Tell me of Bern (no style) for $9\n"
    )
    assert reader.run_here("prompt", "library", "coded").stdout == "täxt\n"
    talk = reader.run_here("prompt", "library", "talk", "-o", str(reader.work / "image.png"))
    assert talk.stdout.startswith("User: What is this?\n\nUser: book 1\n\nAssistant: A book.\n\n")
    assert (reader.work / "image.png").read_bytes() == PNG
    roles = [one["role"] for one in json.loads(reader.run_here("prompt", "library", "talk", "--json").stdout)]
    assert roles == ["user", "user", "assistant", "user", "user"]


def test_what_is_no_prompt(reader: Home) -> None:
    """Each says what is wrong and what there is."""
    for words, complaint in [
        (["travel"], "needs a value for 'city'; it takes: city=… [style=…]"),
        (["travel", "town=x"], "has no argument 'town'; it takes: city=… [style=…]"),
        (["nope"], "has no prompt 'nope'; it has: plain, travel, "),
        (["count", "number=x"], "there is no 'number' (it takes: number=…)"),
    ]:
        result = reader.run_here("prompt", "library", *words, check=False)
        assert result.code == 1
        assert complaint in result.stderr
