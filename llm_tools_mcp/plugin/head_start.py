"""A daemon that does not run begins to start while llm loads the rest of itself.

llm loads its plugins, then openai for 0.3 s, and only then makes the toolbox. What was typed tells earlier
whether there will be one. A wrong guess costs a daemon that nobody uses, and that ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING

from llm_tools_mcp.errors import McpError

if TYPE_CHECKING:
    from llm_tools_mcp.client.early_start import EarlyStart

_begun: list[EarlyStart] = []


def begin(argv: Sequence[str]) -> None:
    """Where it is `llm … -T MCP …`. What fails here the toolbox meets again, and tells."""
    if any(map(_is_toolbox, argv)) and _is_prompt(argv):
        with suppress(McpError, OSError):
            _begun.append(_start())


def take() -> EarlyStart:
    """What has begun, else what begins now. Raises SocketRefused, DaemonUnresponsive."""
    return _begun.pop() if _begun else _start()


def _is_prompt(argv: Sequence[str]) -> bool:
    """Or a chat, or a list of tools; `llm logs -T MCP` looks for those of the past."""
    return PurePath(argv[0]).name == "llm" and "logs" not in argv[1:2]


def _is_toolbox(word: str) -> bool:
    name = word.removeprefix("--tool=").removeprefix("-T")
    return name == "MCP" or name.startswith("MCP(")


def _start() -> EarlyStart:
    from llm_tools_mcp.client.early_start import EarlyStart

    return EarlyStart()
