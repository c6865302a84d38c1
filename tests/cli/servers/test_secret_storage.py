"""Tokens that lie open in an entry go into `llm keys` or a file, where that is wished for."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.cli.servers.literal_secrets import literals, same_but_for_tokens
from tests.cli.terminal import run_in_terminal
from tests.home import Home

# Made of words and digits, so that nobody takes it for a real one.
TOKEN = "hunter2hunter3hunter4"


def kept(home: Home, name: str) -> Path:
    """The file of that secret of the default config."""
    owner = hashlib.sha256(os.fsencode(home.config)).hexdigest()[:8]
    return home.folder / "data" / "llm-tools-mcp" / "secrets" / f"{name}-{owner}"


def entry_of(home: Home, name: str) -> Any:
    return json.loads(home.config.read_text())["mcpServers"][name]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (
            {"env": {"API_KEY": "abc", "OTHER": TOKEN, "LEVEL": "info"}},
            [("API_KEY", "abc"), ("OTHER", TOKEN)],
        ),
        ({"env": {"MAX_TOKENS": "4000", "AUTH": "none", "KEY_FILE": "~/.k", "TOKEN": "${T}", "KEY": ""}}, []),
        (
            {"headers": {"Authorization": "Bearer abc", "X-Api-Key": "abc"}},
            [("TOKEN", "abc"), ("X_API_KEY", "abc")],
        ),
        ({"args": ["run", "-e", "API_KEY=abc", "--token", "def"]}, [("API_KEY", "abc"), ("TOKEN", "def")]),
        ({"args": ["--header", "Authorization: Bearer abc", "--max-tokens", "40"]}, [("TOKEN", "abc")]),
        ({"args": ["--api-key=abc", "--key-file", "/x", TOKEN]}, [("API_KEY", "abc"), ("TOKEN", TOKEN)]),
        (
            {"url": f"https://u:pw@h/mcp?a=b&apiKey=abc&c={TOKEN}"},
            [("APIKEY", "abc"), ("C", TOKEN), ("PASSWORD", "pw")],
        ),
        ({"oauth": {"clientId": TOKEN, "clientSecret": "abc"}}, [("CLIENTSECRET", "abc")]),
        ({"env": 3, "headers": [1], "args": {"a": 1}, "url": None, "oauth": False}, []),
    ],
)
def test_tokens_are_found(entry: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """By what announces them, or by how they look; the entry without them differs in nothing else."""
    assert [(one.variable, one.value) for one in literals(entry)] == found
    moved = entry
    for literal in literals(entry):
        moved = literal.replaced(moved, "${llm:x}")
    assert literals(moved) == []
    assert same_but_for_tokens(entry, moved)
    assert not same_but_for_tokens(entry, {**moved, "more": 1})


def test_add_without_a_terminal(home: Home) -> None:
    """As it was typed, and it is said how to move it: `set --secrets`; or at once, `add --secrets`."""
    done = home.run_here("add", "a", "https://h/mcp", "-H", f"Authorization: Bearer {TOKEN}", "--no-check")
    assert "llm mcp set a --secrets keys" in done.stderr
    assert entry_of(home, "a")["headers"] == {"Authorization": f"Bearer {TOKEN}"}
    home.run_here("set", "a", "--secrets", "keys")
    assert entry_of(home, "a")["headers"] == {"Authorization": "Bearer ${llm:a_TOKEN}"}
    assert home.run_llm("keys", "get", "a_TOKEN").stdout == f"{TOKEN}\n"
    home.run_here(
        "add", "b", "--no-check", "-e", f"K={TOKEN}", "--secrets", "file", "--", "x", "--key", "abc"
    )
    assert entry_of(home, "b") == {
        "command": "x",
        "args": ["--key", f"${{file:~/data/llm-tools-mcp/secrets/{kept(home, 'b_KEY').name}}}"],
        "env": {"K": f"${{file:~/data/llm-tools-mcp/secrets/{kept(home, 'b_K').name}}}"},
    }
    assert kept(home, "b_K").read_text() == f"{TOKEN}\n"
    assert kept(home, "b_K").stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten(home: Home) -> None:
    """A key of that name with another secret stays; so does a file of keys that cannot be read."""
    keys = home.folder / "llm" / "keys.json"
    keys.write_text(json.dumps({"a_TOKEN": "another", "openai": "mine"}))
    home.write_config({"a": {"command": "x", "env": {"TOKEN": TOKEN}}})
    home.run_here("set", "a", "--secrets", "keys")
    assert entry_of(home, "a")["env"]["TOKEN"] == "${llm:a_TOKEN-2}"
    assert json.loads(keys.read_text()) == {"a_TOKEN": "another", "openai": "mine", "a_TOKEN-2": TOKEN}
    keys.write_text("{ no json")
    home.write_config({"a": {"command": "x", "env": {"TOKEN": TOKEN}}})
    refused = home.run_here("set", "a", "--secrets", "keys", check=False)
    assert (refused.code, "--secrets file" in refused.stderr, TOKEN in refused.stderr) == (1, True, False)
    assert entry_of(home, "a")["env"]["TOKEN"] == TOKEN
    assert keys.read_text() == "{ no json"


@pytest.mark.parametrize(("typed", "value"), [(b"k\n", "${llm:a_TOKEN}"), (b"m\n", TOKEN)])
def test_add_on_a_terminal_asks(home: Home, typed: bytes, value: str) -> None:
    """Where the token is to be kept; it may stay where it is."""
    seen = run_in_terminal(
        home,
        *("add", "a", "--no-check", "-e", f"TOKEN={TOKEN}", "--", "x"),
        when=lambda text: "Keep them in" in text,
        then=typed,
    )
    assert seen.code == 0
    assert "  | a: env.TOKEN" in seen.screen
    assert entry_of(home, "a")["env"]["TOKEN"] == value


def test_import_moves_tokens(home: Home) -> None:
    """Of all servers that come; what was taken over so is the same server when it is looked at again."""
    theirs = home.work / "theirs.json"
    theirs.write_text(json.dumps({"mcpServers": {"a": {"command": "x", "env": {"TOKEN": TOKEN}}}}))
    home.run_here("import", str(theirs), "--yes", "--secrets", "keys")
    assert entry_of(home, "a")["env"]["TOKEN"] == "${llm:a_TOKEN}"
    assert "have it" in home.run_here("import", str(theirs), "--dry-run").stdout


def test_import_on_a_terminal(home: Home) -> None:
    """One answer says whether, and where the tokens go."""
    theirs = home.work / "theirs.json"
    theirs.write_text(json.dumps({"mcpServers": {"a": {"command": "x", "env": {"TOKEN": TOKEN}}}}))
    seen = run_in_terminal(home, "import", str(theirs), when=lambda text: "[N]o, [y]es" in text, then=b"k\n")
    assert "[N]o, [y]es, [k]eys of llm, [f]iles, [?]" in seen.screen
    assert entry_of(home, "a")["env"]["TOKEN"] == "${llm:a_TOKEN}"


def test_remove_leaves_no_secret_unsaid(home: Home) -> None:
    """A file of ours goes with the last entry that reads it; of what stays it is said where it lies."""
    for name in ("a", "b"):
        home.run_here("add", name, "--no-check", "-e", f"T={TOKEN}", "--secrets", "file", "--", "x")
    folder = home.folder / "data" / "llm-tools-mcp" / "secrets"
    mine = home.work / "mine"
    mine.write_text(TOKEN)
    servers = json.loads(home.config.read_text())["mcpServers"]
    servers["a"]["env"]["OF_B"] = f"${{file:{kept(home, 'b_T')}}}"
    servers["a"]["env"] |= {
        "MINE": f"${{file:{mine}}}",
        "K": "${llm:a_K}",
        "R": "${keyring:shop:8080:ann lee}",
    }
    servers["c"] = {"command": "x", "env": {"K": "${llm:a_K}"}}
    home.write_config(servers)
    said = home.run_here("remove", "a").stdout
    assert f"removed its secret {kept(home, 'a_T')}" in said
    assert f"the file {mine} stays" in said
    assert "keyring del shop:8080 'ann lee'" in said
    assert "a_K" not in said  # c needs it
    assert [*folder.iterdir()] == [kept(home, "b_T")]
    assert mine.exists()
    said = home.run_here("remove", "b", "c").stdout
    keys = home.folder / "llm" / "keys.json"
    assert f"its key 'a_K' of `llm keys` stays; to delete it, take its line out of {keys}" in said
    assert not list(folder.iterdir())


def test_secret_of_an_entry_that_is_replaced_goes(home: Home) -> None:
    """With `add --force`, where the new one has another; what both need stays."""
    typed = ["add", "a", "--no-check", "--force", "--secrets", "file", "-e"]
    home.run_here(*typed, f"T={TOKEN}", "--", "x")
    folder = home.folder / "data" / "llm-tools-mcp" / "secrets"
    assert "removed" not in home.run_here(*typed, f"T={TOKEN}", "--", "y").stdout
    said = home.run_here(*typed, f"T={TOKEN}5", "--", "x").stdout
    assert f"removed its secret {kept(home, 'a_T')}" in said
    assert [path.name for path in folder.iterdir()] == [f"{kept(home, 'a_T').name}-2"]


def test_default_config_with_a_typo_loses_no_secret(home: Home) -> None:
    """It may need what another config no longer does: while nobody can read it, the file stays."""
    other = home.work / "other.json"
    home.run_here("add", "a", "--no-check", "-e", f"T={TOKEN}", "--secrets", "file", "--", "x")
    other.write_text(home.config.read_text())
    home.config.write_text("{ no json")
    said = home.run_here("remove", "a", "--config", str(other)).stderr
    assert f"its secret {kept(home, 'a_T')} stays: the default config may need it" in said
    assert kept(home, "a_T").exists()


def test_configs_share_no_file(home: Home) -> None:
    """Two that are not the default one have the same server and secret: one of them may be removed."""
    one, two = (str(home.work / name) for name in ("one.json", "two.json"))
    for path in (one, two):
        typed = ["add", "a", "--no-check", "-e", f"T={TOKEN}", "--secrets", "file", "--config", path]
        home.run_here(*typed, "--", "x")
    home.run_here("remove", "a", "--config", one)
    folder = home.folder / "data" / "llm-tools-mcp" / "secrets"
    (left,) = folder.iterdir()
    assert left.name in (home.work / "two.json").read_text()
