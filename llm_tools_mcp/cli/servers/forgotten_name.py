"""`llm mcp add uvx mcp-server-time`: a command where NAME is expected. It would make a server called uvx."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from llm_tools_mcp.config import config_for_command, named_entries
from llm_tools_mcp.config.launchers import is_launcher
from llm_tools_mcp.config.secret_arguments import HIDDEN, secret_args


def check_name_is_no_command(words: Sequence[str]) -> None:
    """`words` as typed, without a `--`. Raises click's UsageError, with what was probably meant."""
    program, *rest = words
    if not rest or not is_launcher(program) or is_launcher(rest[0]) or "://" in rest[0]:
        return
    secrets = set(secret_args(rest))
    shown = [HIDDEN if any(secret in word for secret in secrets) else shlex.quote(word) for word in rest]
    raise click.UsageError(
        f"{program!r} starts servers; a name for the server comes first: "
        f"llm mcp add {_name(words)} -- {' '.join([program, *shown])}"
    )


def _name(words: Sequence[str]) -> str:
    """As a server is called that is known by its command alone."""
    (name,) = named_entries(config_for_command(shlex.join(words)).text)
    return "NAME" if is_launcher(name) else name
