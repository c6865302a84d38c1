"""Completion for bash, zsh and fish: commands, servers, tools and their arguments. Starts nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from .command import command

if TYPE_CHECKING:
    from llm_tools_mcp import v1

_VARIABLE = "_LLM_MCP_COMPLETE"
T = TypeVar("T")


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
    from click.shell_completion import get_completion_class

    from . import group

    name = shell or Path(os.environ.get("SHELL", "bash")).name
    kind = get_completion_class(name)
    if kind is None:
        raise click.UsageError(f"there is completion for bash, zsh and fish, not for {name}")
    click.echo(kind(group, {}, "llm-mcp", _VARIABLE).source())


def server_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Of the config."""
    servers: list[str] = _quietly(lambda: list(_servers(context)), [])
    return [CompletionItem(name) for name in servers if _fits(name, incomplete)]


def tool_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Of the server that was typed already, as far as the daemon that runs knows them."""
    tools = _tools(context)
    return [
        CompletionItem(t.name, help=_first_line(t.description)) for t in tools if _fits(t.name, incomplete)
    ]


def argument_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """KEY= of the tool that was typed already."""
    from .schema import Argument, arguments_of

    wanted = context.params.get("tool")
    schemas = [tool.input_schema for tool in _tools(context) if tool.name == wanted]
    found: list[Argument] = _quietly(
        lambda: [a for text in schemas for a in arguments_of(json.loads(text))], []
    )
    return [CompletionItem(f"{a.name}=", help=a.kind) for a in found if _fits(a.name, incomplete)]


def _fits(name: str, incomplete: str) -> bool:
    return name.startswith(incomplete)


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:80]


def _servers(context: click.Context) -> dict[str, Any]:
    from .editing import config_file, servers_of

    return servers_of(config_file(context.params.get("config_path")))


def _tools(context: click.Context) -> list[v1.Tool]:
    def ask() -> list[v1.Tool]:
        return known_tools(context.params.get("config_path")).get(context.params.get("server") or "", [])

    return _quietly(ask, [])


def known_tools(config_path: str | None) -> dict[str, list[v1.Tool]]:
    """What the daemon knows of each server of a config; nothing where none runs."""
    from llm_tools_mcp import paths
    from llm_tools_mcp.client import DaemonClient, make_caller
    from llm_tools_mcp.config import read_config
    from llm_tools_mcp.service import installed_service

    from .daemon import is_running

    if not is_running(installed_service()):
        return {}
    caller = make_caller(read_config(config_path))
    with DaemonClient(paths.socket_path()) as client:
        # Of servers that are not asked for only what is known already is sent, and none is called so.
        return {answer.server: list(answer.tools) for answer in client.tools(caller, ["\0"])}


def _quietly(ask: Callable[[], T], otherwise: T) -> T:
    """Somebody is in the middle of typing: an error has no place on the screen."""
    try:
        return ask()
    except Exception:  # noqa: BLE001 - whatever it is
        return otherwise
