"""The toolbox `MCP` in this process: its forms, names, results and warnings; daemon and servers are real."""

from __future__ import annotations

import copy
import inspect
import json
import os
import pickle
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llm
import pytest

from llm_tools_mcp import MCP
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.client.daemon import Daemon
from llm_tools_mcp.config import read_config
from llm_tools_mcp.errors import ConfigNotFound, McpError, UnknownTool
from llm_tools_mcp.plugin import definitions, notices
from llm_tools_mcp.plugin.sources import source_of
from tests.home import Home, living_in
from tests.prompting import result_of, results_of, tools_of
from tests.servers import entry, everything_server, faulty_server, naming_server, scripted_server
from tests.waiting import wait_until

EVERYTHING = entry(everything_server())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for all tests here: its daemon keeps the servers connected, as it does for users."""
    home = Home(tmp_path_factory.mktemp("toolbox") / "home")
    with living_in(home):
        yield home
    home.close()


@pytest.fixture
def user(house: Home) -> Home:
    """A process that has shown no warning yet, and the default config with `everything` in it."""
    notices._shown.clear()
    house.write_config({"everything": EVERYTHING})
    return house


def protocol_of(home: Home, server: str) -> str:
    with DaemonClient(home.socket) as client:
        return next(one.protocol_version for one in client.status().servers if one.server == server)


# --- the forms of MCP(...) --------------------------------------------------------------------------


def test_constructing_touches_nothing(user: Home) -> None:
    """`MCP(...)` alone reads no config and starts nothing: that is done when the tools are asked for."""
    toolbox = MCP("/nowhere/mcp.json", servers="x", mode="odd")
    assert toolbox._connection is None
    with pytest.raises(McpError):
        toolbox.tools()


def test_no_helper_becomes_a_tool() -> None:
    """Everything public on a toolbox is a tool to llm: there is nothing but the servers' tools."""
    assert MCP.method_tools() == []


def test_default_config_offers_all_servers_in_order(user: Home) -> None:
    """Tools come in config order, then in the server's order."""
    user.write_config({"b": entry(naming_server("z", "y")), "a": entry(naming_server("x"))})
    assert list(tools_of(MCP())) == ["z", "y", "x"]


