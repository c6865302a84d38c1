"""What dies or grows while a call or a listing is under way.

Rows 11, 13, 15, 16, 20 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind
from tests.daemon.live import Live, variant, with_live
from tests.daemon.running import running
from tests.daemon.server.test_faults_stdio import failure_of
from tests.home import BIN, Home
from tests.servers import entry, everything_server, faulty_server
from tests.waiting import wait_until, wait_until_async


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [("http", "auto"), ("http", "legacy"), ("sse", "auto")],
    ids=["modern", "legacy", "sse"],
)
@with_live
async def test_http_server_killed_in_a_call(live: Live, serve_http: Any, kind: str, protocol: str) -> None:
    """The call fails long before its end, its outcome unknown; with the server back the next one works."""
    first = serve_http(kind)
    server = live.define({"web": {"url": first.url, "protocol": protocol}})
    events: list[Any] = []
    call = asyncio.create_task(live.pool.call(server, "sleep", {"seconds": 1000}, events.append))
    await wait_until_async(lambda: events)
    first.process.kill()
    failure = await failure_of(call)
    assert failure.kind == Kind.OUTCOME_UNKNOWN
    serve_http(kind, port=first.port)
    assert await live.call(server, "echo", text="back") == "back"
    await live.pool.aclose()


def test_killed_client_cancels_its_call(home: Home) -> None:
    """A prompt that is killed while its tool runs: the server hears of it, and is there for the next one."""
    log, called = home.folder / "cancelled", home.folder / "called"
    env = {"CANCEL_LOG": str(log), "CALL_LOG": str(called)}
    home.write_config({"slow": entry(everything_server(), env=env)})
    pid = home.run_cli("call", "slow", "pid").stdout
    client = subprocess.Popen(
        [BIN / "llm-mcp", "call", "slow", "sleep", "seconds=1000"], env=home.env, cwd=home.work
    )
    try:
        wait_until(lambda: "sleep" in called.read_text())
    finally:
        client.kill()
        client.wait()
    wait_until(log.exists)
    assert log.read_text() == f"{pid.strip()} sleep\n"
    assert home.run_cli("call", "slow", "pid").stdout == pid


def big_schemas(count: int, size: int) -> dict[str, Any]:
    return variant(f"""
    def list_tools(self, params):
        schema = {{"type": "object", "description": "x" * {size}}}
        return {{"tools": [{{"name": f"tool_{{n}}", "inputSchema": schema}} for n in range({count})]}}
    """)


def test_ten_megabytes_of_schemas(home: Home) -> None:
    """They are listed, whole, and once more from the cache."""
    servers = {"big": big_schemas(10, 1_000_000), "fine": entry(faulty_server("fine"))}
    with running(home) as daemon:
        for state in (v1.ServerTools.LISTED, v1.ServerTools.CACHED):
            answers = {answer.server: answer for answer in daemon.list(servers)}
            assert [len(tool.input_schema) > 1_000_000 for tool in answers["big"].tools] == [True] * 10
            assert answers["big"].state == state
            assert len(answers["fine"].tools) == 2


def test_tool_list_over_the_bound_costs_itself_only(home: Home) -> None:
    """A list that no message can carry is an error of its server's; the others are listed."""
    servers = {"huge": big_schemas(14, 10_000_000), "fine": entry(faulty_server("fine"))}
    with running(home) as daemon:
        answers = {answer.server: answer for answer in daemon.list(servers)}
        assert answers["huge"].state == v1.ServerTools.FAILED
        assert "MiB" in answers["huge"].failure.message
        assert len(answers["fine"].tools) == 2
