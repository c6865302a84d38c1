"""Writes packaging/man/llm-mcp.1 from the help of the commands: `make man`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from llm_tools_mcp import __version__
from llm_tools_mcp.cli import group
from llm_tools_mcp.cli.command import Command

PAGE = Path(__file__).parent / "man" / "llm-mcp.1"

_FILES = {
    "~/.llm-tools-mcp/mcp.json": 'The servers: {"mcpServers": {NAME: {"command": …} or {"url": …}}}.',
    ".mcp.json": "The servers of a project, used there once they are trusted: llm-mcp trust.",
    "~/.llm-tools-mcp/logs/": "What the daemon and each server wrote, unless the journal has it.",
    "$XDG_RUNTIME_DIR/llm-mcp.sock": "The daemon's socket; ~/Library/Application Support/llm-mcp/ on macOS.",
}
_VARIABLES = {
    "LLM_TOOLS_MCP_CONFIG_DIR": "Another folder than ~/.llm-tools-mcp.",
    "LLM_MCP_SOCKET": "Another socket; no installed service counts then.",
    "LLM_MCP_ANSWERS": "decline: what servers ask is declined, as where there is no terminal.",
    "LLM_MCP_QUIET": "No progress on the terminal; warnings stay.",
    "LLM_TOOLS_MCP_FULL_ERRORS": "Tracebacks of servers that cannot be reached.",
    "NO_COLOR": "No colours.",
}


def page() -> str:
    return "\n".join([*_head(), *_commands(), *_tail()]) + "\n"


def _head() -> Iterator[str]:
    yield f'.TH LLM-MCP 1 "" "llm-tools-mcp {__version__}" "User Commands"'
    yield from (".SH NAME", r"llm-mcp \- use MCP servers from llm and from the shell")
    yield from (
        ".SH SYNOPSIS",
        r".B llm-mcp",
        "[OPTIONS] COMMAND [ARGS]...",
        ".br",
        ".B llm mcp",
        "[OPTIONS] COMMAND [ARGS]...",
    )
    yield ".SH DESCRIPTION"
    yield from _paragraphs(group.help or "")
    yield ".SH COMMANDS"


def _commands() -> Iterator[str]:
    context = click.Context(group, info_name="llm mcp")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from _command(command, click.Context(command, info_name=name, parent=context))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f".SS {_escaped(context.command_path)}"
    yield from (
        ".PP",
        f".B {_escaped(context.command_path)}",
        _escaped(" ".join(command.collect_usage_pieces(context))),
    )
    yield from _paragraphs(command.help or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None and "--help" not in record[0]:
            yield from (".TP", f".B {_escaped(record[0])}", _escaped(record[1]))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(inner, click.Context(inner, info_name=name, parent=context))
    if isinstance(command, Command) and command.examples:
        yield from (".PP", "Examples:", ".PP", ".nf", ".RS")
        yield from map(_escaped, command.examples)
        yield from (".RE", ".fi")


def _tail() -> Iterator[str]:
    for title, entries in (("FILES", _FILES), ("ENVIRONMENT", _VARIABLES)):
        yield f".SH {title}"
        for name, text in entries.items():
            yield from (".TP", f".B {_escaped(name)}", _escaped(text))
    yield ".SH EXIT STATUS"
    yield "0 on success, 1 when something failed, 2 when the command line is wrong, 130 after Ctrl-C; 3 from"
    yield "status when the daemon does not run."
    yield from (".SH SEE ALSO", "llm --help, https://modelcontextprotocol.io")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    """No word of ours is a command of roff's."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
