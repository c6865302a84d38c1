"""A result on the wire → what the model sees of it, bounded. The whole is on disk before that is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import llm

from llm_tools_mcp import paths, v1
from llm_tools_mcp.cache.kept_results import ID_LENGTH, keep_media, keep_text
from llm_tools_mcp.errors import ToolFailed
from llm_tools_mcp.v1.texts import text_of

# Characters, about 25,000 tokens.
DEFAULT_LIMIT = 100_000
# What a server may raise it to, by this key in the `_meta` of a tool: as in Claude Code.
RAISED_BY, MOST_RAISED = "anthropic/maxResultSizeChars", 500_000
# Of a cut text this much is its beginning; the end often says how it went.
_HEAD = 0.7
# A line is not torn where its end is no farther than this, or a quarter of what is shown there.
_LINE = 500
# The notice of a cut is part of the limit where it takes no more than this of it, else it comes on top.
_NOTICE = 1 / 4
# Images and their kin: so many, each of so many bytes. Anthropic takes 5 MB of an image in base64.
_MEDIA, _MEDIA_BYTES = 10, 3_750_000


class Bound(NamedTuple):
    """`limit` in characters, 0 for none; `reader` is the name of the tool that reads on."""

    limit: int = DEFAULT_LIMIT
    reader: str = "read_result"


def bound_call(request: v1.CallToolRequest, bound: Bound) -> v1.CallToolRequest:
    """The same: with it the daemon keeps what is too long, and sends its ends."""
    if bound.limit:
        request.keep.above = _longest_whole(bound)
        request.keep.folder = os.fsencode(paths.results_folder())
    return request


def output_of(result: v1.ToolResult, bound: Bound, remarks: str = "") -> str | llm.ToolOutput:
    """What the model sees. Raises ToolFailed for a result that is an error: llm logs it as one."""
    text = _text(result, bound)
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


def _text(result: v1.ToolResult, bound: Bound) -> str:
    """The text, or its head and tail with a line between them that says where the whole is."""
    if result.HasField("kept"):
        return _cut(result.kept, bound)
    text = text_of(result)
    if not bound.limit or len(text) <= _longest_whole(bound):
        return text
    return _cut(_kept(text), bound)  # of an older daemon, which sends all of it


def _longest_whole(bound: Bound) -> int:
    """Characters of the longest text that is not cut: head, tail and notice would be longer than it."""
    notice = len(_between(v1.KeptText(id="0" * ID_LENGTH, length=bound.limit), bound, 0, bound.limit))
    return _room(bound, notice) + notice


def _kept(text: str) -> v1.KeptText:
    file = keep_text(text)
    return v1.KeptText(id=file.id, problem=file.problem, length=len(text), head=text, tail=text)


def _cut(kept: v1.KeptText, bound: Bound) -> str:
    head, tail = kept.head, kept.tail
    before = kept.length - len(tail)
    # With the most digits that it may have, and the ends of lines around it.
    room = _room(bound, len(_between(kept, bound, kept.length, 0)) + 2)
    end = _to_line_end(head, int(room * _HEAD))
    start = _from_line_start(tail, len(tail) - (room - end))
    return f"{head[:end]}\n{_between(kept, bound, end, before + start)}\n{tail[start:]}"


def _room(bound: Bound, notice: int) -> int:
    """Characters of the text itself that are shown beside a notice of so many."""
    return bound.limit - notice if notice <= bound.limit * _NOTICE else bound.limit


def _between(kept: v1.KeptText, bound: Bound, head: int, tail: int) -> str:
    size = f"{tail - head:,} of {kept.length:,} characters are left out here"
    if kept.problem:
        return f"[… {size}; the whole could not be kept: {kept.problem} …]"
    call = f"{bound.reader}(id={kept.id!r}, offset={head})"
    path = paths.results_folder() / f"{kept.id}.txt"
    return f"[… {size}; to read on: {call}; the whole text, for a day: {path} …]"


def _to_line_end(text: str, end: int) -> int:
    found = text.rfind("\n", end - min(_LINE, end // 4), end)
    return found if found > 0 else end


def _from_line_start(text: str, start: int) -> int:
    found = text.find("\n", start, start + min(_LINE, (len(text) - start) // 4))
    return found + 1 if 0 <= found < len(text) - 1 else start


def _bounded_media(media: Sequence[v1.Media]) -> tuple[list[v1.Media], str]:
    """The first ones, and a note of those that are left out, which are kept as files."""
    fitting = [one for one in media if len(one.data) <= _MEDIA_BYTES][:_MEDIA]
    others = [one for one in media if not any(one is shown for shown in fitting)]
    if not others:
        return fitting, ""
    files = [keep_media(one.data, one.mime_type) for one in others]
    where = ", ".join(str(one.path) for one in files[:_MEDIA] if not one.problem) or files[0].problem
    more = f" and {len(files) - _MEDIA} more beside them" if len(files) > _MEDIA else ""
    count = f"{len(others)} of {len(media)} images or files are left out: too many, or too large"
    return fitting, f"[{count}; for a day they are {where}{more}]"
