"""add, add-json, get, remove, enable, disable: mcp.json from the shell."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from typing import Any

import pytest
from click import UsageError

from llm_tools_mcp.cli.servers.forgotten_name import check_name_is_no_command
from tests.home import BIN, Home
from tests.servers import entry, faulty_server, naming_server


def servers(home: Home) -> dict[str, Any]:
    return dict(json.loads(home.config.read_text())["mcpServers"])


def test_add_a_command(home: Home) -> None:
    """The file is made for its owner alone, the server is connected to, and its tools are named."""
    done = home.run_here("add", "names", "-e", "A=b=c", "--", *naming_server("alpha", "beta"))
    assert done.stdout == f"added 'names' to {home.config}\nit offers 2 tools: alpha, beta\n"
    assert servers(home) == {"names": entry(naming_server("alpha", "beta"), env={"A": "b=c"})}
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("uvx mcp-server-time", "llm mcp add mcp-server-time -- uvx mcp-server-time"),
        ("npx @scope/server-files /my", "llm mcp add server-files -- npx @scope/server-files /my"),
        ("docker run ghcr.io/me/server", "llm mcp add NAME -- docker run ghcr.io/me/server"),
        ("/usr/bin/python3.12 server.py", "llm mcp add server.py -- /usr/bin/python3.12 server.py"),
        ("node x.js API_KEY=abc", "llm mcp add x.js -- node x.js …"),
    ],
)
def test_command_without_a_name_is_no_server_called_uvx(typed: str, meant: str) -> None:
    """Where the name and `--` were forgotten, what was probably meant is said; no token is repeated."""
    with pytest.raises(UsageError, match=re.escape(meant)):
        check_name_is_no_command(typed.split(" "))


def test_server_may_be_called_as_a_launcher(home: Home) -> None:
    """With `--`, or where it cannot be a command; else it is refused, and nothing is written."""
    for words in ("uvx --no-check -- x", "docker --no-check https://h/mcp", "node --no-check node x.js"):
        home.run_here("add", *words.split(" "))
    refused = home.run_here("add", "npx", "y", check=False)
    assert refused.code == 2
    assert "llm mcp add y -- npx y" in refused.stderr
    assert list(servers(home)) == ["uvx", "docker", "node"]


def test_added_server_that_renames_tools(home: Home) -> None:
    """A tool that another server has too gets another name for the model: that is said, of both."""
    home.run_here("add", "one", "--", *naming_server("pid"))
    done = home.run_here("add", "two", "--", *naming_server("pid", "beta"))
    assert done.stdout.splitlines()[1:] == [
        "it offers 2 tools: pid, beta",
        "several servers have a tool 'pid': for the model they are one_pid, two_pid now",
    ]
    shown = home.run_here("tools", "one").stdout
    assert "  pid  (for the model: one_pid)" in shown
    # Either name is taken where a person types one.
    assert "  pid  (for the model: two_pid)" in home.run_here("tools", "two", "two_pid").stdout
    assert "for the model" not in home.run_here("tools", "two", "beta").stdout


def test_add_a_url(home: Home) -> None:
    """With headers; the transport only where it is not evident."""
    home.run_here("add", "web", "https://h/mcp", "-H", "X-Key: ${KEY}", "--no-check")
    home.run_here("add", "old", "https://h/mcp", "--transport", "sse", "--no-check")
    assert servers(home) == {
        "web": {"url": "https://h/mcp", "headers": {"X-Key": "${KEY}"}},
        "old": {"type": "sse", "url": "https://h/mcp"},
    }


def test_server_that_does_not_connect_is_added_all_the_same(home: Home) -> None:
    """Exit code 1, the reason, and how to undo it."""
    done = home.run_here("add", "broken", "--", "no-such-command", check=False)
    assert done.code == 1
    assert done.stderr.startswith(
        "'broken' is added, but it cannot be used yet: command 'no-such-command' was not found"
    )
    # No log: there is nothing in it.
    assert done.stderr.splitlines()[1] == (
        "more: llm mcp doctor   to try again: llm mcp tools broken --refresh   "
        "to change it: llm mcp add --force broken …   to undo: llm mcp remove broken"
    )
    assert list(servers(home)) == ["broken"]
    missing = home.run_here("add", "t", "--", "uvx", "t", env={"PATH": "/nowhere"}, check=False)
    assert "'uvx' was not found on the PATH of the caller; install uv: https://" in missing.stderr
    home.config.write_text('{"mcpServers": {"empty": {}}}')
    assert json.loads(home.run_here("list", "--json").stdout)["servers"][0]["transport"] == "-"


def test_present_server_is_replaced_by_force_only(home: Home) -> None:
    """Otherwise the file stays as it is."""
    home.run_here("add", "a", "--no-check", "--", "one")
    refused = home.run_here("add", "a", "--no-check", "--", "two", check=False)
    assert (refused.code, "--force" in refused.stderr) == (1, True)
    assert servers(home) == {"a": {"command": "one"}}
    home.run_here("add", "a", "--no-check", "--force", "--", "two")
    assert servers(home) == {"a": {"command": "two"}}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["a"], "Missing argument"),
        (["a", "npx", "-y", "pkg"], "go after --"),
        (["a", "--type", "sse", "https://h/"], "there is no option --type: it is --transport"),
        (["a", "npx -y pkg"], "without the quotes: -- npx -y pkg"),
        (["a", "-H", "X: y", "--", "npx"], "--header is for a URL"),
        (["a", "-e", "X=y", "https://h/"], "--env is for a command"),
        (["a", "-t", "http", "--", "npx"], "a URL is expected"),
        (["a", "-e", "s3cr3t", "--", "npx"], "is written NAME=VALUE"),
        (["\x1b[2J", "--", "npx"], "control characters"),
        (["a\nb", "--", "npx"], "control characters"),
        (["", "--", "npx"], "is empty"),
        (["  ", "--", "npx"], "is empty"),
        (["n" * 101, "--", "npx"], "longer than 100"),
        (["--", "-a", "npx"], "taken for an option"),
        (["a", "--", ""], "the command is empty"),
        (["a", "localhost:8000/mcp"], "begins with http://"),
        (["a", "ftp://u:s3cr3t@h/"], "begins with http://"),
        (["a", "https://h/", "s3cr3t"], "stands alone"),
    ],
)
def test_mistakes_are_usage_errors(home: Home, words: list[str], complaint: str) -> None:
    """Exit code 2, what is meant, nothing written, and no value repeated."""
    refused = home.run_here("add", *words, check=False)
    assert refused.code == 2, refused
    assert complaint in refused.stderr
    assert "s3cr3t" not in refused.stderr
    assert not home.config.exists()


def test_what_else_is_in_the_file_stays(home: Home) -> None:
    """Other keys, their order, the indentation, the mode, and a link in its place."""
    real = home.folder / "dotfiles.json"
    servers_text = '"mcpServers": {\n\t\t"b": {"command": "x", "mine": true}\n\t}'
    text = f'{{\n\t"other": {{"z": 1, "a": 2}},\n\t{servers_text},\n\t"ü": null\n}}\n'
    real.write_text(text)
    real.chmod(0o640)
    home.config.symlink_to(real)
    home.run_here("add", "a", "--no-check", "--", "y")
    written = json.loads(real.read_text())
    assert list(written) == ["other", "mcpServers", "ü"]
    assert list(written["other"]) == ["z", "a"]
    assert list(written["mcpServers"]) == ["b", "a"]
    assert written["mcpServers"]["b"]["mine"] is True
    assert '\n\t"other"' in real.read_text()
    assert "ü" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert home.config.is_symlink()


def test_broken_file_is_never_overwritten(home: Home) -> None:
    """What is no JSON, or no config, is somebody's work: an error, and it stays."""
    for text in ('{"mcpServers": {', "[]", '{"mcpServers": []}'):
        home.config.write_text(text)
        refused = home.run_here("add", "a", "--no-check", "--", "y", check=False)
        assert refused.code == 1
        assert "Traceback" not in refused.stderr
        assert home.config.read_text() == text


