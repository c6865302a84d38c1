"""Where the words of a server are: no message may point at a log that holds nothing."""

from __future__ import annotations

from pathlib import Path

from llm_tools_mcp import paths
from llm_tools_mcp.service import installed_service


def where_to_look(server: str, otherwise: str) -> str:
    """What to type for more about it: its log, where something stands in it."""
    from shlex import quote

    service = installed_service()
    in_journal = service is not None and bool(service.log_command(1, follow=False))
    is_told = in_journal or has_words(paths.log_folder() / paths.server_log_name(server))
    return f"llm mcp logs {quote(server)}" if is_told else otherwise


def has_words(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except OSError:
        return False
