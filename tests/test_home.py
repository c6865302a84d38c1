"""What the other tests stand on: nothing outlives a home, and the servers listen when they say so."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import HttpServer
from tests.home import Home
from tests.programs import run
from tests.waiting import wait_until


def start_sleep(home: Home, env: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["sleep", "1000"], env=env)
    wait_until(home.processes)
    return process


@pytest.mark.parametrize("variable", ["LLM_MCP_SOCKET", "HOME"])
def test_process_that_outlives_a_home_is_found_and_ended(
    tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon is known by its socket, an MCP server by its HOME: left over, it is ended and reported."""
    monkeypatch.setattr("tests.home.ENDING", 0.2)
    home = Home(tmp_path / "home")
    process = start_sleep(home, {"PATH": home.env["PATH"], variable: home.env[variable]})
    with pytest.raises(AssertionError, match=f"outlived the test:\n{process.pid} "):
        home.close()
    assert not psutil.pid_exists(process.pid)
    process.wait(5)
    assert not home.runtime.exists()


def test_command_that_does_not_end_is_ended() -> None:
    """A command past its timeout is killed, and the failure shows what it had said."""
    with pytest.raises(AssertionError, match=r"still runs after 0.3 s\n--- stdout\nhello"):
        run(["sh", "-c", "echo hello; exec sleep 1000"], timeout=0.3)


def test_command_whose_output_is_held_open_is_a_failure() -> None:
    """A command that leaves a process behind on its output has not ended."""
    with pytest.raises(AssertionError, match="something holds its output open"):
        run(["sh", "-c", "sleep 3 & exit 0"], timeout=0.3)


def test_failing_command_shows_its_output() -> None:
    """A non-zero exit fails the test, unless it is expected."""
    with pytest.raises(AssertionError, match="exit code 3"):
        run(["sh", "-c", "exit 3"])
    assert run(["sh", "-c", "exit 3"], check=False).code == 3


def status_of(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of this machine
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_http_server_wants_its_token(serve_http: Callable[..., HttpServer], kind: str) -> None:
    """Without the token 401, with it something else; and the port can be taken again after a stop."""
    server = serve_http(kind, "--token", "T")
    wrong_path = server.url + "/nothing-here"
    assert status_of(wrong_path) == 401
    assert status_of(wrong_path, Authorization="Bearer T") == 404
    server.stop()
    assert serve_http(kind, port=server.port).url == server.url


def test_commands_of_this_environment_run_in_the_home(home: Home) -> None:
    """`llm` and `llm-mcp` are the installed ones, and llm keeps its files in the home."""
    assert home.run_llm("logs", "path").stdout.startswith(str(home.folder))
    assert home.run_llm("-m", "echo", "hello there").stdout.count("hello there") == 1
    assert "Usage: llm-mcp" in home.run_cli("--help").stdout


@pytest.mark.external
@pytest.mark.parametrize("name", ["server-filesystem", "server-everything", "time"])
def test_servers_of_others_are_there(request: pytest.FixtureRequest, home: Home, name: str) -> None:
    """The servers that nobody here wrote start, and speak a legacy protocol."""
    if name == "time":
        argv = request.getfixturevalue("time_server")
    else:
        argv = request.getfixturevalue("npm_server")(name)
    more = [str(home.work)] if name == "server-filesystem" else []
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    answer = home.run(*argv, *more, input=json.dumps(hello) + "\n", check=False).stdout
    assert json.loads(answer.splitlines()[0])["result"]["protocolVersion"] == "2025-06-18"