def test_wrong_entry_hinders_nobody(home: Home) -> None:
    """The others are added, switched off and removed; it stays as it is, and is named. It can go itself."""
    bad = {"args": ["s3cr3t"]}
    home.config.write_text(json.dumps({"mcpServers": {"bad": bad, "a": {"command": "x"}}}))
    left = "Warning: left as it is: server 'bad': Could not deduce MCP server type"
    for words in (["add", "b", "--no-check", "--", "y"], ["disable", "a"], ["enable", "a"], ["remove", "a"]):
        done = home.run_here(*words)
        assert left in done.stderr
        assert "s3cr3t" not in done.stderr
        assert servers(home)["bad"] == bad
    assert list(servers(home)) == ["bad", "b"]
    assert home.run_here("disable", "bad").stderr == ""
    assert home.run_here("enable", "bad", check=False).code == 1
    home.run_here("remove", "bad")
    assert list(servers(home)) == ["b"]


COMMENTED = """// mine
{
  "mcpServers": {
    // the first one
    "a": {"command": "x", "args": ["-y", "https://h/"]}, // stays
    "b": {
      "command": "y", /* why */
      "enabled": false,
    }, // also
  },
}
"""


def test_comments_stay(home: Home) -> None:
    """And the layout of what is not changed, to the character."""
    home.config.write_text(COMMENTED)
    home.run_here("add", "c", "--no-check", "--", "z")
    added = '// also\n    "c": {\n      "command": "z"\n    },\n'
    assert home.config.read_text() == COMMENTED.replace("// also\n", added)
    home.run_here("remove", "c")
    home.run_here("enable", "b")
    assert home.config.read_text() == COMMENTED.replace('"enabled": false', '"enabled": true')
    home.run_here("disable", "a")
    changed = '"args": ["-y", "https://h/"], "disabled": true}'
    assert home.config.read_text().splitlines()[4].endswith(f"{changed}, // stays")


