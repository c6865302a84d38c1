"""`llm mcp trust` and `untrust`: the servers that a project brings along in its `.mcp.json`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import command
from llm_tools_mcp.config import (
    Project,
    configured_names,
    find_project,
    is_disabled,
    named_entries,
    read_config,
    read_project,
)
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.text.plain import plain, visible, visible_name

if TYPE_CHECKING:
    from llm_tools_mcp.terminal.tty import Tty

_NAME = ".mcp.json"
# Of an entry: what is told in words of its own.
_URLS = ("url", "serverUrl", "httpUrl")
_TOLD = ("command", "args", "env", "headers", *_URLS)
# Words of ours, which no key of an entry may pass for.
_LABELS = ("runs", "connects to")
# Variables that decide which program runs, or what else runs within it.
_DECIDING = re.compile(
    r"PATH|IFS|ENV|BASH_ENV|SHELL|(LD|DYLD)_\w+|NODE_(OPTIONS|PATH)|PYTHON\w*|PERL5\w+|RUBY(OPT|LIB)|JAVA_TOOL_OPTIONS"
)


@command("trust", "llm mcp trust", "llm mcp trust ~/projects/site", "llm mcp trust --yes    # in a container")
@click.argument("path", required=False, type=click.Path())
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal it has to be said.")
def trust_command(*, path: str | None, yes: bool) -> None:
    """Show the servers that a project brings along in .mcp.json, and use them from now on.

    PATH is the file or its folder; without it the nearest one is meant, from the current folder upwards. What
    is trusted is the file as it was shown: once it changes, it is not used until it is trusted again.
    """
    from llm_tools_mcp.consent.projects import TRUSTED, Projects

    project, projects = read_project(_found(path)), Projects()
    _check(project)
    if projects.decision(project) == TRUSTED:
        click.echo(f"{plain(project.path)} is trusted already, as it is")
        return
    former = projects.former(project)
    if yes:
        for line in _described(project):
            click.echo(line)
    elif not _is_agreed(project, former):
        click.echo("not trusted; to be told of it no more: llm mcp untrust", err=True)
        raise SystemExit(1)
    projects.decide(project, TRUSTED)
    click.echo(f"trusted: prompts in {plain(project.folder)} and below use these servers")


@command("untrust", "llm mcp untrust", "llm mcp untrust ~/projects/site")
@click.argument("path", required=False, type=click.Path())
def untrust_command(*, path: str | None) -> None:
    """Use a project's own servers no more, and do not tell of them until the file changes."""
    from llm_tools_mcp.consent.projects import IGNORED, Projects

    file = _found(path)
    try:
        Projects().decide(read_project(file), IGNORED)
    except ConfigError:  # gone, or refused anyway
        Projects().forget(file)
    click.echo(f"not trusted: {plain(file)}")


def _found(given: str | None) -> str:
    """Raises McpError."""
    if given is None:
        found = find_project(paths.current_folder(), os.environ.get("HOME", ""))
        if found is None:
            raise McpError(f"there is no {_NAME} in {paths.current_folder()} or above it")
        return found
    path = Path(given).expanduser().absolute()
    # The folder may be reached in many ways, the file itself may not: a link could be bent later.
    return str(path.resolve() / _NAME if path.is_dir() else path.parent.resolve() / path.name)


def _check(project: Project) -> None:
    """What cannot be used is not agreed to. Raises ConfigError."""
    from llm_tools_mcp.cli.editing import check_project

    check_project(project)


# --- what is shown ----------------------------------------------------------------------------------


def _is_agreed(project: Project, former: str | None) -> bool:
    from llm_tools_mcp.terminal.questions import choose
    from llm_tools_mcp.terminal.tty import EndOfInput, NoTerminal, terminal

    try:
        with terminal() as tty:
            _show(tty, project, former)
            return choose(tty, "Trust them?", {"n": "no", "y": "yes"}) == "y"
    except NoTerminal as why:
        repair = f"look at {project.path}, then: llm mcp trust --yes {quote(project.path)}"
        raise McpError(f"{why}; {repair}") from None
    except EndOfInput:
        return False


def _show(tty: Tty, project: Project, former: str | None) -> None:
    tty.print(f"Prompts in {plain(project.folder)} and below would run, with your rights:", bold=True)
    for line in _described(project):
        tty.quote(line, most=100_000, is_list=True)
    if former is not None:
        tty.print("It has changed since you trusted it:", bold=True)
        _show_difference(tty, former, project.text)


def _show_difference(tty: Tty, former: str, now: str) -> None:
    for line in difflib.unified_diff(_lines(former), _lines(now), "trusted", "now", lineterm=""):
        tty.quote(visible(line), most=100_000, is_list=True)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _described(project: Project) -> Iterator[str]:
    """All that the entries say but secrets; and what they would stand in for."""
    own = _own_names()
    for name, entry in named_entries(project.text).items():
        off = " (disabled)" if is_disabled(entry) else ""
        instead = "    instead of your own server of this name" if name in own else ""
        yield f"{visible_name(name)}{off}{instead}"
        yield from (f"    {line}" for line in _entry(entry if isinstance(entry, dict) else {}))


def _own_names() -> list[str]:
    try:
        return configured_names(read_config())
    except ConfigError:  # there is none, or none that is used
        return []


def _entry(entry: Mapping[str, Any]) -> Iterator[str]:
    args = entry.get("args")
    words = [entry.get("command"), *(args if isinstance(args, list) else [])]
    if entry.get("command") is not None:
        yield f"runs: {visible(join(map(str, words)))}"
    for key in _URLS:
        if key in entry:
            yield f"connects to: {visible(str(entry[key]))}"
    for key in ("env", "headers"):
        values = entry.get(key)
        for name, value in values.items() if isinstance(values, dict) else ():
            yield f"{key}: {visible_name(name)}{_public(key, name, value)}"
    for key, value in entry.items():
        if key not in _TOLD:
            label = f'"{key}"' if key in _LABELS else visible_name(key)
            yield f"{label}: {visible(str(value))}"


def _public(key: str, name: str, value: object) -> str:
    """What decides what runs, what of yours a server is given, and what is no secret."""
    from llm_tools_mcp.config.secrecy import is_secret_value

    text = str(value)
    decides = key == "env" and _DECIDING.fullmatch(name)
    if decides or "${" in text or (key == "env" and not is_secret_value(name, text)):
        return f"={visible(text)}"
    return ""
