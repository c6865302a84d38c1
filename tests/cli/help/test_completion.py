"""Completion, as the shells ask for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import run_in_terminal
from tests.home import BIN, Home
from tests.servers import entry, naming_server, scripted_server


def completed(home: Home, *words: str, cwd: Path | None = None) -> list[str]:
    """What bash is told after these words, the last of which is incomplete."""
    line = " ".join(["llm-mcp", *words])
    env = {"_LLM_MCP_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    return [found.partition(",")[2] for found in home.run_here(env=env, cwd=cwd).stdout.splitlines() if found]


def test_commands(home: Home) -> None:
    """By what they begin with."""
    assert completed(home, "st") == ["status", "start", "stop"]
    assert completed(home, "m") == ["metrics"]


def test_servers_come_from_the_config(home: Home) -> None:
    """No daemon is started for them."""
    home.write_config(
        {"filesystem": entry(naming_server("list_directory", "read_file")), "time": {"command": "x"}}
    )
    assert completed(home, "call", "f") == ["filesystem"]
    assert completed(home, "remove", "t") == ["time"]
    assert home.processes() == []


def test_tools_and_arguments_come_from_the_daemon(home: Home) -> None:
    """From what it knows or, while none runs, from what lies on disk; nothing is started.

    What drives a terminal, or would be run by a shell that is told so by click, is not offered.
    """
    odd = ("list\x1b[2J", "list\u202e", "list$(id)", "list;id")
    home.write_config({"names": entry(naming_server("list_directory", "read_file", *odd))})
    assert completed(home, "call", "names", "l") == []
    assert home.processes() == []
    home.run_here("tools")
    assert completed(home, "call", "names", "l") == ["list_directory"]
    assert completed(home, "tools", "names", "r") == ["read_file"]
    home.run_here("stop")
    assert completed(home, "call", "names", "l") == ["list_directory"]
    assert home.processes() == []


def test_arguments_are_offered_once_and_their_values_from_the_schema(served: Home) -> None:
    """A key that was given is not offered again; choices are; files after @, and for a text."""
    assert completed(served, "call", "every", "add", "''") == ["a=", "b="]
    assert completed(served, "call", "every", "add", "a=1", "''") == ["b="]
    assert completed(served, "call", "every", "log", "level=w") == ["level=warning"]
    assert completed(served, "call", "every", "echo", "text=@no") == ["no"]
    assert completed(served, "call", "every", "add", "a=") == []
    assert completed(served, "call", "every", "log", "level", "=", "w") == ["warning"]


def test_server_and_tool_in_one_word(served: Home) -> None:
    """SERVER.TOOL behind the dot, and its arguments behind it."""
    assert completed(served, "call", "every.ec") == ["every.echo"]
    assert completed(served, "tools", "names.al") == ["names.alpha"]
    assert completed(served, "call", "every.add", "''") == ["a=", "b="]
    assert completed(served, "call", "every.add", "a=1", "''") == ["b="]
    assert completed(served, "call", "every.log", "level=w") == ["level=warning"]
    assert completed(served, "tools", "every.add", "''") == []


def test_keys_of_an_entry(home: Home) -> None:
    """Of its kind alone, as they are mostly spelled; variables that are there; --unset: what is there."""
    home.write_config(
        {
            "files": {"command": "x", "timeout": 5, "env": {"A_KEY": "x"}},
            "remote": {"url": "https://h/mcp"},
        }
    )
    assert completed(home, "set", "files", "time") == ["timeout="]
    assert completed(home, "set", "files", "timeout=3", "time") == []
    assert completed(home, "set", "files", "idle") == ["idleTimeout="]
    assert completed(home, "set", "files", "env") == ["envFile=", "env.A_KEY="]
    assert completed(home, "set", "remote", "oa") == ["oauth="]
    assert completed(home, "set", "files", "oa") == []
    assert completed(home, "set", "files", "--unset", "''") == ["command", "timeout", "env", "env.A_KEY"]
    assert completed(home, "set", "gone", "t") == []


def test_nothing_is_said_about_errors(home: Home) -> None:
    """In the middle of a line there is no place for them."""
    home.config.write_text("{")
    assert completed(home, "call", "f") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_each_shell(home: Home, shell: str) -> None:
    """It is one that the shell can read, where that is installed."""
    script = home.run_cli("completion", shell).stdout
    assert "_LLM_MCP_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


BASH = shutil.which("bash") or ""


def in_bash(home: Home, line: str) -> list[str]:
    """The words that bash makes of what is typed."""
    rc = home.folder / "rc"
    rc.write_text(f'PS1="ready> "; PATH="{BIN}:$PATH"; eval "$(llm-mcp completion bash)"\n')
    typed = f"{line}\x01printf '<%s>\\n' \rexit\r"  # ^A: to the beginning of the line
    seen = run_in_terminal(
        home, "--rcfile", str(rc), "-i", program=BASH, when=lambda raw: "ready> " in raw, then=typed.encode()
    )
    return [shown[1:-1] for shown in seen.raw.splitlines() if shown.startswith("<")]


@pytest.mark.skipif(not BASH, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ca\tev\tech\tte\thello", ["call", "every", "echo", "text=hello"]),
        ("call every echo text=@./fol\tno\t", ["call", "every", "echo", "text=@./folder/note.txt"]),
        ("call every.ec\tte\thello", ["call", "every.echo", "text=hello"]),
        ("call every add a=1 \t2", ["call", "every", "add", "a=1", "b=2"]),
        ("call every add --json-args @fold\t", ["call", "every", "add", "--json-args", "@folder/"]),
        ("list --config ./fol\t", ["list", "--config", "./folder/"]),
        ("import ./fol\t", ["import", "./folder/"]),
    ],
)
def test_bash_completes(served: Home, typed: str, words: list[str]) -> None:
    """The real shell, in a terminal. It splits words at `=` and `@`: what stands before them stays."""
    assert in_bash(served, f"llm-mcp {typed}") == ["llm-mcp", *words]


@pytest.mark.skipif(not BASH, reason="bash is not installed")
def test_bash_quotes_what_it_completes(home: Home) -> None:
    """A name or a value with spaces is one word."""
    schema = {"type": "object", "properties": {"mode": {"enum": ["two words", "it's"]}}}
    argv = scripted_server(home.folder / "script.json", {"name": "run", "inputSchema": schema})
    home.write_config({"my server": entry(argv)})
    home.run_here("tools")
    typed = "llm-mcp call my\tru\tm\ttw\t"
    assert in_bash(home, typed) == ["llm-mcp", "call", "my server", "run", "mode=two words"]


@pytest.mark.skipif(not BASH, reason="bash is not installed")
def test_bash_runs_nothing_that_it_completes(home: Home) -> None:
    """The word of a server is one word, also where quotes were begun."""
    made = home.folder / "made"
    home.write_config({"names": entry(naming_server(f"x$(touch {made})"))})
    home.run_here("tools")
    assert in_bash(home, "llm-mcp call names x\t") == ["llm-mcp", "call", "names", f"x$(touch {made})"]
    assert in_bash(home, 'llm-mcp call names "x\t"') == ["llm-mcp", "call", "names", "x"]
    assert not made.exists()
