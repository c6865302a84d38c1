"""Text that is too long for a caller: a file of its own, and of the result its ends alone.

To send 10 MB, to read them and to write them there would cost a prompt twice the time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from llm_tools_mcp import v1
from llm_tools_mcp.cache.kept_results import keep_text
from llm_tools_mcp.v1.texts import text_of


async def keep_long(result: v1.ToolResult, aside: Mapping[int, str], wanted: v1.Keep) -> None:
    """As `wanted`, in place; `aside` are the texts that are too long for the wire, by their places.

    The file is there when this returns, or `problem` says why it is not.
    """
    text = text_of(result, aside) if wanted.above else ""
    if len(text) > wanted.above:
        kept = await asyncio.to_thread(_kept, text, wanted)
        media = [content for content in result.content if content.HasField("media")]
        is_error = result.is_error
        result.Clear()
        result.content.extend(media)
        result.is_error = is_error
        result.kept.CopyFrom(kept)


def _kept(text: str, wanted: v1.Keep) -> v1.KeptText:
    file = keep_text(text, Path(os.fsdecode(wanted.folder)))
    return v1.KeptText(
        id=file.id,
        problem=file.problem,
        length=len(text),
        head=text[: wanted.above],
        tail=text[-wanted.above :],
    )
