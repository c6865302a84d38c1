"""Results of odd shapes: what is in them reaches whoever called."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.server.to_wire import write_result

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
    ],
)
def test_content_that_is_no_list_of_blocks_is_read(content: Any, texts: list[str]) -> None:
    """A text, a list of texts, one block, and blocks that do not say their type."""
    assert [block.text for block in written({"content": content}).content] == texts


@pytest.mark.parametrize(
    ("block", "mime_type"),
    [
        ({"type": "image", "mimeType": "image/webp", "data": f"data:image/png;base64,{DATA}"}, "image/webp"),
        ({"type": "image", "data": f"data:image/png;charset=x;base64,{DATA}"}, "image/png"),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}, "image/png"),
        ({"type": "audio", "mimeType": "audio/wav", "data": DATA.rstrip("=")}, "audio/wav"),
        ({"data": base64.urlsafe_b64encode(PIXEL).decode(), "mimeType": "image/png"}, "image/png"),
        ({"type": "resource", "resource": {"blob": f"data:image/gif;base64,{DATA}"}}, "image/gif"),
    ],
    ids=["type beside", "type within", "as in requests", "no padding", "of urls, no type", "resource"],
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
