"""MCP's answers → the wire: the tools of a list, and the content of a tool's result.

A result is read from the JSON as it came, so that a field that this SDK does not know is passed over
instead of costing the whole answer. It is written in place: each copy of 100 MB would keep everybody
else waiting for 0.1 s.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import UNREADABLE, Kind, ServerFailure
from llm_tools_mcp.text import strict_json
from llm_tools_mcp.text.media_type import UNKNOWN, media_type
from llm_tools_mcp.text.plain import plain

from .structured_content import repeats, says_more

if TYPE_CHECKING:
    from mcp_types import Tool as SdkTool

JsonObject = Mapping[str, Any]

# Where the text of a block stands, in the servers' own words, and what of a result is none.
_TEXT_KEYS = ("text", "content", "value", "data")
_NO_CONTENT = frozenset({"_meta", "isError", "resultType", "content", "structuredContent"})
_MAX_NESTED = 3

# Of a schema: what a model reads as words.
_READ = frozenset({"description", "title", "$comment"})

# RFC 2397, where a server has put the whole instead of the data alone.
_DATA_URL = re.compile(r"\s*data:([^;,]{0,100})(?:;[^;,]{0,100}){0,5};base64,", re.IGNORECASE)
_OF_URLS = str.maketrans("-_", "+/")


def tool_to_wire(tool: SdkTool) -> v1.Tool:
    """A tool of `tools/list`; of its schema only what is for reading is cleaned."""
    return v1.Tool(
        name=_text(tool.name),
        description=plain(tool.description or ""),
        input_schema=strict_json.dumps(_plain_schema(tool.input_schema)),
        title=plain(tool.title or ""),
        annotations=_json(tool.annotations.model_dump(by_alias=True, exclude_none=True))
        if tool.annotations
        else "",
        output_schema=_json(tool.output_schema),
        meta=_json(tool.meta),
        task_support=(tool.execution.task_support or "") if tool.execution else "",
    )


def _json(value: Any) -> str:
    return strict_json.dumps(_plain_schema(value)) if value else ""


def _plain_schema(schema: Any) -> Any:
    """Names and values stay what they are: the server must know them again."""
    if isinstance(schema, list):
        return [_plain_schema(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: plain(value) if key in _READ and isinstance(value, str) else _plain_schema(value)
        for key, value in schema.items()
    }


def write_result(
    result: JsonObject, wire: v1.ToolResult, *, text_alone: bool = False, longest: int = 0
) -> dict[int, str]:
    """The result of `tools/call` (MCP specification, CallToolResult). Raises ServerFailure.

    `text_alone`: for a caller to whom structured content says nothing that is a text beside it, too.
    `longest`: texts of more characters than that, unless it is 0, are returned instead, by their places in
    the content. On the wire they would be a copy, and another one for whoever reads them there.
    """
    texts: dict[int, str] = {}
    try:
        wire.is_error = str(result.get("isError")).lower() in ("true", "1")
        wire.SetInParent()  # also where nothing is in it
        for place, block in enumerate(_blocks(_content_of(result))):
            content = wire.content.add()
            text = _write_content(block, content)
            if text is not None:
                texts[place] = text
                content.text = "" if len(text) > longest > 0 else text
        structured = result.get("structuredContent")
        if structured is not None and not (text_alone and repeats(structured, result.get("content"))):
            wire.structured_content = _text(strict_json.dumps(structured, ensure_ascii=False))
            told = list(texts.values())
            wire.structured_says_more = says_more(structured, told, len(wire.structured_content))
    except (AttributeError, TypeError, ValueError) as error:
        raise ServerFailure(Kind.REJECTED, UNREADABLE) from error
    return {place: text for place, text in texts.items() if len(text) > longest > 0}


def _content_of(result: JsonObject) -> object:
    """Of a result that is not as any version of the protocol has it, whatever it holds."""
    content = result.get("content")
    if content is not None or result.get("structuredContent") is not None:
        return content
    rest = {key: value for key, value in result.items() if key not in _NO_CONTENT and value is not None}
    return {"type": "text", "text": next(iter(rest.values())) if len(rest) == 1 else rest} if rest else None


def _blocks(content: object, depth: int = 0) -> Iterator[JsonObject]:
    """Also of content that is one block, or a text, instead of a list of blocks; and of a list of lists."""
    for block in content if isinstance(content, list) else [content]:
        if isinstance(block, list) and depth < _MAX_NESTED:
            yield from _blocks(block, depth + 1)
        elif block is not None:
            yield block if isinstance(block, Mapping) else {"type": "text", "text": block}


def _write_content(block: JsonObject, wire: v1.Content) -> str | None:
    """A text is returned instead of written."""
    kind = block.get("type") or _kind_of(block)
    kind = kind.lower() if isinstance(kind, str) else kind
    if kind == "text":
        return _text(next((block[key] for key in _TEXT_KEYS if block.get(key) is not None), None))
    if kind == "image_url":  # as in requests of OpenAI
        address = block.get("image_url")
        kind, block = "image", {"url": address.get("url") if isinstance(address, Mapping) else address}
    if kind in ("image", "audio", "video"):
        return _write_media(block.get("data") or block.get("url"), block.get("mimeType"), "", wire)
    if kind == "resource_link":
        _write_link(block, wire.link)
        return None
    if kind == "resource":
        return _write_resource(block.get("resource"), wire)
    if isinstance(block.get("data"), str) and media_type(block.get("mimeType")):
        return _write_media(block["data"], block["mimeType"], "", wire)
    rest = {key: value for key, value in block.items() if key != "type"}
    shown = f" {strict_json.dumps(rest, ensure_ascii=False)}" if rest else ""
    return _text(f"[content of unknown type {_text(kind)!r}]{shown}")


def _kind_of(block: JsonObject) -> str | None:
    """Of a block that does not say it."""
    kinds = {"text": "text", "data": "image", "resource": "resource", "uri": "resource_link"}
    return next((kind for key, kind in kinds.items() if key in block), None)


def _write_resource(resource: object, wire: v1.Content) -> str | None:
    if not isinstance(resource, Mapping):
        return _text(resource)
    if "blob" in resource:
        return _write_media(resource.get("blob"), resource.get("mimeType"), _text(resource.get("uri")), wire)
    return _text(resource.get("text"))


def _write_media(data: object, mime_type: object, uri: str, wire: v1.Content) -> str | None:
    text = _text(data)
    if not text:
        return "[content without data]"
    if text.startswith(("http://", "https://")):
        _write_link({"uri": text, "name": "media", "mimeType": mime_type}, wire.link)
        return None
    url = _DATA_URL.match(text)
    try:
        wire.media.data = _decoded(text[url.end() :] if url else text)
    except (binascii.Error, ValueError):
        return "[content that is not valid base64]"
    wire.media.mime_type = media_type(mime_type) or media_type(url and url[1]) or UNKNOWN
    wire.media.uri = uri
    return None


def _decoded(text: str) -> bytes:
    """base64, also that of urls, and without what fills it up."""
    if "-" in text or "_" in text:
        text = text.translate(_OF_URLS)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=False)


def _write_link(block: JsonObject, wire: v1.ResourceLink) -> None:
    wire.SetInParent()
    wire.uri = _line(block.get("uri"))
    wire.name = _line(block.get("title")) or _line(block.get("name"))
    wire.description = _line(block.get("description"))
    wire.mime_type = media_type(block.get("mimeType"))


def _line(value: object) -> str:
    """What describes a resource is one line of a result: it must not look like another."""
    return " ".join(plain(_text(value)).split())


def _text(value: object) -> str:
    """A string that protobuf takes: lone surrogates, which JSON can hold, are replaced."""
    if not isinstance(value, str):
        return "" if value is None else strict_json.dumps(value)
    if value.isascii():  # known of each string, where encoding a long one takes its time
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value
