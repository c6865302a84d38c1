"""Results of odd shapes: what is in them reaches whoever called."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.server.to_wire import write_result
from llm_tools_mcp.v1.texts import text_of

PIXEL = b"\x89PNG\r\n\x1a\n\xfb\xff pixel"
DATA = base64.b64encode(PIXEL).decode()


def written(result: dict[str, Any]) -> v1.ToolResult:
    wire = v1.ToolResult()
    write_result(result, wire)
    return wire


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("plain words", ["plain words"]),
        (["one", {"type": "text", "text": "two"}], ["one", "two"]),
        ({"type": "text", "text": "alone"}, ["alone"]),
        ([{"text": "no type"}], ["no type"]),
        ([{"uri": "file:///x", "name": "x"}], [""]),
        (None, []),
        ([None, {"type": "TEXT", "text": "upper"}], ["upper"]),
        ([[{"type": "text", "text": "nested"}]], ["nested"]),
        ([{"type": "text", "content": "another key"}], ["another key"]),
        ([{"type": "resource", "resource": "words"}], ["words"]),
        ([{"type": "json", "json": {"a": 1}}], ['[content of unknown type \'json\'] {"json": {"a": 1}}']),
        ([{"type": "image", "data": None}], ["[content without data]"]),
    ],
)
def test_content_that_is_no_list_of_blocks_is_read(content: Any, texts: list[str]) -> None:
    """A text, a list of texts, one block, and blocks that do not say their type."""
    assert [block.text for block in written({"content": content}).content] == texts


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"toolResult": "of 2024-10-07"}, "of 2024-10-07"),
        ({"result": {"a": 1}, "_meta": {}}, '{"a": 1}'),
        ({"a": 1, "b": "x"}, '{"a": 1, "b": "x"}'),
        ({"isError": "false", "content": "no error"}, "no error"),
    ],
)
def test_result_without_content_is_shown(result: dict[str, Any], text: str) -> None:
    """Whatever a server answers reaches the model; nothing of the protocol's own does."""
    wire = written(result)
    assert ([content.text for content in wire.content], wire.is_error) == ([text], False)


def test_structured_content_that_repeats_a_text_is_left_out_where_it_says_nothing() -> None:
    """A file of megabytes goes to a prompt once; whoever wants the data gets it whole."""
    result = {"content": [{"type": "text", "text": "words"}], "structuredContent": {"content": "words"}}
    brief, other = v1.ToolResult(), v1.ToolResult()
    write_result(result, brief, text_alone=True)
    write_result({**result, "structuredContent": {"content": "more"}}, other, text_alone=True)
    assert (brief.structured_content, brief.structured_says_more) == ("", False)
    assert written(result).structured_content == '{"content": "words"}'
    assert (other.structured_content, other.structured_says_more) == ('{"content": "more"}', True)


def test_image_elsewhere_is_a_link() -> None:
    """Nothing is fetched for it."""
    (content,) = written({"content": [{"type": "image", "url": "https://example.com/x.png"}]}).content
    assert content.link.uri == "https://example.com/x.png"


@pytest.mark.parametrize(
    ("block", "mime_type"),
    [
        ({"type": "image", "mimeType": "image/webp", "data": f"data:image/png;base64,{DATA}"}, "image/webp"),
        ({"type": "image", "data": f"data:image/png;charset=x;base64,{DATA}"}, "image/png"),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}, "image/png"),
        ({"type": "audio", "mimeType": "audio/wav", "data": DATA.rstrip("=")}, "audio/wav"),
        ({"data": base64.urlsafe_b64encode(PIXEL).decode(), "mimeType": "image/png"}, "image/png"),
        ({"type": "file", "mimeType": "application/pdf", "data": DATA}, "application/pdf"),
        ({"type": "resource", "resource": {"blob": f"data:image/gif;base64,{DATA}"}}, "image/gif"),
    ],
    ids=[
        "type beside",
        "type within",
        "as in requests",
        "no padding",
        "of urls, no type",
        "a file",
        "resource",
    ],
)
def test_media_arrive_however_they_are_written(block: dict[str, Any], mime_type: str) -> None:
    """As a data: url, without padding, in the alphabet of urls: the bytes are the same."""
    (content,) = written({"content": [block]}).content
    assert (content.media.data, content.media.mime_type) == (PIXEL, mime_type)


PROJECTS = {"projects": [{"id": 1, "title": "Alpha"}, {"id": 2, "title": "Beta"}]}


@pytest.mark.parametrize(
    ("structured", "texts", "says_more"),
    [
        (PROJECTS, ["found 2"], True),
        (PROJECTS, ['{"projects": [{"id": 1, "title": "Alpha"}, {"id": 2, "title": "Beta"}]}'], False),
        (PROJECTS, ["1: Alpha\n2: Beta"], False),
        ({"result": [1, 2]}, ["1", "2"], False),
        ({"result": [1, 2]}, ["[1,2]"], False),
        ({"result": 5.0}, ["5"], False),
        ({"deleted": False}, ["checked"], True),
        ({"text": "a" * 1_000_000}, ["short"], True),
        ({"text": "a" * 1_000_000}, ["a" * 1_000_000], False),
        ({}, ["done"], False),
        (PROJECTS, [], True),
    ],
)
def test_structured_content_that_says_more_is_marked(
    structured: Any, texts: list[str], *, says_more: bool
) -> None:
    """A summary beside the data is not all; the same JSON, or the same values in words, is."""
    content = [{"type": "text", "text": text} for text in texts]
    wire = written({"content": content, "structuredContent": structured})
    assert wire.structured_says_more is says_more


def test_long_texts_are_not_copied_to_the_wire() -> None:
    """Each of them is given to whoever keeps it, for the same text in all, and judged as if it were there."""
    blocks = [
        "short",
        {"type": "resource_link", "uri": "file:///x", "name": "x"},
        "long " * 9,
        {"text": "x" * 9},
    ]
    result = {"content": blocks, "structuredContent": {"a": "long long", "b": "x" * 9}}
    brief = v1.ToolResult()
    aside = write_result(result, brief, longest=8)
    assert aside == {2: "long " * 9, 3: "x" * 9}
    assert [content.text for content in brief.content] == ["short", "", "", ""]
    assert text_of(brief, aside) == text_of(written(result))
    assert not brief.structured_says_more
