"""Starts are bounded: those that wait for their turn do not pay with their own time."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pytest

from llm_tools_mcp import config, v1
from llm_tools_mcp.daemon.front.all_tools import AllTools
from llm_tools_mcp.daemon.front.configs import ParsedConfigs, usable
from llm_tools_mcp.daemon.pool import start_gate
from llm_tools_mcp.daemon.pool.statistics import State
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.stack import in_loop
from tests.waiting import wait_until_async


@in_loop
async def test_turns_come_in_order(monkeypatch: Any) -> None:
    """Two at once; a third when one of them is ready, or has had its time; who gives up leaves no gap."""
    monkeypatch.setattr(start_gate, "_COUNTED_SECONDS", 0.05)
    bounded = start_gate.StartGate(2)
    first, _second = await bounded.enter(), await bounded.enter()
    waiting = [asyncio.create_task(bounded.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    waiting[0].cancel()
    first.release()
    first.release()
    await waiting[1]
    assert not waiting[2].done()
    await asyncio.wait_for(waiting[2], 5)  # the second has lasted long enough


@with_live
async def test_waiting_for_a_turn_costs_no_time(live: Live, monkeypatch: Any) -> None:
    """With slow servers in front of it a server still has its whole connectTimeout from its own start on."""
    live.pool.sessions._gates[False] = start_gate.StartGate(1)
    monkeypatch.setattr(start_gate, "_COUNTED_SECONDS", 0.5)
    slow = [live.faulty("hang", name=f"slow{n}", env={"N": str(n)}, connectTimeout=0.2) for n in range(3)]
    failures = [asyncio.create_task(failure_of(live.names(server))) for server in slow]
    await wait_until_async(lambda: len(live.pool.sessions.registry.all()) == 3)
    assert await live.names(live.faulty("fine", connectTimeout=30)) == ["echo", "pid"]
    for failure in failures:
        assert "still starting after 0 s" in (await failure).text


@with_live
async def test_start_that_nobody_waits_for_any_more_leaves_the_queue(live: Live) -> None:
    """Its caller has gone before its turn came."""
    live.pool.sessions._gates[False] = start_gate.StartGate(1)
    held = asyncio.create_task(live.names(live.faulty("hang", name="held")))
    await wait_until_async(lambda: len(live.processes()) == 1)
    fine = live.faulty("fine")
    queued = asyncio.create_task(live.names(fine))
    await wait_until_async(lambda: len(live.pool.sessions.registry.all()) == 2)
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.wait([queued])
    await wait_until_async(lambda: live.session(fine).state is State.STOPPED)
    held.cancel()


@pytest.mark.parametrize("count", [1_000, pytest.param(5_000, marks=pytest.mark.soak)])
@with_live
async def test_thousands_of_entries_hurt_no_neighbour(live: Live, count: int) -> None:
    """Servers that cannot be started: linear work in small steps, while a neighbour is called."""
    servers = ",".join(f'"s{n}": {{"command": "/nowhere/s", "args": ["{n}"]}}' for n in range(count))
    caller = v1.Caller(
        config_path="/nowhere/mcp.json",
        config=f'{{"mcpServers": {{{servers}}}}}',
        cwd=str(live.folder),
        environment={"PATH": os.environ["PATH"], "HOME": str(live.folder)},
    )
    neighbour = live.faulty("fine")
    await live.names(neighbour)

    async def list_all() -> int:
        parsed = await ParsedConfigs().found(caller, v1.Protocol.PROTOCOL_AUTO)
        live.pool.sessions.note_config(caller.config_path, parsed.written[caller.config_path], usable(parsed))
        listing = AllTools(live.pool, live.logins, parsed, v1.GetAllToolsRequest(caller=caller))
        return len([answer async for answer in listing.answers()])

    listing, slowest = asyncio.create_task(list_all()), 0.0
    while not listing.done():
        began = time.thread_time()  # of the processor: others are at work on this machine, too
        assert await live.call(neighbour, "echo", text="hi") == "hi"
        slowest = max(slowest, time.thread_time() - began)
        await asyncio.wait([listing], timeout=0.01)
    assert listing.result() == 2 * count
    assert slowest < 0.1
    live.pool.sessions.expire()
    assert len(live.pool.sessions.registry.all()) < 300


@with_live
async def test_server_that_is_never_to_be_stopped_is_not_evicted(live: Live) -> None:
    """Over the limit of a config, which counts before the default: the others go, and are counted apart."""
    live.pool.sessions.note_config("/mcp.json", {}, [], max_servers=1)
    kept = live.faulty("fine", name="kept", idleTimeout=0)
    other = live.faulty("fine", name="other", env={"N": "1"})
    for server in (kept, other, kept):
        await live.names(server)
    await live.names(live.faulty("fine", name="third", env={"N": "2"}))
    await wait_until_async(lambda: live.session(other).state is State.STOPPED)
    assert live.session(kept).state is State.READY
    assert live.session(other).statistics.evictions == 1


def test_limit_is_a_whole_number() -> None:
    """`maxServers` at the top of a config."""
    context = config.Context("/", {})
    assert config.parse("", '{"maxServers": 5, "mcpServers": {}}', context).max_servers == 5
    assert config.parse("", '{"mcpServers": {}}', context).max_servers is None
