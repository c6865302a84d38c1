"""What a person sees of a prompt: warnings, once each, and errors without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp.client.tools import Listing
    from llm_tools_mcp.config import ConfigSource

# What this process has warned of: `llm chat` asks for the tools at every turn.
_shown: set[str] = set()


def warn(warning: str, subject: str) -> None:
    if subject not in _shown:
        _shown.add(subject)
        sys.stderr.write(f"{plain(warning)}\n")


def warn_of_failures(listing: Listing) -> None:
    """Once for each server, not for each text: the reason of one that backs off tells the seconds, too."""
    subjects = {f"{listing.caller.config_path}\0{failed.server}": failed for failed in listing.failed}
    news = [failed for subject, failed in subjects.items() if subject not in _shown]
    _shown.update(subjects)
    if news:
        from .failures import warnings

        for warning in warnings(news):
            sys.stderr.write(f"{plain(warning)}\n")


def read_only(listing: Listing) -> Listing:
    """The same with the tools alone that say that they change nothing: where none does, that is said."""
    narrowed = listing.read_only()
    if listing.offers and not narrowed.offers:
        warn("Warning: readonly=true leaves no tool: none says that it only reads (readOnlyHint)", "readonly")
    return narrowed


def warn_of_no_servers(listing: Listing, source: ConfigSource) -> None:
    """A prompt without any tool: nobody would know why."""
    if listing.offers or listing.failed or listing.others or listing.left_out:
        return
    from llm_tools_mcp import paths
    from llm_tools_mcp.config import configured_names, enabled_names

    if enabled_names(source):
        return
    option = paths.config_option(source.path)
    if configured_names(source):
        text = f"all MCP servers of {source.path} are disabled; to enable one: llm mcp enable{option} NAME"
    else:
        text = f"{source.path} has no MCP servers; to add one: llm mcp add{option} NAME -- COMMAND ARGS…"
    warn(f"Warning: {text}", text)


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
