"""One line on stderr where a prompt carries more tools than is good for it: at most once a day."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_tools_mcp import paths
from llm_tools_mcp.system import access
from llm_tools_mcp.text.token_estimate import shown_tokens, tokens_of

from .notices import warn

if TYPE_CHECKING:
    import llm

# OpenAI takes no more.
_TOOLS = 128
_TOKENS = 20_000
_SECONDS = 24 * 3600.0
_QUIET = "LLM_MCP_QUIET"


def warn_of_cost(tools: Sequence[llm.Tool]) -> None:
    """What these tools cost in every request, if that is much."""
    tokens = _tokens(tools)
    if (len(tools) > _TOOLS or tokens > _TOKENS) and not os.environ.get(_QUIET) and _is_due():
        limit = f", and OpenAI takes {_TOOLS} of them at most" if len(tools) > _TOOLS else ""
        warn(
            f"Warning: {len(tools)} tools ({shown_tokens(tokens)} tokens) go with every request{limit}. "
            "Fewer: -T 'MCP(servers=\"…\")' or -T 'MCP(tools=\"…\")'; to have the model search for them: "
            "-T 'MCP(search=true)'; what each server costs: llm mcp list",
            "cost",
        )


def _tokens(tools: Sequence[llm.Tool]) -> int:
    return sum(tokens_of(tool.name, tool.description or "", json.dumps(tool.input_schema)) for tool in tools)


def _is_due() -> bool:
    """Whether it was not said within a day; from now on it was."""
    stamp = paths.cache_folder() / "told-of-cost"
    with suppress(OSError):
        if 0 <= time.time() - stamp.stat().st_mtime < _SECONDS:
            return False
    with suppress(OSError):
        access.make_private_folder(stamp.parent)
        stamp.touch()
        os.utime(stamp)
    return True