def test_empty_config_offers_nothing(user: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A config without servers, or with disabled ones alone, is no error; it is said once why."""
    off = {"a": {"command": "a", "disabled": True}}
    for servers, said in (({}, "has no MCP servers; to add one"), (off, "are disabled; to enable one")):
        user.write_config(servers)
        assert tools_of(MCP()) == tools_of(MCP()) == {}
        assert capsys.readouterr().err.count(said) == 1


@pytest.mark.parametrize("form", ["{work}/other.json", "other.json", "./other.json", "~/work/other.json"])
def test_config_by_path(user: Home, form: str) -> None:
    """A path may be absolute, relative to the current folder, or begin with ~."""
    user.write_config({"other": entry(naming_server("theirs"))}, user.work / "other.json")
    assert list(tools_of(MCP(form.format(work=user.work)))) == ["theirs"]
    assert list(tools_of(MCP(config_path=form.format(work=user.work)))) == ["theirs"]


@pytest.mark.parametrize(("kind", "modes"), [("http", ["legacy", "modern", None]), ("sse", [None])])
def test_server_by_url(
    user: Home, serve_http: Callable[..., Any], kind: str, modes: list[str | None]
) -> None:
    """A URL is a server without a config, over streamable http (both eras) or sse."""
    url = serve_http(kind).url
    for mode in modes:
        found = MCP(url, mode=mode)
        assert result_of(found, "echo", text="over the wire").output == "over the wire"
        assert tools_of(found)["echo"].description.endswith("\n[from MCP server: 127.0.0.1]")


@pytest.mark.parametrize(("mode", "era"), [("legacy", "2025"), ("modern", "2026"), ("auto", "2026")])
def test_mode_forces_the_era(user: Home, mode: str, era: str) -> None:
    """`mode=` decides how the server is spoken to, whatever it could do."""
    user.write_config({f"era-{mode}": entry(everything_server(mode))})
    assert result_of(MCP(mode=mode), "echo", text="x").output == "x"
    assert protocol_of(user, f"era-{mode}").startswith(era)


def test_servers_narrows(user: Home) -> None:
    """`servers=` offers the tools of these servers only; blanks do not matter, and a list will do."""
    user.write_config({name: entry(naming_server(name.upper())) for name in ("a", "b", "c")})
    assert list(tools_of(MCP(servers=" c , a"))) == ["A", "C"]
    assert list(tools_of(MCP(servers=["c"], tools=["*"]))) == ["C"]


def test_unknown_server_is_an_error(user: Home) -> None:
    """A server that the config does not have is named, and so are those it has."""
    with pytest.raises(UnknownTool, match=r"no MCP server is called 'gti'; the config has: everything"):
        MCP(servers="gti").tools()


def test_disabled_server_is_not_called_unknown(user: Home) -> None:
    """The message says how to enable it, in the config that is meant."""
    servers = {"off": {"command": "x", "disabled": True}, "on": EVERYTHING}
    user.write_config(servers)
    with pytest.raises(UnknownTool, match=r"'off' is disabled; to enable it: llm mcp enable off$"):
        MCP(servers="off").tools()
    other = user.folder / "other.json"
    other.write_text(json.dumps({"mcpServers": servers}))
    with pytest.raises(UnknownTool, match=rf"llm mcp enable --config {other} off$"):
        MCP(str(other), servers="off").tools()


@pytest.mark.parametrize("name", ["servers", "tools"])
@pytest.mark.parametrize("value", ["", " , ", []])
def test_empty_choice_is_an_error(user: Home, name: str, value: str | list[str]) -> None:
    """A shell variable that is not set must not hand over all tools."""
    with pytest.raises(McpError, match=rf"MCP\({name}=…\) is empty; leave it out to have all of them"):
        MCP(**{name: value}).tools()


def test_paths_that_are_none_say_what_was_meant(user: Home) -> None:
    """A URL of another scheme is no file, and a missing file is made where it was sought."""
    with pytest.raises(McpError, match=r"a URL begins with http:// or https://"):
        MCP("ftp://host/mcp").tools()
    assert source_of("HTTP://host/mcp", None).path == ""  # a config of that server alone
    missing = user.folder / "no where.json"
    with pytest.raises(ConfigNotFound, match=rf"llm mcp add --config '{missing}' NAME -- COMMAND"):
        MCP(str(missing)).tools()


def test_unknown_mode_is_an_error(user: Home) -> None:
    """The message lists the modes that there are."""
    with pytest.raises(McpError, match=r"unknown mode 'old'; there are: auto, legacy, modern"):
        MCP(mode="old").tools()


def test_tools_narrows_by_globs(user: Home) -> None:
    """`tools=` takes globs over the names."""
    assert list(tools_of(MCP(tools="echo, structured*"))) == ["echo", "structured", "structured_only"]
    assert tools_of(MCP(tools="nothing_like_it")) == {}


def test_prefix_is_put_in_front(user: Home) -> None:
    """`prefix=` renames for the model; the server is called by its own name of the tool."""
    found = MCP(tools="ech*", prefix="fs_")
    assert list(tools_of(found)) == ["fs_echo"]
    assert result_of(found, "fs_echo", text="x").output == "x"


def test_config_narrows(user: Home) -> None:
    """`includeTools`, `excludeTools` and `disabled` of the config decide what is offered."""
    narrowed = {**EVERYTHING, "includeTools": ["struct*", "echo"], "excludeTools": ["*_only"]}
    user.write_config({"everything": narrowed, "off": {"disabled": True, "command": "nothing"}})
    assert list(tools_of(MCP())) == ["echo", "structured"]


def test_config_is_read_afresh(user: Home) -> None:
    """An edited config counts at the next look, in the same toolbox too."""
    found = MCP(tools="echo,added")
    assert list(tools_of(found)) == ["echo"]
    user.write_config({"everything": EVERYTHING, "more": entry(naming_server("added"))})
    assert list(tools_of(found)) == ["echo", "added"]


# --- names, descriptions, schemas -------------------------------------------------------------------


def test_shared_names_get_their_server(user: Home) -> None:
    """A name that two servers have becomes SERVER_TOOL for both, and each call reaches its own."""
    user.write_config({"one": entry(naming_server("pid")), "two": EVERYTHING})
    found = MCP(tools="*pid")
    assert list(tools_of(found)) == ["one_pid", "two_pid"]
    first, second = results_of(found, ("one_pid", {}), ("two_pid", {}))
    assert first.output == "pid"
    assert second.output.isdigit()


def test_narrowing_renames_nothing(user: Home) -> None:
    """A tool keeps its name when `servers=` leaves out the other one that has it."""
    user.write_config({"one": entry(naming_server("same")), "two": entry(naming_server("same", "x"))})
    assert list(tools_of(MCP())) == ["one_same", "two_same", "x"]
    assert list(tools_of(MCP(servers="one"))) == ["one_same"]


def test_names_that_providers_refuse_are_mapped(user: Home) -> None:
    """Names come out as [a-zA-Z_][a-zA-Z0-9_-]{0,63}, and the server still hears its own."""
    odd = ["get file.txt", "größe", "x" * 200, "検索", "3d-print"]
    user.write_config({"odd": entry(naming_server(*odd))})
    found = tools_of(MCP())
    assert all(len(name) <= 64 and name.replace("_", "a").replace("-", "a").isalnum() for name in found)
    assert all(name.isascii() and not name[0].isdigit() for name in found)
    assert [one.output for one in results_of(MCP(), *((name, {}) for name in found))] == odd


def test_server_that_is_down_renames_nothing(user: Home) -> None:
    """Names are computed over the last known lists of all servers: one that fails counts too."""
    switch, program = user.work / "broken", user.work / "server"
    program.write_text(f"#!/bin/sh\n[ -e {switch} ] && exit 3\nexec {' '.join(naming_server('same'))}\n")
    program.chmod(0o755)
    user.write_config({"down": {"command": str(program)}, "up": entry(naming_server("same", "x"))})
    assert list(tools_of(MCP())) == ["down_same", "up_same", "x"]
    switch.touch()
    with DaemonClient(user.socket) as client:
        client.restart_server("down")
    listing = Daemon().list_tools(read_config(), refresh=True)
    assert [failed.server for failed in listing.failed] == ["down"]
    assert [offer.name for offer in listing.offers] == ["up_same", "x"]
    assert result_of(MCP(), "down_same").output.startswith("Error: same of MCP server 'down': ")


def test_description_names_the_server(user: Home) -> None:
    """The description is the server's own, with the server's name behind it; the plugin is ours."""
    tool = tools_of(MCP())["echo"]
    assert tool.description == "Returns the text.\n[from MCP server: everything]"
    assert tool.plugin == "llm-tools-mcp"


def test_schema_is_passed_on_as_it_came(user: Home) -> None:
    """Nothing is added to an input schema that providers take, dropped or reordered."""
    user.write_config({"many": entry(faulty_server("many", "1"))})
    schema = tools_of(MCP())["tool_0"].input_schema
    arguments = {f"argument_{n}": {"type": "string", "description": "?" * 50} for n in range(5)}
    assert json.dumps(schema) == json.dumps({"type": "object", "properties": arguments})


def test_refused_tools_are_offered_as_providers_take_them(user: Home) -> None:
    """Schemas and descriptions are mended for the model; the server gets the arguments as they came."""
    by_path, by_url = (
        {"properties": {name: {"const": name}}, "required": [name]} for name in ("path", "url")
    )
    odd = scripted_server(
        user.work / "odd.json",
        {"name": "open", "description": "Opens. " * 400, "inputSchema": {"anyOf": [by_path, by_url]}},
        {"name": "now", "inputSchema": None},
    )
    user.write_config({"odd": entry(odd)})
    found = tools_of(MCP())
    parts = {name: {"type": "string", "enum": [name]} for name in ("path", "url")}
    assert found["open"].input_schema == {"type": "object", "properties": parts}
    assert found["now"].input_schema == {"type": "object", "properties": {}}
    told = found["open"].description
    assert len(told) <= 1024
    assert told.endswith('Opens. …\nGive one of: path="path" | url="url".\n[from MCP server: odd]')
    arguments = {"url": {"as": ["it", None, "came"]}}
    assert json.loads(result_of(MCP(), "open", **arguments).output) == arguments


def test_readonly_offers_what_changes_nothing(user: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Only tools that say `readOnlyHint`, and none is told; one that must be called as a task is no offer."""
    reads = {"annotations": {"readOnlyHint": True}}
    hinted = scripted_server(
        user.work / "hinted.json",
        {"name": "look", **reads},
        {"name": "write", "annotations": {"readOnlyHint": False}},
        {"name": "silent"},
        {"name": "slow", **reads, "execution": {"taskSupport": "required"}},
    )
    user.write_config({"hinted": entry(hinted)})
    assert list(tools_of(MCP(readonly=True))) == ["look"]
    assert capsys.readouterr().err == ""
    assert list(tools_of(MCP(tools="silent", readonly=True))) == []
    assert "readonly=true leaves no tool" in capsys.readouterr().err
    assert list(tools_of(MCP())) == ["look", "write", "silent"]
    with pytest.raises(McpError, match=r"MCP\(readonly=…\) takes true or false"):
        MCP(readonly="yes").tools()
    with pytest.raises(McpError, match=r"MCP\(limit=…\) takes a whole number from 0"):
        MCP(limit=-1).tools()


def test_much_is_warned_of_once_a_day(user: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """More than 128 tools or 20,000 tokens: one line that says what to type; not again before tomorrow."""

    def said(**env: str) -> str:
        notices._shown.clear()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            result_of(MCP(), "tool_0")
        return capsys.readouterr().err

    user.write_config({"many": entry(faulty_server("many", "130"))})
    assert said(LLM_MCP_QUIET="1") == ""
    told = said()
    assert told.startswith("Warning: 131 tools (~")
    assert all(
        word in told for word in ("OpenAI takes 128", "MCP(search=true)", "MCP(servers=", "llm mcp list")
    )
    assert told.count("\n") == 1
    assert said() == ""


def test_signature_shows_the_arguments(user: Home) -> None:
    """`llm tools MCP` prints the implementation's signature: the tool's arguments, and no Python of ours."""
    found = tools_of(MCP())
    assert str(inspect.signature(found["echo"].implementation)) == "(text)"
    assert str(inspect.signature(found["pid"].implementation)) == "()"
    shown = "(name, server_name, self, tool, arguments, prefix='p')"
    assert str(inspect.signature(found["name_args"].implementation)) == shown


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({}, "()"),
        ({"properties": None, "required": None}, "()"),
        ({"properties": {"a-b": {}, "class": {}, "toolbox": {}, "x": True}}, "(x=None)"),
        ({"properties": {"late": {"default": 5}, "first": {}}, "required": ["first", 7]}, "(first, late=5)"),
    ],
)
def test_signature_of_odd_schemas(schema: dict[str, Any], shown: str) -> None:
    """What cannot be a parameter's name is not shown, and no schema breaks the listing."""

    def call(toolbox: object, /, **arguments: object) -> None: ...

    call.__signature__ = definitions.shown_signature(schema)  # type: ignore[attr-defined]
    assert str(inspect.signature(call.__get__(object()))) == shown


