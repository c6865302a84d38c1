"""The hooks of llm that this plugin serves. Each loads what it needs when it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import llm

from llm_tools_mcp.system.streams import open_closed

from . import head_start
from .toolbox import MCP

open_closed()  # llm itself asks stdin whether it is a terminal
head_start.begin(sys.argv)


@llm.hookimpl
def register_tools(register: Callable[..., None]) -> None:
    register(MCP)


@llm.hookimpl
def register_fragment_loaders(register: Callable[..., None]) -> None:
    register("mcp", _load_fragment)


def _load_fragment(address: str) -> list[llm.Fragment | llm.Attachment]:
    """A resource of an MCP server: mcp:SERVER/URI (llm mcp resources shows what there is)"""
    from .fragments import load_fragment

    return load_fragment(address)


@llm.hookimpl
def register_template_loaders(register: Callable[..., None]) -> None:
    register("mcp", _load_template)


def _load_template(address: str) -> llm.Template:
    """A prompt of an MCP server: mcp:SERVER/PROMPT?arg=value (llm mcp prompts shows them)

    Or all its tools and its instructions: mcp:SERVER
    """
    from .templates import load_template

    return load_template(address)


@llm.hookimpl
def register_commands(cli: click.Group) -> None:
    cli.add_command(
        _McpGroup(name="mcp", help="Use MCP servers: their tools, and the daemon that keeps them connected.")
    )


class _McpGroup(click.Group):
    """The group of `llm-mcp`, loaded when it is used."""

    def _group(self) -> click.Group:
        from llm_tools_mcp.cli import group

        return group

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return self._group().get_params(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._group().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return self._group().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self._group().format_help(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        from llm_tools_mcp.cli import readable_errors

        with readable_errors():
            return super().invoke(ctx)
