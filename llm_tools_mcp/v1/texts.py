"""What a result on the wire says, as the one text that a model reads, is bounded and is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mcp_daemon_pb2 import Content, ResourceLink, ToolResult

# From a daemon of tomorrow.
UNKNOWN_CONTENT = "[content of a kind that this version of llm-tools-mcp does not know]"


def text_of(result: ToolResult, aside: Mapping[int, str] | None = None) -> str:
    """Without its media; with the structured content where the texts do not already say the same.

    `aside`: texts that are not on the wire, by their places in the content.
    """
    aside = aside or {}
    told = (aside.get(place) or _line(content) for place, content in enumerate(result.content))
    lines = [line for line in told if line is not None]
    if result.structured_says_more or (not lines and result.structured_content):
        lines.append(result.structured_content)
    return "\n".join(lines)


def _line(content: Content) -> str | None:
    kind = content.WhichOneof("kind")
    if kind == "text":
        return content.text
    if kind == "link":
        return _link(content.link)
    return UNKNOWN_CONTENT if kind is None else None


def _link(link: ResourceLink) -> str:
    details = ", ".join(part for part in (link.mime_type, link.description) if part)
    return f"{link.name or 'resource'}: {link.uri}" + (f" ({details})" if details else "")
