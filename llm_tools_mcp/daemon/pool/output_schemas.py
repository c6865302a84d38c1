"""Results held against the `outputSchema` of their tools: what does not fit is warned of in the log, once.

In a thread, behind the answer: no call waits for a line in a log, nor for the library (0.1 s, 3 MB), which is
loaded by the first such result.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from llm_tools_mcp.daemon.server.to_wire import JsonObject
from llm_tools_mcp.text.plain import plain

from .tool_cache import ToolList

_log = logging.getLogger(__name__)

_MAX_TOLD = 1000
# Results that are held meanwhile; of more at the same moment some go unchecked.
_MAX_UNDER_WAY = 4


class OutputSchemas:
    """Remembers of which tools it has warned."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()
        self._under_way: set[asyncio.Task[None]] = set()

    def check(self, server: str, tool: str, known: ToolList | None, result: JsonObject) -> None:
        """Begin to."""
        if known is None or (server, tool) in self._told or result.get("isError"):
            return
        schema = next((one.output_schema for one in known.tools if one.name == tool), "")
        if schema and len(self._under_way) < _MAX_UNDER_WAY:
            task = asyncio.create_task(self._check(server, tool, schema, result.get("structuredContent")))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Until all that was begun is done: a moment."""
        await asyncio.gather(*self._under_way)

    async def _check(self, server: str, tool: str, schema: str, structured: Any) -> None:
        problem = await asyncio.to_thread(_problem, schema, structured)
        if problem and (server, tool) not in self._told:
            if len(self._told) < _MAX_TOLD:
                self._told.add((server, tool))
            _log.warning("a result of %s of %s does not fit its outputSchema: %s", tool, server, problem)


def _problem(schema: str, structured: Any) -> str:
    if structured is None:
        return "there is no structured content"
    from .conformity import misfit

    return plain(misfit(schema, structured))
