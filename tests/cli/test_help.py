"""Help teaches: every command has one, with examples; what is misspelt is suggested."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from llm_tools_mcp.cli import group
from tests.home import Home, living_in
from tests.imports import PACKAGE
from tests.prompting import invoke

CONTEXT = click.Context(group, info_name="llm-mcp")
COMMANDS = group.list_commands(CONTEXT)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "service"])
def test_help_of_each_command_has_examples(name: str) -> None:
    """The help names what the command does and shows lines to type, which begin with `llm mcp`."""
    text = CliRunner().invoke(group, [name, "--help"], prog_name="llm-mcp").stdout
    _, _, examples = text.partition("Examples:\n")
    assert examples, text
    assert all("llm mcp " in line or "llm-mcp" in line for line in examples.splitlines())


def examples_of(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from getattr(command, "examples", ())
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name)  # type: ignore[attr-defined]
        yield from examples_of(inner, click.Context(inner, parent=context))


def understood(words: list[str]) -> None:
    """Raises what click complains of; nothing is run."""
    command: click.Command = group
    context = CONTEXT
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        context = found.make_context(name, list(words), parent=context)
        command, words = found, [*context._protected_args, *context.args]


def test_examples_are_what_their_commands_take() -> None:
    """Each `llm mcp …` of each help: its command, its options, its arguments."""
    typed = [
        shlex.split(words)
        for line in examples_of(group, CONTEXT)
        for words in re.findall(r"llm[ -]mcp ([^|;&<>)]+)", line.partition("  #")[0])
    ]
    assert len(typed) > len(COMMANDS)
    for words in typed:
        understood(words)


def test_help_of_the_group_lists_all_commands(home: Home) -> None:
    """One line each, the same under both names."""
    ours = home.run_cli("--help").stdout
    theirs = home.run_llm("mcp", "--help").stdout
    assert ours.replace("Usage: llm-mcp", "Usage: llm mcp") == theirs
    assert re.findall(r"^  ([a-z-]+) ", ours.partition("Commands:\n")[2], re.MULTILINE) == COMMANDS


def test_both_names_run_the_same_commands(home: Home) -> None:
    """`llm mcp` is `llm-mcp`: output, errors and exit codes."""
    for words in (["--version"], ["health"], ["statsu"], ["status", "--json"], ["metrics"], ["tools"]):
        ours = home.run_cli(*words, check=False)
        with living_in(home):
            theirs = invoke("mcp", *words)
        assert (ours.code, ours.stdout) == (theirs.code, theirs.stdout)
        assert (
            ours.stderr.replace("llm-mcp [", "llm mcp [").replace("'llm-mcp -", "'llm mcp -")
            == theirs.stderr.replace("cli mcp", "llm mcp")  # click's runner has no other name for llm
        )


def test_misspelt_command_is_suggested(home: Home) -> None:
    """A usage error, exit code 2, with what was probably meant."""
    refused = home.run_cli("statsu", check=False)
    assert refused.code == 2
    assert "there is no command 'statsu'; did you mean 'status'?" in refused.stderr


def test_version(home: Home) -> None:
    """It is the installed package's."""
    assert home.run_cli("--version").stdout == f"llm-mcp, version {version('llm-tools-mcp')}\n"


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_is_quick(words: list[str]) -> None:
    """It loads none of what commands need: no command, gRPC, rich, pydantic, and no llm."""
    code = (
        "import sys; from llm_tools_mcp.cli import group\n"
        f"try: group({words!r}, standalone_mode=False)\n"
        "finally: print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.partition("LOADED ")[2].split()
    heavy = {"llm", "grpc", "google", "rich", "pydantic", "mcp", "psutil", "asyncio", "prometheus_client"}
    assert heavy.isdisjoint(module.partition(".")[0] for module in loaded)
    assert [module for module in loaded if module.startswith(f"{PACKAGE}.cli.")] == []
