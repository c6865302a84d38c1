"""Which server is meant, and which tool: a name of the config, a URL, or a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click

from llm_tools_mcp.config import ConfigSource, config_for_command, config_for_url, named_entries, read_config

command_option = click.option(
    "--command",
    "server_command",
    metavar="'COMMAND ARGS'",
    help="Run this server, which need not be in the config; then there is no SERVER to name.",
)


class Target(NamedTuple):
    """`server` and `tool` are empty where none is named; `words` are what is left."""

    source: ConfigSource
    server: str
    tool: str
    words: tuple[str, ...]


def target_of(words: Sequence[str], config_path: str | None, server_command: str | None) -> Target:
    """`SERVER TOOL WORDS…`, `SERVER.TOOL WORDS…`, `URL TOOL WORDS…`; after a command `TOOL WORDS…`.

    Raises ConfigError, and click's UsageError for a command that is none.
    """
    if server_command is not None:
        source = _of_command(server_command)
        return Target(source, next(iter(named_entries(source.text))), *_tool(words))
    if words and words[0].lower().startswith(("http://", "https://")):
        source = config_for_url(words[0])
        return Target(source, next(iter(named_entries(source.text))), *_tool(words[1:]))
    source = _read(config_path)
    if not words:
        return Target(source, "", "", ())
    server, tool = _split(words[0], words[1:], source)
    if tool:
        return Target(source, server, tool, tuple(words[1:]))
    return Target(source, server, *_tool(words[1:]))


def _of_command(server_command: str) -> ConfigSource:
    try:
        return config_for_command(server_command)
    except ValueError as error:
        raise click.UsageError(f"--command: {error}") from None


def _read(config_path: str | None) -> ConfigSource:
    from llm_tools_mcp.consent.projects import read_config_here

    source = read_config_here() if config_path is None else read_config(config_path)
    for warning in source.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return source


def _tool(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return (words[0], tuple(words[1:])) if words else ("", ())


def _split(word: str, rest: Sequence[str], source: ConfigSource) -> tuple[str, str]:
    """SERVER.TOOL, where no server is called so and no tool follows; a server's name may hold dots, too."""
    if "." not in word or (rest and "=" not in rest[0]):
        return word, ""
    names = named_entries(source.text)
    if word in names:
        return word, ""
    splits = [(word[:at], word[at + 1 :]) for at, character in enumerate(word) if character == "."]
    known = [(server, tool) for server, tool in splits if server in names and tool]
    return known[-1] if known else (word, "") if not splits[0][0] or not splits[0][1] else splits[0]
