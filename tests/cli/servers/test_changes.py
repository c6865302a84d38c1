"""set, rename, remove, edit, and what fingers type for them; add --force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llm_tools_mcp.config import named_entries
from tests.home import Home, living_in
from tests.programs import Result
from tests.prompting import invoke

Run = Callable[..., Result]

CONFIG = """{
  // mine
  "mcpServers": {
    "git": {"command": "uvx", "args": ["git"], "env": {"A": "1", "B": "2"}, "timeout": 5}, // good
    "web": {"url": "https://h/mcp", "headers": {"X": "1"}, "excludeTools": ["rm"]}
  }
}
"""


@pytest.fixture
def mcp(home: Home) -> Iterator[Run]:
    """A command of `llm mcp`, in this process."""
    home.config.write_text(CONFIG)
    with living_in(home):
        yield lambda *words, code=0: checked(invoke("mcp", *words), code)


def checked(result: Result, code: int) -> Result:
    assert result.code == code, result
    return result


def servers(home: Home) -> dict[str, Any]:
    return named_entries(home.config.read_text())


def test_set_changes_what_is_named(home: Home, mcp: Run) -> None:
    """Texts, numbers, lists, variables; all else stays, comments among it; nothing secret is repeated."""
    done = mcp("set", "git", "timeout=60", "env.A=s3cr3t", "cwd=5", "args=a", "args=b=c", "--unset", "env.B")
    assert done.stdout == f"changed 'git' in {home.config}: timeout, env.A, cwd, args, env.B\n"
    changed = servers(home)["git"]
    assert changed == {
        "command": "uvx", "args": ["a", "b=c"], "env": {"A": "s3cr3t"}, "timeout": 60, "cwd": "5",
    }  # fmt: skip
    assert "  // mine" in home.config.read_text()
    assert "// good" in home.config.read_text()
    mcp("set", "web", 'includeTools=["a","b"]', "headers.Y=2", "enabled=false", "--unset", "excludeTools")
    assert servers(home)["web"] == {
        "url": "https://h/mcp", "headers": {"X": "1", "Y": "2"}, "includeTools": ["a", "b"], "enabled": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["git"], 2, "KEY=VALUE"),
        (["git", "s3cr3t"], 2, "KEY=VALUE"),
        (["got", "timeout=1"], 1, "did you mean 'git'?"),
        (["git", "timeout=soon"], 1, "key 'timeout'"),
        (["git", "url=https://h/"], 1, "Only 'url' or 'command' is allowed"),
        (["git", "--unset", "cwd"], 1, "there is no key 'cwd' in the entry; it has: command, args"),
    ],
)
def test_set_refuses(home: Home, mcp: Run, words: list[str], code: int, said: str) -> None:
    """What would not work is refused before it is written."""
    refused = mcp("set", *words, code=code)
    assert said in refused.stderr
    assert "s3cr3t" not in refused.stderr
    assert home.config.read_text() == CONFIG


def test_set_warns_of_what_cannot_work(home: Home, mcp: Run) -> None:
    """It is written, since the rest may be mended by the next command; a variable may be set later."""
    home.write_config({"a": {"command": "true"}, "off": {"command": "true", "disabled": True}})
    assert "key 'timeout': Input should be" in mcp("set", "off", "timeout=soon").stderr
    assert "key 'command': is empty" in mcp("set", "a", "command=").stderr
    assert mcp("set", "a", "command=${NOT_SET_HERE}").stderr == ""


def test_rename_keeps_place_and_entry(home: Home, mcp: Run) -> None:
    """Only the name is another one."""
    mcp("rename", "git", "my git")
    assert home.config.read_text() == CONFIG.replace('"git": {', '"my git": {')
    assert "has a server 'web' already" in mcp("rename", "my git", "web", code=1).stderr
    assert "taken for an option" in mcp("rename", "web", "--", "-x", code=2).stderr


def test_several_are_removed_or_switched_at_once(home: Home, mcp: Run) -> None:
    """All or none of them; `rm` and `ls` are what fingers type."""
    assert "no MCP server is called 'x'" in mcp("remove", "git", "x", code=1).stderr
    assert mcp("disable", "git", "web").stdout.count("disabled") == 2
    assert mcp("ls").stdout.count("disabled") == 2
    mcp("enable", "web")
    assert mcp("rm", "git", "web").stdout == f"removed 'git', 'web' from {home.config}\n"
    assert servers(home) == {}


def test_forced_add_keeps_what_it_was_not_told(home: Home, mcp: Run) -> None:
    """Another command has its own arguments; another transport takes nothing of the former one."""
    mcp("add", "git", "--force", "--no-check", "-e", "B=3", "--", "git-mcp", "-v")
    changed = {"command": "git-mcp", "args": ["-v"], "env": {"A": "1", "B": "3"}, "timeout": 5}
    assert servers(home)["git"] == changed
    mcp("add", "git", "--force", "--no-check", "--", "git-mcp")
    assert servers(home)["git"] == {key: value for key, value in changed.items() if key != "args"}
    mcp("add", "web", "--force", "--no-check", "https://h2/mcp", "-H", "Y: 2")
    assert servers(home)["web"] == {
        "url": "https://h2/mcp", "headers": {"X": "1", "Y": "2"}, "excludeTools": ["rm"],
    }  # fmt: skip
    mcp("add", "web", "--force", "--no-check", "--", "web-mcp")
    assert servers(home)["web"] == {"command": "web-mcp", "excludeTools": ["rm"]}


def test_edited_file_is_checked(home: Home) -> None:
    """The editor is opened on it; what is wrong is said, and it can be opened again."""
    home.config.write_text(CONFIG)
    editor = home.folder / "editor"
    editor.write_text(
        '#!/bin/sh\nif grep -q timeout "$1"; then sed -i s/timeout/tmout/ "$1"; else echo x >> "$1"; fi\n'
    )
    editor.chmod(0o755)
    env = {"EDITOR": str(editor)}
    fine = home.run_cli("edit", env=env)
    assert fine.stdout == f"{home.config} is fine\n"
    assert "the key 'tmout' is unknown and ignored; did you mean 'timeout'?" in fine.stderr
    broken = home.run_cli("edit", env=env, check=False)
    assert broken.code == 1
    assert f"{home.config}: not valid JSON" in broken.stderr
    assert home.config.read_text().endswith("x\n")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("delete", "remove"), ("mv", "rename"), ("show", "get"), ("check", "doctor"), ("statsu", "status")],
)
def test_what_is_typed_for_a_command(mcp: Run, typed: str, meant: str) -> None:
    """Words of other programs are known; else letters decide."""
    assert f"there is no command '{typed}'; did you mean '{meant}'?" in mcp(typed, code=2).stderr


def test_help_is_a_word_too(mcp: Run) -> None:
    """Of all, of a command, of a command within one, of another name for one."""
    assert mcp("help").stdout == mcp("--help").stdout
    assert "KEY=VALUE" in mcp("help", "call").stdout
    assert "install" in mcp("help", "service").stdout
    assert "Show the configured servers" in mcp("help", "ls").stdout
    assert "did you mean 'call'?" in mcp("help", "cal", code=2).stderr


def test_edit_needs_an_editor_or_a_terminal(home: Home) -> None:
    """Without both nothing is made, and nothing hangs on a screen that nobody sees."""
    result = home.run_cli("edit", env={"EDITOR": "", "VISUAL": ""}, check=False)
    assert result.code == 1
    assert f"set EDITOR, or change the file itself: {home.config}" in result.stderr
    assert not home.config.exists()