def test_entry_that_cannot_work_is_refused(home: Home) -> None:
    """Before it is written: in the words of the config."""
    refused = home.run_here("add-json", "a", '{"command": "x", "url": "https://h/"}', check=False)
    assert refused.code == 1
    assert "Only 'url' or 'command' is allowed" in refused.stderr
    assert not home.config.exists()
    assert home.run_here("add-json", "a", "{", check=False).code == 2
    assert home.run_here("add-json", "a", "[]", check=False).code == 2


def test_add_json_takes_one_server(home: Home) -> None:
    """Not a whole config, and nothing that is nested beyond reading."""
    for whole in ('{"mcpServers": {}}', '{"servers": {}}'):
        refused = home.run_here("add-json", "a", whole, check=False)
        assert (refused.code, "llm mcp import" in refused.stderr) == (2, True)
    refused = home.run_here("add-json", "a", "[" * 50_000, check=False)
    assert (refused.code, "not valid JSON" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["http:///mcp"], "with a host"),
        (["https://h/", "-H", "X: s3cr3t\nY: z"], "headers.X"),
        (["https://h/", "-H", "Bad Name: s3cr3t"], "name of a header"),
    ],
)
def test_what_cannot_work_anywhere_is_refused(home: Home, words: list[str], complaint: str) -> None:
    """In the words of the config, and without the value."""
    refused = home.run_here("add", "a", *words, "--no-check", check=False)
    assert (refused.code, complaint in refused.stderr) == (1, True), refused
    assert "s3cr3t" not in refused.stderr
    assert not home.config.exists()


def test_unknown_key_is_warned_of(home: Home) -> None:
    """It is kept, since other clients may read it."""
    done = home.run_here("add-json", "a", '{"command": "x", "timeOut": 1}', "--no-check")
    assert done.stderr == (
        "Warning: server 'a': the key 'timeOut' is unknown and ignored; did you mean 'timeout'?\n"
    )
    assert servers(home)["a"]["timeOut"] == 1


