"""What servers say of their resources, and how they are named by a person."""

from __future__ import annotations

from typing import Any

import llm
import pytest

from llm_tools_mcp.client import templates
from llm_tools_mcp.client.requests import Contents, _message_of, contents_of, resource_of, split_address
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.plugin.fragments import piece_of

TEMPLATE = "weather://{city}/{+day}{?units}"


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("docs/book://a/b", ("docs", "book://a/b")),
        ("docs/more/x", ("docs/more", "x")),
        ("docs/mores/x", ("docs", "mores/x")),
        ("my docs/x y", ("my docs", "x y")),
        ("my%20docs/x%20y", ("my docs", "x%20y")),
        ("docs%2Fmore/x", ("docs/more", "x")),
        ("docs", ("docs", "")),
        ("docs/", ("docs", "")),
    ],
)
def test_address_begins_with_a_server(address: str, parts: tuple[str, str]) -> None:
    """The longest name that fits; names may hold slashes and spaces, and may be encoded."""
    assert split_address(address, ["docs", "docs/more", "my docs"]) == parts


def test_address_of_no_server() -> None:
    """The error names those that there are."""
    with pytest.raises(McpError, match=r"'nope/x'; there are: docs"):
        split_address("nope/x", ["docs"])


@pytest.mark.parametrize(
    ("uri", "arguments"),
    [
        (f"{TEMPLATE}?city=a%20b&day=1", {"city": "a b", "day": "1"}),
        (TEMPLATE, {}),
        ("x://{a}?units=c", {}),
        ("book://plain?a=b", {}),
    ],
)
def test_arguments_behind_a_template(uri: str, arguments: dict[str, str]) -> None:
    """Only what the template takes is taken for its arguments."""
    template, found = templates.split_arguments(uri)
    assert (found, template) == (arguments, TEMPLATE if arguments else uri)


def test_template_is_filled_in() -> None:
    """As RFC 6570 has it; queries may be left out."""
    assert templates.expanded(TEMPLATE, {"city": "ä b", "day": "x/y"}) == "weather://%C3%A4%20b/x/y"
    assert templates.expanded(TEMPLATE, {"city": "b", "day": "", "units": "c"}) == "weather://b/?units=c"


def test_template_that_lacks_arguments() -> None:
    """All that is wrong is said at once, and what there is."""
    with pytest.raises(McpError) as raised:
        templates.expanded(TEMPLATE, {"town": "x", "day": "1"})
    assert "has no argument 'town' and needs a value for 'city'" in str(raised.value)
    assert "it takes: city=… day=… [units=…]" in str(raised.value)


@pytest.mark.parametrize(
    ("item", "contents"),
    [
        ({"uri": "u", "text": "x"}, Contents("u", "", "x")),
        ({"uri": "u", "mimeType": "a/b", "blob": "aGk=\n"}, Contents("u", "a/b", data=b"hi")),
        ({"type": "image", "mimeType": "a/b", "data": "aGk="}, Contents("", "a/b", data=b"hi")),
        ({"type": "resource", "resource": {"uri": "u", "text": "x"}}, Contents("u", "", "x")),
        ({"type": "resource_link", "name": "n", "uri": "u"}, Contents("", "", "n: u")),
        ({"uri": 5, "text": None}, Contents("", "", "")),
        ({"text": "half \ud800"}, Contents("", "", "half ?")),
    ],
)
def test_contents(item: dict[str, Any], contents: Contents) -> None:
    """Texts and bytes, in each place where MCP has them; what is no text is none."""
    assert contents_of(item) == contents


def test_bytes_that_are_none() -> None:
    """What cannot be decoded is an error, not an empty file."""
    with pytest.raises(McpError, match="not valid base64"):
        contents_of({"uri": "u", "blob": "***"})


ODD = "x/\x1b]0;owned\x07\x1b[31m"


@pytest.mark.parametrize("odd", [ODD, "image/png\nAuthorization: x", "image/png\u2028x", "png", 5, None])
def test_type_that_is_none(odd: object) -> None:
    """In its own errors llm shows it uncleaned: it counts as unknown, of contents and in listings."""
    assert contents_of({"uri": "u", "blob": "AAAA", "mimeType": odd}).mime_type == "application/octet-stream"
    assert contents_of({"uri": "u", "text": "x", "mimeType": odd}).mime_type == ""
    assert resource_of("srv", {"uri": "u", "mimeType": odd}).mime_type == ""
    assert contents_of({"blob": "", "mimeType": " image/svg+xml; charset=utf-8"}).mime_type.startswith(
        "image/svg"
    )


def test_names_that_drive_terminals_on_their_way_to_llm() -> None:
    """The source of a fragment, which `llm logs` shows, and the role of a message."""
    piece = piece_of(f"srv/{ODD}", Contents("u", "", "text"))
    assert isinstance(piece, llm.Fragment)
    assert piece.source == "mcp:srv/x/"
    assert _message_of({"role": "\x1b[31muser\n", "content": {"type": "text", "text": "x"}}).role == "user"
