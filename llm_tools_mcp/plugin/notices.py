"""What a person sees of a prompt: warnings, once each, and errors without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp.client.tools import Failed

_FULL_ERRORS = "LLM_TOOLS_MCP_FULL_ERRORS"

# What this process has warned of: `llm chat` asks for the tools at every turn.
_shown: set[str] = set()


def warn(warning: str, subject: str) -> None:
    if subject not in _shown:
        _shown.add(subject)
        sys.stderr.write(f"{plain(warning)}\n")


def unavailable(failed: Failed) -> str:
    from shlex import quote

    name = failed.server
    if failed.login:
        return failed.line
    more = f"run with {_FULL_ERRORS}=1, or see: llm mcp logs {quote(name)}"
    lines = [
        f"Warning: Failed to connect to the {name!r} MCP server: {failed.reason}",
        f"Tools from {name!r} will be unavailable ({more})",
    ]
    if failed.traceback and os.environ.get(_FULL_ERRORS):
        lines.append(failed.traceback)
    return "\n".join(lines)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Within a command of llm our errors are click's: `llm tools MCP` would show a traceback."""
    try:
        yield
    except (McpError, ImportError) as error:
        import click

        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(plain(_advised(error))) from error


def _advised(error: Exception) -> str:
    if isinstance(error, ImportError):  # something in this environment is missing, or too old
        from llm_tools_mcp.dependencies import explained

        return explained(error)
    return str(error)
