"""Completion, as the shells ask for it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.home import BIN, Home
from tests.servers import entry, naming_server


def completed(home: Home, *words: str) -> list[str]:
    """What bash is told after these words, the last of which is incomplete."""
    line = " ".join(["llm-mcp", *words])
    env = {"_LLM_MCP_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    return [found.partition(",")[2] for found in home.run_cli(env=env).stdout.splitlines() if found]


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
    """From what it knows; nothing is started."""
    home.write_config({"names": entry(naming_server("list_directory", "read_file"))})
    assert completed(home, "call", "names", "l") == []
    assert home.processes() == []
    home.run_cli("tools")
    assert completed(home, "call", "names", "l") == ["list_directory"]
    assert completed(home, "tools", "names", "r") == ["read_file"]


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


def test_bash_completes(home: Home) -> None:
    """The real shell, with the script evaluated."""
    home.write_config({"filesystem": {"command": "x"}})
    script = (
        f'PATH="{BIN}:$PATH"; eval "$(llm-mcp completion bash)"; COMP_WORDS=(llm-mcp call fi); COMP_CWORD=2; '
        '_llm_mcp_completion llm-mcp; echo "${COMPREPLY[@]}"'
    )
    assert home.run("bash", "-c", script).stdout == "filesystem\n"
