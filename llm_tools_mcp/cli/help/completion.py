"""`llm mcp completion`: what makes a shell complete llm-mcp."""

from __future__ import annotations

import os
from pathlib import Path

import click

from llm_tools_mcp.cli.command import command

from .shells import SHELLS

VARIABLE = "_LLM_MCP_COMPLETE"  # as click makes it of the program's name


@command(
    "completion",
    'eval "$(llm mcp completion bash)"                                   # in ~/.bashrc',
    'eval "$(llm mcp completion zsh)"                                    # in ~/.zshrc, after compinit',
    "llm mcp completion fish > ~/.config/fish/completions/llm-mcp.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
def completion_command(*, shell: str | None) -> None:
    """Print what makes a shell complete `llm-mcp`: commands, servers, tools and their arguments.

    `llm` completes `llm mcp` by itself where its own completion is set up (_LLM_COMPLETE=bash_source llm).
    """
    from llm_tools_mcp.cli import group  # it loads the commands, this one too

    name = shell or Path(os.environ.get("SHELL", "bash")).name
    if name not in SHELLS:
        raise click.UsageError(f"there is completion for bash, zsh and fish, not for {name}")
    click.echo(SHELLS[name](group, {}, "llm-mcp", VARIABLE).source())
