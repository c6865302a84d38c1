"""Results held against the `outputSchema` of their tools: what does not fit is warned of in the log, once.

A look at the outline alone. The library for the whole of JSON Schema would cost the daemon 9 MB, and the
first call 0.1 s, for a line in a log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from llm_tools_mcp.daemon.server.results import JsonObject

from .tool_cache import ToolList

_log = logging.getLogger(__name__)

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_MAX_TOLD = 1000


class Outputs:
    """Remembers of which tools it has warned."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def check(self, server: str, tool: str, known: ToolList | None, result: JsonObject) -> None:
        if (server, tool) in self._told or result.get("isError"):
            return
        schema = next((one.output_schema for one in known.tools if one.name == tool), "") if known else ""
        problem = next(misfits(result.get("structuredContent"), json.loads(schema)), "") if schema else ""
        if problem:
            if len(self._told) < _MAX_TOLD:
                self._told.add((server, tool))
            _log.warning("a result of %s of %s does not fit its outputSchema: %s", tool, server, problem)


def misfits(structured: Any, schema: Any) -> Iterator[str]:
    """What is wrong about structured content, as far as its outline shows it."""
    if not isinstance(schema, Mapping) or not _is_of(structured, {"type": "object"}):
        yield "there is no structured content, or it is no object"
        return
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in structured:
            yield f"{name!r} is missing"
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, Mapping) else ():
        if name in structured and not _is_of(structured[name], part):
            yield f"{name!r} is not of type {part['type']!r}"


def _is_of(value: Any, part: Any) -> bool:
    named = part.get("type") if isinstance(part, Mapping) else None
    kinds = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    known = [kind for kind in kinds if isinstance(kind, str) and kind in _TYPES]
    if not known or len(known) < len(kinds):
        return True
    if isinstance(value, bool):
        return "boolean" in known
    if isinstance(value, float) and value.is_integer() and "integer" in known:
        return True
    return any(isinstance(value, _TYPES[kind]) for kind in known)