def test_what_depends_on_a_variable_is_added(home: Home) -> None:
    """It may be set where the server will be used."""
    home.run_here("add", "a", "-t", "http", "${NOT_SET_ANYWHERE}/mcp", "--no-check")
    home.run_here("add", "b", "HTTPS://${NOT_SET_ANYWHERE}/mcp", "--no-check")
    assert list(servers(home)) == ["a", "b"]


def test_names_are_quoted_in_what_to_type(home: Home) -> None:
    """A name may have spaces and slashes."""
    done = home.run_here("add", "my/own server", "--", "no-such-command", check=False)
    assert "llm mcp remove 'my/own server'" in done.stderr


def test_file_with_a_key_twice_is_not_edited(home: Home) -> None:
    """Every JSON reader keeps the last one: an edit would lose the first."""
    text = '{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}'
    home.config.write_text(text)
    refused = home.run_here("add", "b", "--no-check", "--", "z", check=False)
    assert (refused.code, "the key 'a' appears twice" in refused.stderr) == (1, True)
    assert home.config.read_text() == text
    assert "command: y" in home.run_here("get", "a").stdout


def test_odd_texts_survive_an_edit(home: Home) -> None:
    """Half of a pair, which UTF-8 cannot write, and the line ends of Windows."""
    home.config.write_bytes(b'{\r\n  "odd": "\\ud800",\r\n  "mcpServers": {}\r\n}\r\n')
    home.run_here("add", "a", "--no-check", "--", "x")
    written = home.config.read_bytes()
    assert json.loads(written)["odd"] == "\ud800"
    assert written.count(b"\n") == written.count(b"\r\n") > 3
    assert sorted(path.name for path in home.config_folder.iterdir()) == ["mcp.json"]


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null/mcp.json", "."])
def test_what_is_no_file_is_not_edited(home: Home, path: str) -> None:
    """A plain error, without reading for ever."""
    refused = home.run_here("add", "a", "--config", path, "--no-check", "--", "x", check=False)
    assert refused.code == 1
    assert refused.stderr.startswith("Error: ")


def test_new_file_is_private_whatever_the_umask(home: Home) -> None:
    """It names commands and may hold tokens."""
    home.run("sh", "-c", f"umask 0; {BIN}/llm-mcp add a --no-check -- x")
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600