# --- results ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("echo", {"text": "hello"}, "hello"),
        ("echo", {"text": ""}, ""),
        ("echo", {"text": "grüße 🌍 \u2028 'quotes' \\ \x1b[31m"}, "grüße 🌍 \u2028 'quotes' \\ \x1b[31m"),
        ("many_texts", {}, "one\ntwo\nthree"),
        ("unicode", {}, "grüße, 世界 🌍 \u2028 e\u0301 \x00 end"),
        ("embedded_text", {}, "embedded text"),
        ("link", {}, "report: file:///report.pdf (application/pdf, the yearly report)"),
        ("structured", {}, '21.5 degrees\n{"temperature": 21.5, "unit": "°C"}'),
        ("structured_only", {}, '{"count": 12345678901234567890, "unit": "°C"}'),
        ("add", {"a": 2, "b": 3}, "5"),
        ("nothing", {}, ""),
    ],
)
def test_result_is_text(user: Home, tool: str, arguments: dict[str, Any], expected: str) -> None:
    """Text parts are joined by newlines; what is no text is told in words or JSON, never as a Python repr."""
    result = result_of(MCP(), tool, **arguments)
    assert result.exception is None
    assert result.output == expected
    assert result.attachments == []


@pytest.mark.parametrize(
    ("tool", "text", "mime_type", "start"),
    [
        ("image", "one red pixel", "image/png", b"\x89PNG"),
        ("audio", "", "audio/wav", b"RIFF"),
        ("blob", "", "application/octet-stream", bytes(range(256))),
    ],
)
def test_media_become_attachments(user: Home, tool: str, text: str, mime_type: str, start: bytes) -> None:
    """Images, audio and blobs reach llm as attachments with their type and exact bytes, beside the text."""
    result = result_of(MCP(), tool)
    (attachment,) = result.attachments
    assert (result.output, attachment.type) == (text, mime_type)
    assert attachment.content is not None
    assert attachment.content.startswith(start)


