"""A result on the wire → what the model sees of it, bounded. The whole is on disk before that is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import llm

from llm_tools_mcp.errors import ToolFailed

if TYPE_CHECKING:
    from llm_tools_mcp import v1

    from .kept import Kept

# Characters, about 25,000 tokens.
DEFAULT_LIMIT = 100_000
# What a server may raise it to, by this key in the `_meta` of a tool: as in Claude Code.
RAISED_BY, MOST_RAISED = "anthropic/maxResultSizeChars", 500_000
# Of a cut text this much is its beginning; the end often says how it went.
_HEAD = 0.7
# A line is not torn where its end is no farther than this.
_LINE = 500
# Images and their kin: so many, each of so many bytes. Anthropic takes 5 MB of an image in base64.
_MEDIA, _MEDIA_BYTES = 10, 3_750_000


class Bound(NamedTuple):
    """`limit` in characters, 0 for none; `reader` is the name of the tool that reads on."""

    limit: int = DEFAULT_LIMIT
    reader: str = "read_result"


def output_of(result: v1.ToolResult, bound: Bound, remarks: str = "") -> str | llm.ToolOutput:
    """What the model sees. Raises ToolFailed for a result that is an error: llm logs it as one."""
    text = bounded(_text(result), bound)
    if result.is_error:
        raise ToolFailed((text or "the tool reported an error and said nothing about it") + remarks)
    text += remarks
    media = [content.media for content in result.content if content.WhichOneof("kind") == "media"]
    if not media:
        return text
    if bound.limit:
        media, note = _bounded_media(media)
        text = "\n".join(filter(None, (text, note)))
    attachments = [llm.Attachment(type=one.mime_type, content=one.data) for one in media]
    return llm.ToolOutput(output=text, attachments=attachments) if attachments else text


# --- bounds -----------------------------------------------------------------------------------------


def bounded(text: str, bound: Bound) -> str:
    """The text, or its head and tail with a line between them that says where the whole is."""
    if not bound.limit or len(text) <= bound.limit:
        return text
    from .kept import keep

    kept = keep(text.encode("utf-8", "surrogatepass"))
    room = max(0, bound.limit - len(_between(text, kept, bound, len(text), len(text))) - 24)
    head = _to_line_end(text, int(room * _HEAD))
    tail = _from_line_start(text, len(text) - (room - head))
    return f"{text[:head]}\n{_between(text, kept, bound, head, tail)}\n{text[tail:]}"


def _between(text: str, kept: Kept, bound: Bound, head: int, tail: int) -> str:
    size = f"{tail - head:,} of {len(text):,} characters are left out here"
    if kept.problem:
        return f"[… {size}; the whole could not be kept: {kept.problem} …]"
    call = f"{bound.reader}(id={kept.id!r}, offset={head})"
    return f"[… {size}; to read on: {call}; the whole text, for a day: {kept.path} …]"


def _to_line_end(text: str, end: int) -> int:
    found = text.rfind("\n", max(0, end - _LINE), end)
    return found if found > 0 else end


def _from_line_start(text: str, start: int) -> int:
    found = text.find("\n", start, start + _LINE)
    return found + 1 if 0 <= found < len(text) - 1 else start


def _bounded_media(media: Sequence[v1.Media]) -> tuple[list[v1.Media], str]:
    """The first ones, and a note of those that are left out, which are kept as files."""
    fitting = [one for one in media if len(one.data) <= _MEDIA_BYTES][:_MEDIA]
    others = [one for one in media if not any(one is shown for shown in fitting)]
    if not others:
        return fitting, ""
    from .kept import keep

    files = [keep(one.data, one.mime_type) for one in others]
    where = ", ".join(str(one.path) for one in files[:_MEDIA] if not one.problem) or files[0].problem
    more = f" and {len(files) - _MEDIA} more beside them" if len(files) > _MEDIA else ""
    count = f"{len(others)} of {len(media)} images or files are left out: too many, or too large"
    return fitting, f"[{count}; for a day they are {where}{more}]"


# --- text -------------------------------------------------------------------------------------------


def _text(result: v1.ToolResult) -> str:
    lines = [line for content in result.content if (line := _line(content)) is not None]
    if result.structured_says_more or (not lines and result.structured_content):
        lines.append(result.structured_content)
    return "\n".join(lines)


# From a daemon of tomorrow.
UNKNOWN_CONTENT = "[content of a kind that this version of llm-tools-mcp does not know]"


def _line(content: v1.Content) -> str | None:
    kind = content.WhichOneof("kind")
    if kind == "text":
        return content.text
    if kind == "link":
        return _link(content.link)
    return UNKNOWN_CONTENT if kind is None else None


def _link(link: v1.ResourceLink) -> str:
    details = ", ".join(part for part in (link.mime_type, link.description) if part)
    return f"{link.name or 'resource'}: {link.uri}" + (f" ({details})" if details else "")
