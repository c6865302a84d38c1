"""MCP's answers → the wire: the tools of a list, and the content of a tool's result.

A result is read from the JSON as it came, so that a field that this SDK does not know is passed over
instead of costing the whole answer. It is written in place: each copy of 100 MB would keep everybody
else waiting for 0.1 s.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import UNREADABLE, Kind, ServerFailure

from .sanitize import clean_text

if TYPE_CHECKING:
    from mcp_types import Tool as SdkTool

JsonObject = Mapping[str, Any]

# What a block of content has around its texts.
_ENVELOPE_BYTES = 100


def tool_to_wire(tool: SdkTool) -> v1.Tool:
    """A tool of `tools/list`; its schema is passed on as it came."""
    return v1.Tool(
        name=_text(tool.name),
        description=clean_text(tool.description or ""),
        input_schema=json.dumps(tool.input_schema),
        title=clean_text(tool.title or ""),
    )


def write_result(result: JsonObject, wire: v1.ToolResult) -> None:
    """The result of `tools/call` (MCP specification, CallToolResult). Raises ServerFailure."""
    try:
        wire.is_error = bool(result.get("isError"))
        wire.SetInParent()  # also where nothing is in it
        for block in result.get("content") or ():
            _write_content(block, wire.content.add())
        structured = result.get("structuredContent")
        if structured is not None:
            wire.structured_content = _text(json.dumps(structured, ensure_ascii=False))
    except (AttributeError, TypeError, ValueError) as error:
        raise ServerFailure(Kind.REJECTED, UNREADABLE) from error


def _write_content(block: JsonObject, wire: v1.Content) -> None:
    kind = block.get("type")
    if kind == "text":
        wire.text = _text(block.get("text"))
    elif kind in ("image", "audio"):
        _write_media(block.get("data"), block.get("mimeType"), "", wire)
    elif kind == "resource_link":
        _write_link(block, wire.link)
    elif kind == "resource":
        _write_resource(block.get("resource") or {}, wire)
    else:
        wire.text = f"[content of unknown type {_text(kind)!r}]"


def _write_resource(resource: JsonObject, wire: v1.Content) -> None:
    if "blob" in resource:
        _write_media(resource.get("blob"), resource.get("mimeType"), _text(resource.get("uri")), wire)
    else:
        wire.text = _text(resource.get("text"))


def _write_media(data: object, mime_type: object, uri: str, wire: v1.Content) -> None:
    try:
        wire.media.data = base64.b64decode(_text(data), validate=False)
    except (binascii.Error, ValueError):
        wire.text = "[content that is not valid base64]"
        return
    wire.media.mime_type = _text(mime_type) or "application/octet-stream"
    wire.media.uri = uri


def _write_link(block: JsonObject, wire: v1.ResourceLink) -> None:
    wire.SetInParent()
    wire.uri = _text(block.get("uri"))
    wire.name = _text(block.get("title")) or _text(block.get("name"))
    wire.description = _text(block.get("description"))
    wire.mime_type = _text(block.get("mimeType"))


def _text(value: object) -> str:
    """A string that protobuf takes: lone surrogates, which JSON can hold, are replaced."""
    if not isinstance(value, str):
        return "" if value is None else json.dumps(value, ensure_ascii=True)
    if value.isascii():  # known of each string, where encoding a long one takes its time
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value
