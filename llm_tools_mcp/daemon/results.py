"""MCP's answers → the wire: the tools of a list, and the content of a tool's result.

A result is read from the JSON as it came, so that a field that this SDK does not know is passed over
instead of costing the whole answer.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1

from .sanitize import clean_text

if TYPE_CHECKING:
    from mcp_types import Tool as SdkTool

JsonObject = Mapping[str, Any]


def tool_to_wire(tool: SdkTool) -> v1.Tool:
    """A tool of `tools/list`; its schema is passed on as it came."""
    return v1.Tool(
        name=_text(tool.name),
        description=clean_text(tool.description or ""),
        input_schema=json.dumps(tool.input_schema),
        title=clean_text(tool.title or ""),
    )


def result_to_wire(result: JsonObject) -> v1.ToolResult:
    """The result of `tools/call` (MCP specification, CallToolResult)."""
    structured = result.get("structuredContent")
    return v1.ToolResult(
        is_error=bool(result.get("isError")),
        content=list(_contents(result.get("content") or ())),
        structured_content="" if structured is None else _text(json.dumps(structured, ensure_ascii=False)),
    )


def _contents(blocks: Iterable[JsonObject]) -> Iterable[v1.Content]:
    for block in blocks:
        content = _content(block)
        if content is not None:
            yield content


def _content(block: JsonObject) -> v1.Content | None:
    kind = block.get("type")
    if kind == "text":
        return v1.Content(text=_text(block.get("text")))
    if kind in ("image", "audio"):
        return _media(block.get("data"), block.get("mimeType"), "")
    if kind == "resource_link":
        return v1.Content(link=_link(block))
    if kind == "resource":
        return _resource(block.get("resource") or {})
    return v1.Content(text=f"[content of unknown type {_text(kind)!r}]")


def _resource(resource: JsonObject) -> v1.Content:
    if "blob" in resource:
        return _media(resource.get("blob"), resource.get("mimeType"), _text(resource.get("uri")))
    return v1.Content(text=_text(resource.get("text")))


def _media(data: object, mime_type: object, uri: str) -> v1.Content:
    try:
        content = base64.b64decode(_text(data), validate=False)
    except (binascii.Error, ValueError):
        return v1.Content(text="[content that is not valid base64]")
    mime_type = _text(mime_type) or "application/octet-stream"
    return v1.Content(media=v1.Media(data=content, mime_type=mime_type, uri=uri))


def _link(block: JsonObject) -> v1.ResourceLink:
    return v1.ResourceLink(
        uri=_text(block.get("uri")),
        name=_text(block.get("title")) or _text(block.get("name")),
        description=_text(block.get("description")),
        mime_type=_text(block.get("mimeType")),
    )


def _text(value: object) -> str:
    """A string that protobuf takes: lone surrogates, which JSON can hold, are replaced."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value