def test_tool_error_is_an_exception(user: Home) -> None:
    """`isError` reaches the model as `Error: TEXT` in the server's own words, and llm as an exception."""
    result = result_of(MCP(), "fail", message="disk full\nand more")
    assert result.output == "Error: disk full\nand more"
    assert str(result.exception) == "disk full\nand more"


def test_tool_error_without_text_still_says_something(user: Home) -> None:
    """An error of which the server says nothing is not an empty string."""
    assert result_of(MCP(), "fail", message="").output == (
        "Error: the tool reported an error and said nothing about it"
    )


def test_arguments_may_have_any_name(user: Home) -> None:
    """Arguments called like our own or llm's parameters reach the server like others."""
    names = ("name", "server_name", "self", "tool", "arguments", "llm_tool_call")
    arguments = {name: name.upper() for name in names}
    (result,) = results_of(MCP(), ("name_args", arguments))
    assert result.output == "NAME|SERVER_NAME|SELF|TOOL|ARGUMENTS|LLM_TOOL_CALL|p"


@pytest.mark.parametrize("value", [1, 1.5, True, None, [1, {"a": None}], {"deep": {"er": [0]}}, 2**63])
def test_arguments_keep_their_types(user: Home, value: Any) -> None:
    """What is no string reaches the server as it is: this one answers with what Python makes of it."""
    user.write_config({"fine": entry(faulty_server("fine"))})
    assert result_of(MCP(), "echo", text=value).output == str(value)


