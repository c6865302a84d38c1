"""What is said of servers whose tools are missing, in the words of llm-tools-mcp 0.4."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_tools_mcp.client.logs import where_to_look

if TYPE_CHECKING:
    from llm_tools_mcp.client.tools import Failed

_FULL_ERRORS = "LLM_TOOLS_MCP_FULL_ERRORS"


def warnings(failed: Sequence[Failed]) -> list[str]:
    """In a line each where there are many; then `doctor` has the rest."""
    from llm_tools_mcp.client.tools import FEW

    if len(failed) <= FEW:
        return [_unavailable(one) for one in failed]
    lines = [
        f"Warning: Failed to connect to the {one.server!r} MCP server: {one.short_reason}" for one in failed
    ]
    return [*lines, "Their tools will be unavailable; see: llm mcp doctor"]


def _unavailable(failed: Failed) -> str:
    name = failed.server
    if failed.login:
        return failed.line
    more = "correct its entry there"
    if not failed.is_config:
        more = f"run with {_FULL_ERRORS}=1, or see: {where_to_look(name, 'llm mcp doctor')}"
    lines = [
        f"Warning: Failed to connect to the {name!r} MCP server: {failed.reason}",
        f"Tools from {name!r} will be unavailable ({more})",
    ]
    if failed.traceback and os.environ.get(_FULL_ERRORS):
        lines.append(failed.traceback)
    return "\n".join(lines)
