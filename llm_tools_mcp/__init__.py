"""The tools of MCP servers in llm, kept connected by a small per-user daemon.

Importing the package loads nothing else: `llm-mcp` and the daemon must not pay for llm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plugin.toolbox import MCP

__version__ = "1.0.0"

__all__ = ["MCP", "__version__"]


def __getattr__(name: str) -> object:
    if name != "MCP":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .plugin.toolbox import MCP

    return MCP