def test_wrong_arguments_are_told_to_the_model(user: Home) -> None:
    """The server's complaint about arguments is an `Error:` that the model can act on."""
    result = result_of(MCP(), "echo", txet="typo")
    assert result.exception is not None
    assert result.output.startswith("Error: ")
    assert "text" in result.output


def test_large_result_arrives_whole(user: Home) -> None:
    """A result of 10 MB is no problem where no bound is wanted."""
    assert len(result_of(MCP(limit=0), "big", size=10_000_000).output) == 10_000_000


def test_tool_that_crashes_its_server_costs_one_clear_message(user: Home) -> None:
    """The model hears that the outcome is unknown; the next call works."""
    result = result_of(MCP(), "crash")
    assert "it may or may not have run, and was not repeated" in result.output
    assert result_of(MCP(), "echo", text="again").output == "again"


def test_ctrl_c_leaves_the_toolbox_usable(user: Home) -> None:
    """In a notebook Ctrl-C ends the cell: the call is cancelled at the server, and the next one works.

    Nothing of it is left that a daemon which stops would wait for.
    """
    log, cancelled = user.work / "calls", user.work / "cancelled"
    env = {"CALL_LOG": str(log), "CANCEL_LOG": str(cancelled)}
    user.write_config({"logging": entry(everything_server(), env=env)})

    def press() -> None:
        wait_until(log.exists)
        os.kill(os.getpid(), signal.SIGINT)

    fingers = threading.Thread(target=press)
    fingers.start()
    with pytest.raises(KeyboardInterrupt):
        result_of(MCP(), "sleep", seconds=1000)
    fingers.join()
    wait_until(cancelled.exists)
    assert result_of(MCP(), "echo", text="next cell").output == "next cell"
    user.run_cli("stop")
    log = user.config_folder / "logs" / "daemon.log"
    assert "did not finish" not in log.read_text(), "the cancelled call still held its connection"


