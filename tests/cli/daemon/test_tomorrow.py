"""A daemon of tomorrow's release: what it says that this one does not know is `unknown`, and no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from llm_tools_mcp import v1
from tests.cli.daemon.test_metrics import parsed, values
from tests.home import Home
from tests.servers import entry, faulty_server

UNKNOWN: Any = 99  # a value that no enum has yet
NEW_FIELD = b"\xc2\x3e\x06future"  # field 1000


@pytest.fixture
def serve(home: Home) -> Iterator[Callable[[v1.HealthResponse], None]]:
    """Starts a daemon at the home's socket that answers with this health, and knows nothing for certain."""
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)

        def start(health: v1.HealthResponse) -> None:
            servers = [
                v1.ServerStatus(server="odd", state=UNKNOWN, transport="pigeon", cwd=str(home.work)),
                v1.ServerStatus(server="broken", state=UNKNOWN, transport="stdio", last_error="of tomorrow"),
            ]
            failure = v1.Failure(kind=UNKNOWN, message="of tomorrow")
            answers = {
                "Health": [health],
                "Status": [v1.StatusResponse(health=health, servers=servers)],
                "GetAllTools": [
                    v1.ServerTools(server="odd", state=UNKNOWN, tools=[v1.Tool(name="t", input_schema="{}")]),
                    v1.ServerTools(server="broken", position=1, state=v1.ServerTools.FAILED, failure=failure),
                ],
                "CallTool": [
                    v1.CallToolEvent(accepted=v1.Accepted()),
                    v1.CallToolEvent(),
                    v1.CallToolEvent(result=v1.ToolResult(content=[v1.Content(), v1.Content(text="known")])),
                ],
            }
            handlers = {rpc: handler(rpc, messages) for rpc, messages in answers.items()}
            service = grpc.method_handlers_generic_handler("llm_tools_mcp.v1.McpDaemon", handlers)
            server.add_generic_rpc_handlers((service,))
            home.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            server.add_insecure_port(f"unix:{home.socket}")
            server.start()

        yield start
        server.stop(0).wait()


def handler(rpc: str, messages: list[Any]) -> Any:
    told = [message.SerializeToString() + NEW_FIELD for message in messages]
    if rpc in ("Health", "Status"):
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: told[0])
    return grpc.unary_stream_rpc_method_handler(lambda _request, _context: iter(told))


def health(**more: Any) -> v1.HealthResponse:
    said = {"state": v1.HealthResponse.SERVING, "protocol_major": v1.PROTOCOL_MAJOR, **more}
    return v1.HealthResponse(version="1.99", installed_version="1.99", pid=1, supervisor="moon", **said)


def test_unknown_values_are_unknown(home: Home, serve: Callable[[v1.HealthResponse], None]) -> None:
    """States, kinds and content: in status, list, metrics, tools and call."""
    home.write_config({name: entry(faulty_server("fine")) for name in ("odd", "broken")})
    serve(health(state=UNKNOWN))
    done = {
        words: home.run_cli(*words.split(), check=False)
        for words in (
            "health",
            "status",
            "status --json",
            "list",
            "list --json",
            "metrics",
            "tools",
            "call odd t",
        )
    }
    assert not [words for words, one in done.items() if "Traceback" in one.stdout + one.stderr]
    assert (done["health"].code, "its state is unknown" in done["health"].stdout) == (1, True)
    for words in ("status --json", "list --json"):
        servers = json.loads(done[words].stdout)["servers"]
        assert [server["state"] for server in servers] == ["unknown", "unknown"], words
    for words in ("status", "list"):
        assert done[words].stdout.count(" unknown") >= 2, words
    states = values(parsed(done["metrics"].stdout)["llm_mcp_server_state"], "server", "state")
    assert {key for key, value in states.items() if value} == {("odd", "unknown"), ("broken", "unknown")}
    assert "of tomorrow" in done["tools"].stdout + done["tools"].stderr
    assert "known" in done["call odd t"].stdout.splitlines()
    assert "content of a kind that this version of llm-mcp does not know" in done["call odd t"].stdout


def test_daemon_of_another_major_is_not_healthy(
    home: Home, serve: Callable[[v1.HealthResponse], None]
) -> None:
    """`health` says which version it speaks, and exits with 1."""
    serve(health(protocol_major=v1.PROTOCOL_MAJOR + 1))
    plain, as_json = (home.run_cli("health", *more, check=False) for more in ((), ("--json",)))
    assert (plain.code, as_json.code) == (1, 1)
    assert f"unhealthy (it speaks version {v1.PROTOCOL_MAJOR + 1} of the protocol" in plain.stdout
    assert json.loads(as_json.stdout)["healthy"] is False
