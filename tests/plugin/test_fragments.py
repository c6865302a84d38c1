"""`llm -f mcp:SERVER/URI`: resources as fragments and attachments."""

from __future__ import annotations

import json
from collections.abc import Iterator

import llm
import pytest

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.plugin.fragments import load_fragment
from tests.home import Home, living_in
from tests.prompting import invoke
from tests.servers import entry, library_server
from tests.servers.library import PNG


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for the tests here; its server's results are bounded at 1000 characters."""
    home = Home(tmp_path_factory.mktemp("reader") / "home")
    home.write_config({"my library": entry(library_server(), outputLimit=1000)})
    yield home
    home.close()


def test_prompt_with_resources(reader: Home) -> None:
    """Text is a part of the prompt, an image an attachment; llm's log has where the text is from."""
    words = ["-f", "mcp:my library/book://both", "-f", "mcp:my library/book://shelf/1", "and what else?"]
    seen = json.loads(reader.run_llm("-m", "echo", *words).stdout)
    assert seen["prompt"] == "the text\nbook 1\nand what else?"
    assert [attachment["type"] for attachment in seen["attachments"]] == ["image/png"]
    with living_in(reader):
        assert "mcp:my library/book://shelf/1" in invoke("fragments").stdout


def test_chat(reader: Home) -> None:
    """`!fragment` splits at spaces: the server's name may be encoded."""
    typed = "!fragment mcp:my%20library/book://shelf/2\nwhat?\nquit\n"
    assert "book 2" in reader.run_llm("chat", "-m", "echo", input=typed).stdout


def test_what_a_fragment_may_name(reader: Home) -> None:
    """A URI, a template with its arguments, a resource's name; bytes are an attachment."""
    with living_in(reader):
        (text,) = load_fragment("my library/weather://{city}/{+day}{?units}?city=Bern&day=1")
        assert (str(text), getattr(text, "source", "")) == (
            "sunny at weather://Bern/1",
            "mcp:my library/weather://Bern/1",
        )
        assert [str(one) for one in load_fragment("my library/shelf/1")] == ["book 1"]
        assert [str(one) for one in load_fragment("my library/book://empty")] == [""]
        (image,) = load_fragment("my library/book://png")
        assert isinstance(image, llm.Attachment)
        assert (image.type, image.content) == ("image/png", PNG)
        assert [str(one) for one in load_fragment("my library/book://coded")] == ["täxt"]
        (latin,) = load_fragment("my library/book://latin")
        assert isinstance(latin, llm.Attachment)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("my library", "which resource? to see what there is: llm mcp resources 'my library'"),
        ("nope/x", "there are: my library"),
        ("my library/nope", "has no resource 'nope'; it has: book://shelf/0, "),
        ("my library/book://nope", "there is no 'book://nope'"),
        ("my library/book://none", "has nothing in 'book://none'"),
        ("my library/book://broken", "not valid base64"),
        ("my library/book://huge", "it has 3,000,000 characters, and outputLimit of 'my library' is 1,000"),
    ],
)
def test_what_is_no_fragment(reader: Home, address: str, complaint: str) -> None:
    """Says what is wrong, and what there is or what to type."""
    with living_in(reader), pytest.raises(McpError) as raised:
        load_fragment(address)
    assert complaint in str(raised.value)
