"""`llm -t mcp:…`: prompts of servers as templates of llm, and a server's tools with its instructions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.plugin.fragments import load_fragment
from llm_tools_mcp.plugin.templates import load_template
from tests.home import Home, living_in
from tests.prompting import calling, invoke, output
from tests.servers import entry, library_server


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for the tests here; its server says how it is to be used."""
    home = Home(tmp_path_factory.mktemp("reader") / "home")
    library = library_server("--instructions", "Be brief, at $5.")
    home.write_config({"library": entry(library), "other": entry(library_server())})
    yield home
    home.close()


def test_prompt_of_a_server(reader: Home) -> None:
    """What it needs is asked for by llm as of each template, and a server's dollars stay what they are."""
    prompt = ["-m", "echo", "-t", "mcp:library/travel"]
    with living_in(reader):
        asked = invoke(*prompt)
    assert (asked.code, asked.stderr) == (1, "Error: Missing variables: city\n")
    seen = json.loads(reader.run_llm(*prompt, "-p", "city", "Bern$", "and back").stdout)
    assert seen["prompt"] == "Tell me of Bern$ (no style) for $9\nand back"


def test_tools_of_a_server(reader: Home) -> None:
    """Those of this one alone, and its instructions as the system prompt."""
    with living_in(reader):
        result = invoke("-m", "echo", "--no-log", "-t", "mcp:library", calling(("asked", {})))
    assert json.loads(output(result)).keys() <= {"prompts/list", "prompts/get"}
    assert '"system": "Be brief, at $5."' in result.stdout


def test_what_a_template_may_name(reader: Home) -> None:
    """Arguments behind the name, which may hold slashes and spaces; texts are literal."""
    with living_in(reader):
        assert load_template("library/travel?city=A%20B&style=x").prompt == "Tell me of A B (x) for $$9"
        assert load_template("library/plain").prompt == "costs $$5, as $${HOME} does"
        for name in ("a/b c", "a/b%20c"):
            assert load_template(f"library/{name}").prompt == "odd name"
        assert load_template("library/travel").vars() == {"city"}


def test_pieces_of_a_prompt(reader: Home) -> None:
    """Roles are told; an embedded resource is a fragment, an image an attachment."""
    with living_in(reader):
        template = load_template("library/talk")
        assert template.prompt == "User: What is this?\n\nAssistant: A book.\n\nUser: And this?"
        assert template.fragments is not None
        pieces = [load_fragment(one.removeprefix("mcp:"))[0] for one in template.fragments]
        assert [getattr(one, "source", getattr(one, "type", "")) for one in pieces] == [
            "mcp:library/book://shelf/1",
            "image/png",
        ]


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("library/nope", "has no prompt 'nope'; it has: plain, "),
        ("library/travel?town=x", "has no argument 'town'; it takes: city=… [style=…]"),
        ("library/count", "needs a value for 'number'; it takes: number=… (prompts/get"),
        ("nope/x", "there are: library, other"),
    ],
)
def test_what_is_no_template(reader: Home, address: str, complaint: str) -> None:
    """Says what is wrong and what there is."""
    with living_in(reader), pytest.raises(McpError) as raised:
        load_template(address)
    assert complaint in str(raised.value)
