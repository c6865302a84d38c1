"""`llm mcp trust` and `untrust`: the servers that a project brings along in its `.mcp.json`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import command
from llm_tools_mcp.config import ConfigSource, Project, find_project, read_project
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.text.plain import plain, visible, visible_name

from .disclosure import described, described_files, public_text

if TYPE_CHECKING:
    from llm_tools_mcp.consent.projects import Projects
    from llm_tools_mcp.terminal.choosing import Option
    from llm_tools_mcp.terminal.tty import Tty

_NAME = ".mcp.json"
# What the daemon is told of the file of a project that is not trusted.
_NO_SERVERS = '{"mcpServers": {}}'


@command("trust", "llm mcp trust", "llm mcp trust ~/projects/site", "llm mcp trust --yes    # in a container")
@click.argument("path", required=False, type=click.Path())
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal it has to be said.")
def trust_command(*, path: str | None, yes: bool) -> None:
    """Show the servers that a project brings along in .mcp.json, and use them from now on.

    PATH is the file or its folder; without it the nearest one is meant, from the current folder upwards. What
    is trusted is the file as it was shown, and each file that it names (envFile, ${file:PATH}): once one of
    them changes, none is used until they are trusted again.
    """
    from llm_tools_mcp.consent.projects import TRUSTED, Projects

    projects = Projects()
    verdict = projects.verdict(read_project(_found(path)), os.environ)
    project = verdict.project.looked_up(os.environ)
    lines = list(_described(project))
    if verdict.decision == TRUSTED:
        click.echo(f"{plain(project.path)} is trusted already, as it is")
        return
    if yes:
        for line in lines:
            click.echo(line)
    elif not _is_agreed(project, lines, list(_differences(project, projects))):
        click.echo("not trusted; to be told of it no more: llm mcp untrust", err=True)
        raise SystemExit(1)
    projects.decide(project, TRUSTED, described_files(project))
    click.echo(f"trusted: prompts in {plain(project.folder)} and below use these servers")


@command("untrust", "llm mcp untrust", "llm mcp untrust ~/projects/site")
@click.argument("path", required=False, type=click.Path())
def untrust_command(*, path: str | None) -> None:
    """Use a project's own servers no more, end what runs of them, and do not tell of them until the file
    changes.
    """
    from llm_tools_mcp.cli.running_daemon import let_know
    from llm_tools_mcp.consent.projects import IGNORED, Projects

    file = _found(path)
    try:
        Projects().decide(read_project(file), IGNORED)
    except ConfigError:  # gone, or refused anyway
        Projects().forget(file)
    let_know(ConfigSource(file, _NO_SERVERS))
    click.echo(f"untrusted {plain(file)}: prompts do not use it, and tell of it no more until it changes")


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


# --- what is shown ----------------------------------------------------------------------------------


def _described(project: Project) -> Iterator[str]:
    """What cannot be used is not agreed to. Raises ConfigError."""
    from llm_tools_mcp.cli.editing import check_project

    return described(project, check_project(project).servers)


def _is_agreed(project: Project, lines: list[str], differences: list[str]) -> bool:
    from llm_tools_mcp.terminal.choosing import choose
    from llm_tools_mcp.terminal.tty import EndOfInput, NoTerminal, terminal

    try:
        with terminal() as tty:
            _show(tty, project, lines, differences)
            return choose(tty, "Trust them?", _options()) == "y"
    except NoTerminal as why:
        repair = f"look at {project.path}, then: llm mcp trust --yes {quote(project.path)}"
        raise McpError(f"{why}; {repair}") from None
    except EndOfInput:
        return False


def _options() -> list[Option]:
    from llm_tools_mcp.terminal.choosing import Option

    return [
        Option("n", "no", "they are not used; `llm mcp untrust` also silences the hint in prompts"),
        Option("y", "yes", "prompts use them, until this file changes or one that it reads"),
    ]


def _show(tty: Tty, project: Project, lines: list[str], differences: list[str]) -> None:
    tty.print(f"Prompts in {plain(project.folder)} and below would run, with your rights:", bold=True)
    for line in lines:
        tty.quote(line, most=100_000, is_list=True)
    if differences:
        tty.print("It has changed since you trusted it:", bold=True)
    for line in differences:
        tty.quote(line, most=100_000, is_list=True)


def _differences(project: Project, projects: Projects) -> Iterator[str]:
    """What is other than when it was trusted: of the file itself, then of those that it names."""
    former = projects.former(project)
    if former is None:
        return
    if former != project.text:
        yield from _difference(public_text(former), public_text(project.text), ".mcp.json")
    now = described_files(project)
    for key, before in projects.changed_files(project).items():
        yield from _difference(before, now[key], visible_name(project.files[key]))


def _difference(former: str, now: str, name: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        former.split("\n"),
        now.split("\n"),
        f"{name}, as you trusted it",
        f"{name}, as it is now",
        lineterm="",
    )
    shown = [visible(line) for line in lines]
    yield from shown or [f"{name}: a value or a comment, which is not shown"]
