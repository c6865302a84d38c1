"""The tool `read_result`: to read on in a result of which the model got head and tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .definitions import define
from .tool_output import DEFAULT_LIMIT

if TYPE_CHECKING:
    import llm

_DESCRIPTION = (
    "Read on in a result that was too long: a part of it by offset and length in characters, or the lines "
    "that match a regular expression, with their offsets."
)
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "As the cut result says."},
        "offset": {"type": "integer", "description": "Where to begin, from 0."},
        "length": {"type": "integer", "description": "At most so many characters."},
        "pattern": {"type": "string", "description": "Only lines that match it, in any case."},
    },
    "required": ["id"],
}
# Characters of a part where no length is asked for: less than all, since there was much already.
_USUAL = 20_000


def reading_tool(toolbox: llm.Toolbox, name: str, limit: int | None) -> llm.Tool:
    """`limit` in characters, of the toolbox."""
    most = DEFAULT_LIMIT if limit is None else limit

    def read_result(
        _toolbox: llm.Toolbox,
        /,
        id: str,  # noqa: A002 - the model's word for it
        offset: int = 0,
        length: int = _USUAL,
        pattern: str = "",
    ) -> str:
        from llm_tools_mcp.cache.kept_results import read

        room = max(1, min(int(length or _USUAL), most))
        return read(str(id), int(offset or 0), room, str(pattern or ""))

    return define(toolbox, name, _DESCRIPTION, _SCHEMA, read_result)