# --- warnings ---------------------------------------------------------------------------------------

BROKEN = entry(faulty_server("exit"))
WARNING = (
    "Warning: Failed to connect to the 'broken' MCP server: {reason}\n"
    "Tools from 'broken' will be unavailable "
    "(run with LLM_TOOLS_MCP_FULL_ERRORS=1, or see: llm mcp logs broken)\n"
)


def test_server_that_fails_costs_only_its_own_tools(user: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The others go on, and stderr says what is missing, why, and where to look; once per process."""
    user.write_config({"broken": BROKEN, "everything": EVERYTHING})
    found = MCP(tools="echo")
    assert list(tools_of(found)) == ["echo"]
    reason = capsys.readouterr().err.splitlines()[0].partition("server: ")[2]
    assert "cannot read my license key" in reason
    notices._shown.clear()
    assert result_of(found, "echo", text="x").output == "x"
    shown = capsys.readouterr().err
    assert shown.count("\n") == 2
    assert shown.startswith("Warning: Failed to connect to the 'broken' MCP server: ")
    assert shown.endswith(WARNING.partition("\n")[2])


def test_many_servers_that_fail_are_a_line_each(user: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Short ones, and where the rest is to be had; the next turn says nothing of them."""
    long = {"command": "no-such-command", "env": {f"V{n}": f"${{UNSET_{n}_{'X' * 40}}}" for n in range(9)}}
    user.write_config({**{f"s{n}": long for n in range(10)}, "everything": EVERYTHING})
    found = MCP(tools="echo")
    assert list(tools_of(found)) == ["echo"]
    *lines, last = capsys.readouterr().err.splitlines()
    assert [line.partition(" MCP server: ")[0] for line in lines] == [
        f"Warning: Failed to connect to the 's{n}'" for n in range(10)
    ]
    assert max(map(len, lines)) <= 140
    assert all("server: 9 errors: key 'env.V0': the environment" in line for line in lines)
    assert last == "Their tools will be unavailable; see: llm mcp doctor"
    tools_of(found)
    assert capsys.readouterr().err == ""


def test_server_by_its_command(user: Home) -> None:
    """Nothing of it has to be in a config; a command line that is none is an error."""
    found = MCP(command=shlex.join(naming_server("alpha", "beta")))
    assert list(tools_of(found)) == ["alpha", "beta"]
    assert result_of(found, "beta").output == "beta"
    for wrong in ("", "'"):
        with pytest.raises(McpError, match=r"MCP\(command=…\) is"):
            MCP(command=wrong).tools()
    with pytest.raises(McpError, match="not both"):
        MCP("x.json", command="x").tools()


def test_server_that_is_given_as_a_config(user: Home) -> None:
    """Where there is no such file but such a server, that is what was meant."""
    user.write_config({"time": {"command": "x"}, "git": {"command": "y"}})
    for given in ("time", "time,git"):
        with pytest.raises(McpError, match=f'servers="{given}"'):
            MCP(given).tools()
    with pytest.raises(McpError, match="there is no MCP config"):
        MCP("tyme").tools()


def test_warning_is_shown_once(user: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """`llm chat` asks for the tools at every turn: the same server is complained of once."""
    user.write_config({"broken": {"command": "no-such-command-at-all"}})
    for _ in range(3):
        assert tools_of(MCP()) == {}
    assert capsys.readouterr().err.count("Failed to connect") == 1


@pytest.mark.parametrize("full", ["1", None])
def test_full_errors_add_the_traceback(
    user: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, full: str | None
) -> None:
    """LLM_TOOLS_MCP_FULL_ERRORS shows the traceback; without it there is none."""
    if full:
        monkeypatch.setenv("LLM_TOOLS_MCP_FULL_ERRORS", full)
    user.write_config({"broken": entry(faulty_server("exit", str(full)))})
    tools_of(MCP())
    assert ("Traceback (most recent call last)" in capsys.readouterr().err) == bool(full)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ({"command": "no-such-command-at-all"}, "no-such-command-at-all"),
        ({"url": "http://127.0.0.1:9/mcp"}, "http://127.0.0.1:9/mcp cannot be reached"),
        ({"url": "http://127.0.0.1:9/sse"}, "http://127.0.0.1:9/sse cannot be reached"),
        ({"command": "cat", "env": {"TOKEN": "${MISSING_TOKEN}"}}, "MISSING_TOKEN"),
        ({"command": "cat", "cwd": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_warning_says_why(
    user: Home, capsys: pytest.CaptureFixture[str], server: dict[str, Any], reason: str
) -> None:
    """Each sort of failure has a reason in words, and the other servers go on."""
    user.write_config({"broken": server, "fine": entry(naming_server("fine"))})
    assert list(tools_of(MCP())) == ["fine"]
    shown = capsys.readouterr().err
    assert reason in shown.splitlines()[0]
    assert "Traceback" not in shown


def test_toolbox_is_one_of_llms(user: Home) -> None:
    """The toolbox is found by its name, and its arguments are what llm logs."""
    found = llm.get_tools()["MCP"]
    assert found is MCP
    assert MCP("x.json", servers="a")._config == {
        "config_path": "x.json",
        "servers": "a",
        "tools": None,
        "prefix": "",
        "mode": None,
        "readonly": False,
        "limit": None,
        "approve": None,
        "command": None,
        "search": None,
    }


def test_package_offers_the_toolbox() -> None:
    """`from llm_tools_mcp import MCP` works, for Python users."""
    import llm_tools_mcp

    assert Path(llm_tools_mcp.__file__ or "").name == "__init__.py"
    assert llm_tools_mcp.MCP is MCP


def test_toolbox_and_tools_can_be_copied(user: Home) -> None:
    """As multiprocessing does: what connects stays behind, and nothing of the environment goes along."""
    user.write_config({"names": entry(naming_server("fine"))})
    found = MCP(servers="names")
    tool = tools_of(found)["fine"]
    assert repr(found) == "MCP(servers='names')"
    assert repr(MCP("https://u:p@host/mcp?key=s")) == "MCP(config_path='https://host/mcp')"
    assert os.environ["PATH"].encode() not in pickle.dumps(tool)
    for again in (pickle.loads(pickle.dumps(tool)), copy.deepcopy(tool)):  # noqa: S301 - our own
        assert (again.name, again.input_schema) == (tool.name, tool.input_schema)
        assert again.implementation() == "fine"
    assert list(tools_of(copy.deepcopy(found))) == ["fine"]
