"""What users of llm-tools-mcp 0.4 rely on: this is its drop-in replacement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp import MCP
from llm_tools_mcp.plugin import notices
from tests.home import Home, living_in
from tests.prompting import ask, invoke, output, outputs, result_of, tools_of
from tests.servers import entry, everything_server, faulty_server, naming_server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home, and so one daemon, for all tests here."""
    home = Home(tmp_path_factory.mktemp("upstream") / "home")
    yield home
    home.close()


@pytest.fixture
def inside(house: Home) -> Iterator[Home]:
    """This process is a command of the user."""
    notices._shown.clear()
    with living_in(house):
        yield house


@pytest.mark.parametrize(
    ("value", "folder"),
    [("{work}/conf", "work/conf"), ("conf", "work/conf"), ("~/conf", "conf"), ("", ".llm-tools-mcp")],
)
def test_config_folder_variable(
    inside: Home, monkeypatch: pytest.MonkeyPatch, value: str, folder: str
) -> None:
    """LLM_TOOLS_MCP_CONFIG_DIR may be relative and may hold ~; without it ~/.llm-tools-mcp counts."""
    monkeypatch.setenv("LLM_TOOLS_MCP_CONFIG_DIR", value.format(work=inside.work))
    (inside.folder / folder).mkdir(exist_ok=True)
    inside.write_config({"names": entry(naming_server("found"))}, inside.folder / folder / "mcp.json")
    assert list(tools_of(MCP())) == ["found"]


def test_servers_run_in_the_prompts_folder_with_relative_arguments(inside: Home) -> None:
    """A relative script among the arguments, and a relative path in a call, mean the caller's folder."""
    script = inside.work / "server.py"
    script.write_text(f"import os, sys\nos.execv(sys.executable, {everything_server()!r})\n")
    inside.write_config({"own": {"command": everything_server()[0], "args": ["server.py"]}})
    assert output(ask("MCP", ("cwd", {}))) == str(inside.work)


def test_servers_get_a_few_variables_and_those_of_the_config(inside: Home) -> None:
    """HOME, LOGNAME, PATH, SHELL, TERM, USER, the locale of the caller, and `env` over them; not the rest."""
    env = {"USER": "from the config", "MORE": "added"}
    inside.write_config({"everything": entry(everything_server(), env=env)})
    asked = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "MORE", "LLM_USER_PATH", "LANG"]
    result = ask("MCP", *(("env", {"name": name}) for name in asked))
    inherited = [inside.env[name] for name in asked[:5]]
    assert outputs(result) == [*inherited, "from the config", "added", "(unset)", inside.env["LANG"]]


def test_tilde_in_arguments_stays(inside: Home) -> None:
    """`~` is expanded in the path of the config, and never in arguments."""
    inside.write_config({"everything": entry(everything_server("~/x"))})
    assert result_of(MCP(), "argv").output == "~/x"


def test_sse_anywhere_in_the_url_means_sse(inside: Home, serve_http: Any) -> None:
    """Without a `type` the url decides, and `type` overrides it."""
    sse, http = serve_http("sse").url, serve_http("http").url
    inside.write_config({"inferred": {"url": sse}})
    assert result_of(MCP(), "echo", text="sse").output == "sse"
    inside.write_config({"told": {"url": f"{http}?not=/sse", "type": "http", "command": "ignored"}})
    assert result_of(MCP(), "echo", text="http").output == "http"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, ["mcpServers", "Field required"]),
        ([], ["Input should be an object"]),
        ({"mcpServers": []}, ["mcpServers", "Input should be an object"]),
        ({"mcpServers": {"s": {}}}, ["Could not deduce MCP server type"]),
        ({"mcpServers": {"s": {"url": "http://x", "command": "y"}}}, ["Only 'url' or 'command' is allowed"]),
        ({"mcpServers": {"s": {"command": "x", "type": "ftp"}}}, ["Unknown server 'type'", "ftp"]),
        ({"mcpServers": {"s": {"command": "x", "type": "sse"}}}, ["url", "Field required"]),
        ({"mcpServers": {"s": {"command": "x", "env": {"A": 1}}}}, ["env", "valid string"]),
    ],
)
def test_validation_keeps_its_words(inside: Home, config: Any, words: list[str]) -> None:
    """People search the web for these messages."""
    inside.config.write_text(json.dumps(config))
    result = invoke("tools", "MCP")
    is_one_server = isinstance(config, dict) and bool(config.get("mcpServers"))
    assert result.code == (0 if is_one_server else 1)
    assert [word for word in words if word not in result.stderr] == []
    assert str(inside.config) in result.stderr


def test_other_keys_are_ignored(inside: Home) -> None:
    """Keys of other MCP clients do no harm."""
    more = {"autoApprove": ["x"], "alwaysAllow": [], "description": "mine", "transport": "stdio"}
    inside.config.write_text(
        json.dumps({"mcpServers": {"n": {**entry(naming_server("x")), **more}}, "theme": 1})
    )
    assert list(tools_of(MCP())) == ["x"]


def test_failing_server_is_reported_in_the_same_words(
    inside: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both lines begin as they did, and the other servers go on."""
    inside.write_config({"bad": entry(faulty_server("exit")), "good": entry(naming_server("x"))})
    assert list(tools_of(MCP())) == ["x"]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Warning: Failed to connect to the 'bad' MCP server: ")
    assert second.startswith("Tools from 'bad' will be unavailable (run with LLM_TOOLS_MCP_FULL_ERRORS=1")


def test_tools_keep_their_names_and_marks(inside: Home) -> None:
    """Unprefixed names in config order, the server at the end of the description, the same plugin name."""
    inside.write_config({"b": entry(naming_server("two", "one")), "a": entry(naming_server("zero"))})
    tools = tools_of(MCP(config_path=str(inside.config)))
    assert list(tools) == ["two", "one", "zero"]
    assert tools["zero"].description == "the tool zero\n[from MCP server: a]"
    assert {tool.plugin for tool in tools.values()} == {"llm-tools-mcp"}


def test_missing_config_is_an_error_that_names_it(inside: Home) -> None:
    """The path as it was looked for is in the message."""
    result = invoke("tools", 'MCP("~/nowhere/mcp.json")')
    assert result.code == 1
    assert str(Path(inside.folder) / "nowhere" / "mcp.json") in result.stderr