def test_get_from_a_pipe(home: Home) -> None:
    """A config may come from a process substitution."""
    (home.work / "c.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    shown = home.run("sh", "-c", f"cat c.json | {BIN}/llm-mcp get a --config /dev/stdin")
    assert "command: x" in shown.stdout


def test_control_characters_of_a_name_do_not_reach_the_terminal(home: Home) -> None:
    """Neither in errors nor in tables: a config may come from anywhere."""
    home.write_config({"evil\x1b[2J\nname": {"command": "no-such-command"}})
    for words in (["list"], ["get", "x"], ["remove", "x"], ["call", "x", "y"], ["tools"]):
        done = home.run_here(*words, check=False)
        assert "\x1b" not in done.stdout + done.stderr, done


def test_two_that_add_at_once_both_get_in(home: Home) -> None:
    """Editing is done one after the other."""
    argv = [[BIN / "llm-mcp", "add", f"s{n}", "--no-check", "--", "x"] for n in range(6)]
    running = [subprocess.Popen(words, env=home.env, stdout=subprocess.DEVNULL) for words in argv]
    assert [one.wait(30) for one in running] == [0] * 6
    assert sorted(servers(home)) == [f"s{n}" for n in range(6)]


def test_add_json_from_stdin(home: Home) -> None:
    """As the entry stands."""
    home.run_here("add-json", "a", "-", "--no-check", input='{"command": "x", "timeout": 5}')
    assert servers(home) == {"a": {"command": "x", "timeout": 5}}


def test_get_hides_secrets(home: Home) -> None:
    """Values of env and headers, what may be a token among the arguments, the url's password and query."""
    home.write_config(
        {
            "cmd": {
                "command": "npx",
                "args": ["-y", "pkg", "--api-key", "s3cr3t1", "--token=s3cr3t2", "postgres://u:s3cr3t3@h/d"],
                "env": {"TOKEN": "s3cr3t4", "OTHER": "${OTHER}"},
            },
            "path": {"url": "https://h/api/s3cr3t-0f8e4c1d-9b7a-4c55/mcp"},
            "web": {
                "url": "https://u:s3cr3t5@h/mcp?key=s3cr3t6",
                "headers": {"Authorization": "Bearer s3cr3t7"},
            },
        }
    )
    for name in ("cmd", "web", "path"):
        for words in (["get", name], ["get", name, "--json"]):
            assert "s3cr3t" not in home.run_here(*words).stdout
    assert "${OTHER}" in home.run_here("get", "cmd").stdout
    assert "pkg" in home.run_here("get", "cmd").stdout
    assert "s3cr3t1" in home.run_here("get", "cmd", "--reveal").stdout
    assert "s3cr3t" not in home.run_here("list").stdout + home.run_cli("list", "--json").stdout


def test_half_characters_are_shown_somehow(home: Home) -> None:
    """They cannot be written to a terminal: a question mark stands for one, and JSON escapes it."""
    home.config.write_text('{"mcpServers": {"odd": {"command": "a\\ud800b"}}}')
    assert "command: a?b" in home.run_cli("get", "odd").stdout
    assert json.loads(home.run_here("get", "odd", "--json").stdout) == {"command": "a\ud800b"}


def test_remove_disable_enable(home: Home) -> None:
    """Each by name; near misses are suggested."""
    home.write_config({"filesystem": {"command": "x"}, "time": {"command": "y", "disabled": False}})
    home.run_here("disable", "filesystem")
    assert home.run_here("disable", "filesystem").stdout == "'filesystem' is disabled already\n"
    assert servers(home)["filesystem"] == {"command": "x", "disabled": True}
    home.run_here("enable", "filesystem")
    assert servers(home)["filesystem"] == {"command": "x"}
    home.run_here("remove", "filesystem")
    assert list(servers(home)) == ["time"]
    for word in ("remove", "enable", "disable", "get"):
        refused = home.run_here(word, "tiem", check=False)
        assert (refused.code, "did you mean 'time'?" in refused.stderr) == (1, True)


def test_list_tells_what_is_configured(home: Home) -> None:
    """Without a daemon, and starting none; disabled and broken ones as such."""
    home.write_config(
        {
            "every": entry(faulty_server("fine")),
            "off": {"command": "x", "disabled": True},
            "unset": {"command": "x", "env": {"A": "${NOT_SET_ANYWHERE}"}},
        }
    )
    table, _, remarks = home.run_here("list").stdout.partition("\n\n")
    assert remarks.startswith("unset: key 'env.A'")
    shown = {line.split()[0]: line.split()[1:3] for line in table.splitlines()[1:]}
    assert shown == {
        "every": ["stdio", "stopped"],
        "off": ["stdio", "disabled"],
        "unset": ["stdio", "failed"],
    }
    assert home.processes() == []
    home.run_here("call", "every", "pid")
    rows = {row["name"]: row for row in json.loads(home.run_here("list", "--json").stdout)["servers"]}
    assert rows["every"]["state"] == "ready"
    assert rows["every"]["tools"] == 2
    assert "NOT_SET_ANYWHERE" in rows["unset"]["error"]


def test_list_without_a_config(home: Home) -> None:
    """Says how to make one; a file that was named has to be there."""
    assert "llm mcp add" in home.run_here("list").stdout
    assert home.run_here("list", "--config", "nothing.json", check=False).code == 1


def test_restart_of_one_server(home: Home) -> None:
    """Its next call is answered by another process; the daemon stays."""
    home.write_config({"every": entry(faulty_server("fine"))})
    before = home.run_here("call", "every", "pid").stdout
    assert home.run_here("restart", "every").stdout == "ended 'every'; its next call starts it anew\n"
    assert home.run_here("call", "every", "pid").stdout != before
    refused = home.run_here("restart", "evry", check=False)
    assert (refused.code, "did you mean 'every'?" in refused.stderr) == (1, True)
