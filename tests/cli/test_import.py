"""import: the configs of other clients, as they write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import run_in_terminal
from tests.home import Home

FILES = {
    "claude-desktop": (
        ".config/Claude/claude_desktop_config.json",
        '{"globalShortcut": "x", "mcpServers": {"fs": {"command": "npx", "args": ["-y", "fs", "/home/me"]}}}',
        {"fs": {"command": "npx", "args": ["-y", "fs", "/home/me"]}},
    ),
    "claude-code": (
        ".claude.json",
        """{"numStartups": 3, "mcpServers": {
          "s": {"type": "stdio", "command": "x", "args": [], "env": {}},
          "r": {"type": "http", "url": "https://h/mcp", "headers": {"Authorization": "Bearer ${T:-no}"}}}}""",
        {
            "s": {"command": "x", "args": [], "env": {}},
            "r": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${T:-no}"}},
        },
    ),
    "cursor": (
        ".cursor/mcp.json",
        '{"mcpServers": {"c": {"command": "x", "env": {"K": "${env:KEY}"}, "args": ["${cwd}/a", "${/}"]}}}',
        {"c": {"command": "x", "env": {"K": "${KEY}"}, "args": ["./a", "/"]}},
    ),
    "vscode": (
        ".config/Code/User/mcp.json",
        """{
          // comments are allowed, and "commas",
          "inputs": [{"type": "promptString", "id": "api-key", "password": true}],
          "servers": {
            "v": {"type": "http", "url": "https://h//mcp", "headers": {"X": "${input:api-key}"},},
            "w": {"command": "${userHome}/w", "envFile": "${workspaceFolder}/.env", "dev": {"watch": "x"}},
          },
        }""",
        {
            "v": {"url": "https://h//mcp", "headers": {"X": "${API_KEY}"}},
            "w": {"command": "${HOME}/w"},
        },
    ),
    "windsurf": (
        ".codeium/windsurf/mcp_config.json",
        '{"mcpServers": {"w": {"serverUrl": "https://h/sse", "disabledTools": ["a"], "disabled": true}}}',
        {"w": {"url": "https://h/sse", "excludeTools": ["a"], "disabled": True}},
    ),
    "gemini": (
        ".gemini/settings.json",
        """{"mcpServers": {
          "g": {"httpUrl": "https://h/mcp", "timeout": 5000, "trust": true},
          "e": {"url": "https://h/events"},
          "p": {"command": "p", "env": {"A": "$A_KEY"}, "includeTools": ["x"]}}}""",
        {
            "g": {"url": "https://h/mcp", "type": "http", "timeout": 5.0},
            "e": {"url": "https://h/events", "type": "sse"},
            "p": {"command": "p", "env": {"A": "${A_KEY}"}, "includeTools": ["x"]},
        },
    ),
    "codex": (
        ".codex/config.toml",
        """model = "x"
