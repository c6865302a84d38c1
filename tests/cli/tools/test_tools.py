"""tools: what the configured servers offer."""

from __future__ import annotations

import json

from tests.cli.terminal import run_in_terminal
from tests.home import Home
from tests.servers import entry, everything_server, faulty_server, naming_server, scripted_server


def test_tools_of_all_servers(served: Home) -> None:
    """Under the name of each server its tools, each with the first sentence of its description."""
    lines = served.run_here("tools").stdout.splitlines()
    assert lines[0] == "every"
    assert "names" in lines
    assert next(line for line in lines if line.startswith("  echo")).split(maxsplit=1) == [
        "echo",
        "Returns the text.",
    ]


def test_tools_of_one_server(served: Home) -> None:
    """The others are left out, and are not waited for."""
    shown = served.run_here("tools", "names").stdout
    assert shown.splitlines()[0] == "names"
    assert "every" not in shown


def test_one_tool_whole(served: Home) -> None:
    """Its arguments with their types, and a line that calls it."""
    shown = served.run_here("tools", "every", "name_args").stdout
    assert "llm_tool_call  (string)" in shown
    assert 'prefix  (string, optional, default "p")' in shown
    assert "llm mcp call every name_args name=STRING server_name=STRING" in shown
    assert '"required"' in served.run_here("tools", "every", "add", "--schema").stdout


def test_what_servers_say_of_their_tools(home: Home) -> None:
    """Hints, output schema, _meta, instructions and tokens: in `tools`, `get`, `list`, `status` and JSON."""
    told = {
        "annotations": {"readOnlyHint": True, "idempotentHint": True},
        "outputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "_meta": {"x/y": 1},
        "title": "Look",
    }
    task = {"name": "task", "execution": {"taskSupport": "required"}}
    server = scripted_server(
        home.work / "s.json",
        {"name": "look", **told},
        {"name": "plain", "description": "Much. " * 9999},
        task,
        instructions="Look twice.\x1b[2J",
    )
    home.write_config({"s": entry(server), "other": entry(naming_server("x"))})
    shown = json.loads(home.run_here("tools", "--json").stdout)
    look = next(tool for tool in shown["tools"] if tool["tool"] == "look")
    assert look["annotations"] == told["annotations"]
    assert (look["output_schema"], look["meta"], look["title"]) == (told["outputSchema"], {"x/y": 1}, "Look")
    assert shown["instructions"] == {"s": "Look twice."}
    assert shown["left_out"] == [{"server": "s", "tool": "task"}]
    listed = home.run_here("tools", "--tokens")
    assert "tokens in every request" in listed.stdout
    assert "s: task can be called as a task alone" in listed.stderr
    assert "read-only, idempotent, ~" in home.run_here("tools", "s", "look").stdout
    got = home.run_here("get", "s").stdout
    assert "tools: 2, 1 read-only, 1 idempotent; ~" in got
    assert got.endswith("it says:\n    Look twice.\n")
    assert "TOKENS" in home.run_here("list").stdout
    assert "TOKENS" in home.run_here("status").stdout
    # What a model is given of it: its description is cut there.
    assert all(tool["tokens"] < 400 for tool in shown["tools"])
    # One number everywhere: of what can be called.
    for command in ("list", "status"):
        rows = json.loads(home.run_here(command, "--json").stdout)["servers"]
        assert next(row["tools"] for row in rows if "s" in (row.get("name"), row.get("server"))) == 2
    assert "is left out" in home.run_here("call", "s", "task", check=False).stderr


def test_tool_that_is_not_known_is_asked_for(home: Home) -> None:
    """A known list may be old, or of a server that was not ready: who names a tool has the server asked."""
    file = home.work / "s.json"
    home.write_config({"s": entry(scripted_server(file))})
    assert "no tools" in home.run_here("tools").stderr
    scripted_server(file, {"name": "first"})
    assert "first" in home.run_here("tools").stdout
    scripted_server(file, {"name": "second"})
    assert home.run_here("call", "s", "second").stdout == "{}\n"


def test_tools_by_what_they_do(served: Home) -> None:
    """`--search`: the best ones first, of all servers or of one."""
    best = json.loads(served.run_here("tools", "--search", "add two numbers", "--json").stdout)["tools"]
    assert best[0]["tool"] == "add"
    assert served.run_here("tools", "names", "--search", "echo a text").stdout.count("every") == 0


def with_broken(served: Home) -> str:
    """Another config, with a server that fails beside the one that runs."""
    servers = {"every": entry(everything_server()), "broken": {"command": "no-such-command"}}
    return str(served.write_config(servers, served.folder / "broken.json"))


def test_tools_as_json(served: Home) -> None:
    """Everything that is known, servers that failed included."""
    told = json.loads(served.run_here("tools", "--json", "--config", with_broken(served)).stdout)
    add = next(tool for tool in told["tools"] if tool["tool"] == "add")
    assert add["server"] == "every"
    assert add["input_schema"]["required"] == ["a", "b"]
    assert [failed["server"] for failed in told["failed"]] == ["broken"]


def test_failed_server_costs_its_own_tools_only(served: Home) -> None:
    """A warning on stderr and exit code 0 while others answer; 1 when asked for by name."""
    config = with_broken(served)
    shown = served.run_here("tools", "--config", config)
    assert shown.stderr.startswith("Warning: broken: command 'no-such-command' was not found")
    assert served.run_here("tools", "broken", "--config", config, check=False).code == 1


def test_unknown_server_or_tool_is_suggested(home: Home) -> None:
    """Exit code 1, and what was probably meant."""
    home.write_config({"filesystem": entry(naming_server("list_directory", "read_file"))})
    assert "did you mean 'filesystem'?" in home.run_here("tools", "filesytem", check=False).stderr
    near = home.run_here("tools", "filesystem", "list_dir", check=False)
    assert (near.code, "did you mean 'list_directory'?" in near.stderr) == (1, True)


def test_refresh_asks_the_server_anew(home: Home) -> None:
    """Without it the last known list is shown, and nothing is started."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    home.run_here("tools")
    home.run_here("stop")
    home.run_here("tools")
    assert [one.cmdline() for one in home.processes() if "faulty.py" in str(one.cmdline())] == []
    home.run_here("tools", "--refresh")
    assert [one for one in home.processes() if "faulty.py" in str(one.cmdline())]


def test_another_config(home: Home) -> None:
    """--config takes the place of the default file; one that is missing says how to make one."""
    path = home.write_config({"other": entry(naming_server("alpha"))}, home.folder / "other.json")
    assert home.run_here("tools", "--config", str(path)).stdout.splitlines()[0] == "other"
    absent = home.run_here("tools", check=False)
    assert absent.code == 1
    assert absent.stderr.startswith(f"Error: there is no MCP config at {home.config}")


def test_descriptions_fit_the_terminal(served: Home) -> None:
    """On a terminal a line is cut to its width; in a pipe it is whole."""
    seen = run_in_terminal(served, "tools", columns=50)
    assert max(len(line) for line in seen.screen.splitlines()) <= 50
    assert "…" in seen.screen
    assert "…" not in served.run_here("tools").stdout
