"""Completion in the real shells: names with spaces, URIs with colons, slashes and Unicode."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.terminal import run_in_terminal
from tests.home import Home
from tests.servers import entry, library_server

URI = "book://a folder/ä ö/ünï"


def started(shell: str, home: Home) -> tuple[list[str], dict[str, str]]:
    """How the shell is started, with `ready> ` as its prompt and our completion, and what it needs."""
    load = f"llm-mcp completion {shell}"
    path = home.env["PATH"]  # a start-up file of the system may have another one
    if shell == "bash":
        lines = f'PS1="ready> "; PATH="{path}"; eval "$({load})"\n'
        (home.folder / "rc").write_text(lines)
        return ["--rcfile", str(home.folder / "rc"), "-i"], {}
    if shell == "zsh":
        lines = f'PS1="ready> "; PATH="{path}"; autoload -U compinit; compinit -u -D; bindkey -e\n'
        (home.folder / ".zshrc").write_text(f'{lines}eval "$({load})"\n')
        return ["-i"], {"ZDOTDIR": str(home.folder)}
    # fish sets USER anew; servers are given it, so that theirs would be another list.
    prompt = "function fish_prompt; echo -n 'ready> '; end; set fish_greeting; bind \\ca beginning-of-line"
    return ["--no-config", "-i", "-C", f"set -gx USER tester; {load} | source; {prompt}"], {}


def words_of(shell: str, home: Home, line: str) -> list[str]:
    """What the shell makes of what is typed."""
    arguments, env = started(shell, home)
    typed = f"{line}\x01printf '<%s>\\n' \rexit\r"  # ^A: to the beginning of the line
    seen = run_in_terminal(
        home,
        *arguments,
        program=shutil.which(shell) or "",
        when=lambda raw: "ready> " in raw,
        then=typed.encode(),
        env=env,
        cwd=home.folder,
    )
    return [shown[1:-1] for shown in seen.screen.splitlines() if shown.startswith("<")]


def test_what_servers_have_is_completed(home: Home) -> None:
    """From what was listed last, in another folder, while no daemon runs."""
    shells = list(filter(shutil.which, ("bash", "zsh", "fish")))
    if not shells:
        pytest.skip("none of the shells is installed")
    home.write_config({"my books": entry(library_server())})
    home.run_cli("resources")
    home.run_cli("prompts")
    home.run_cli("stop")
    for shell in shells:
        assert words_of(shell, home, "llm-mcp read my\tbook://a\t")[1:] == ["read", "my books", URI]
        assert words_of(shell, home, "llm-mcp prompt 'my books' a/\t")[1:] == ["prompt", "my books", "a/b c"]
    assert home.processes() == []