[mcp_servers.c]
command = "c"
args = ["a"]
env_vars = ["HOME"]
startup_timeout_sec = 20
[mcp_servers.c.env]
K = "v"
[mcp_servers.r]
url = "https://h/mcp"
bearer_token_env_var = "TOK"
enabled = false
tool_timeout_sec = 60.0
enabled_tools = ["a"]
""",
        {
            "c": {"command": "c", "args": ["a"], "env": {"HOME": "${HOME}", "K": "v"}, "connectTimeout": 20},
            "r": {
                "url": "https://h/mcp",
                "headers": {"Authorization": "Bearer ${TOK}"},
                "timeout": 60.0,
                "includeTools": ["a"],
                "disabled": True,
            },
        },
    ),
}


def place(home: Home, client: str) -> Path:
    path, text, _ = FILES[client]
    (home.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (home.folder / path).write_text(text)
    return home.folder / path


def servers(home: Home) -> dict[str, Any]:
    return dict(json.loads(home.config.read_text())["mcpServers"])


@pytest.mark.parametrize("client", FILES)
def test_config_of_each_client(home: Home, client: str) -> None:
    """What its entries mean, in our words; what is written is a valid config."""
    place(home, client)
    home.run_cli("import", client, "--yes")
    assert servers(home) == FILES[client][2]
    home.run_cli("list")


@pytest.mark.parametrize("client", FILES)
def test_file_by_its_path(home: Home, client: str) -> None:
    """The same file, wherever it lies."""
    path = place(home, client).rename(home.folder / f"elsewhere{Path(FILES[client][0]).suffix}")
    home.run_cli("import", str(path), "--yes")
    assert sorted(servers(home)) == sorted(FILES[client][2])


def test_all_clients_at_once(home: Home) -> None:
    """Without arguments whatever is found, here and in the current folder; the first of a name wins."""
    for client in FILES:
        place(home, client)
    (home.work / ".mcp.json").write_text('{"mcpServers": {"project": {"command": "x"}}}')
    shown = home.run_cli("import", "--yes").stdout
    assert "conflict" in shown
    assert set(servers(home)) == {"fs", "s", "r", "c", "v", "w", "g", "e", "p", "project"}


def test_dry_run_writes_nothing(home: Home) -> None:
    """Nor does a pipe without --yes: it asks for a word."""
    place(home, "cursor")
    assert "1 server would be added" in home.run_cli("import", "--dry-run").stdout
    assert not home.config.exists()
    refused = home.run_cli("import", check=False)
    assert (refused.code, "--yes" in refused.stderr) == (1, True)
    assert not home.config.exists()


def test_asks_on_a_terminal(home: Home) -> None:
    """Shows the table, asks, and writes after a yes alone."""
    place(home, "cursor")
    no = run_in_terminal(home, "import", when=lambda seen: "[Y/n]" in seen, then=b"n\n")
    assert no.code == 1
    assert not home.config.exists()
    yes = run_in_terminal(home, "import", when=lambda seen: "[Y/n]" in seen, then=b"\n")
    assert yes.code == 0
    assert list(servers(home)) == ["c"]


def test_present_servers_are_kept(home: Home) -> None:
    """The same one is said to be there, another one of that name is a conflict, --force replaces it."""
    place(home, "cursor")
    home.write_config({"c": {"command": "mine"}})
    assert "conflict" in home.run_cli("import", "--yes").stdout
    assert servers(home) == {"c": {"command": "mine"}}
    home.run_cli("import", "--yes", "--force")
    assert servers(home)["c"]["command"] == "x"
    assert "have it" in home.run_cli("import", "--yes").stdout


def test_what_cannot_be_translated_is_said(home: Home) -> None:
    """Unknown types are left out, unknown keys named, inputs become variables; no secret is shown."""
    path = home.folder / "odd.json"
    path.write_text(
        json.dumps(
            {
                "mcpServers": {
                    "socket": {"type": "ws", "url": "ws://h"},
                    "nothing": {"env": {"A": "s3cr3t"}},
                    "keys": {"command": "x", "sandbox": "s3cr3t", "args": ["--token", "s3cr3t"]},
                }
            }
        )
    )
    place(home, "vscode")
    shown = home.run_cli("import", str(path), "vscode", "--yes").stdout
    assert "its type 'ws' is not known here" in shown
    assert "without sandbox" in shown
    assert "set API_KEY in your environment" in shown
    assert "s3cr3t" not in shown
    assert set(servers(home)) == {"keys", "v", "w"}


def test_unreadable_files(home: Home) -> None:
    """A clear error for one that was named; a warning where all are looked for."""
    place(home, "cursor").write_text("{")
    refused = home.run_cli("import", "cursor", check=False)
    assert (refused.code, "not valid JSON" in refused.stderr) == (1, True)
    assert home.run_cli("import", "--dry-run").stderr.startswith("Warning: ")
    assert home.run_cli("import", "no/such/file", check=False).code == 1
    misspelt = home.run_cli("import", "cursr", check=False)
    assert "did you mean 'cursor'?" in misspelt.stderr
    place(home, "codex").write_text("x = ")
    assert "not valid TOML" in home.run_cli("import", "codex", check=False).stderr
