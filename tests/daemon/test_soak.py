"""Random faults under load: at the end every call is accounted for, and nothing is left or has grown.

Seconds in every test run, ten minutes with `make soak` (LLM_MCP_SOAK_SECONDS says otherwise).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from llm_tools_mcp.client.caller import make_call
from llm_tools_mcp.client.channel import AsyncDaemonClient
from llm_tools_mcp.errors import OutcomeUnknown, ToolCallError
from tests.daemon.live import variant
from tests.daemon.running import Running, running
from tests.daemon.test_faults_daemon import children
from tests.daemon.web import Answer, Legacy, Modern, serving
from tests.home import Home
from tests.waiting import wait_until, wait_until_async

CALLERS = 8
SECONDS = 4.0
SOAK_SECONDS = float(os.environ.get("LLM_MCP_SOAK_SECONDS", "600"))
# Of the daemon, between two moments of rest: what caches and the allocator may take.
MAX_GROWTH_BYTES = 30e6
MAX_GROWTH_DESCRIPTORS = 10


class Hammer:
    """Callers that note what became of each call, and one who breaks things."""

    def __init__(self, daemon: Running, log: Path) -> None:
        self.daemon = daemon
        self.log = log
        self.version = 0
        self.outcomes: dict[str, str] = {}
        self.faults: Counter[str] = Counter()
        self._ids = itertools.count()

    def servers(self) -> dict[str, Any]:
        body = f"""
        def run(self, tool, arguments):
            with open({str(self.log)!r}, "a") as log:
                log.write(arguments["text"] + "\\n")
            time.sleep(float(arguments["seconds"]))
            return "done"
        """
        steady = {"one": variant(body), "two": variant(body) | {"env": {"N": "2"}, "instances": 2}}
        return {**steady, "changing": variant(body) | {"env": {"VERSION": str(self.version)}}}

    async def run(self, seconds: float) -> None:
        client = AsyncDaemonClient(self.daemon.home.socket)
        until = time.monotonic() + seconds
        callers = [self._call_until(client, until) for _ in range(CALLERS)]
        await asyncio.gather(self._break_until(until), *callers)
        await client.aclose()

    # --- callers ------------------------------------------------------------------------------------

    async def _call_until(self, client: AsyncDaemonClient, until: float) -> None:
        while time.monotonic() < until:
            name = f"call {next(self._ids)}"
            try:
                self.outcomes[name] = await self._call(client, name)
            except OutcomeUnknown:
                self.outcomes[name] = "unknown"
            except asyncio.TimeoutError:
                self.outcomes[name] = "cancelled"
            except ToolCallError:
                self.outcomes[name] = "refused"
                await asyncio.sleep(0.1)

    async def _call(self, client: AsyncDaemonClient, name: str) -> str:
        servers = self.servers()
        arguments = {"text": name, "seconds": random.choice((0, 0, 0.01, 0.05))}
        request = make_call(self.daemon.caller(servers), random.choice(list(servers)), "echo", arguments)
        patience = random.choice((0.02, 30, 30, 30))
        await asyncio.wait_for(client.call(request, lambda _: None), patience)
        return "answered"

    # --- faults -------------------------------------------------------------------------------------

    async def _break_until(self, until: float) -> None:
        faults = (self._kill, self._kill, self._restart, self._change, self._reload, self._list)
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(0.05, 0.4))
            fault = random.choice(faults)
            self.faults[fault.__name__] += 1
            await asyncio.to_thread(fault)

    def _kill(self) -> None:
        if pids := children(self.daemon.home):
            with suppress(ProcessLookupError):
                os.kill(random.choice(pids), random.choice((signal.SIGKILL, signal.SIGTERM)))

    def _restart(self) -> None:
        self.daemon.client.restart_server(random.choice(("one", "two", "changing")))

    def _change(self) -> None:
        self.version += 1
        self._list()

    def _list(self) -> None:
        self.daemon.list(self.servers(), refresh=random.random() < 0.3)

    def _reload(self) -> None:
        self.daemon.process.send_signal(signal.SIGHUP)

    # --- accounts -----------------------------------------------------------------------------------

    def check(self) -> None:
        ran = Counter(self.log.read_text().splitlines())
        assert [name for name, times in ran.items() if times > 1] == [], "ran twice"
        answered, refused = (
            {n for n, o in self.outcomes.items() if o == which} for which in ("answered", "refused")
        )
        assert answered - set(ran) == set(), "answered and never ran"
        assert refused & set(ran) == set(), "ran, and the caller was told that it did not"
        assert len(self.outcomes) == next(self._ids), "without an outcome"
        assert len(answered) > 10, Counter(self.outcomes.values())


def at_rest(daemon: Running) -> tuple[int, int]:
    """Descriptors and bytes of the daemon once all its servers have ended."""
    for name in ("one", "two", "changing"):
        daemon.client.restart_server(name)
    wait_until(lambda: not children(daemon.home))
    process = psutil.Process(daemon.process.pid)
    return process.num_fds(), process.memory_info().rss


def hammer(home: Home, seconds: float, warm_up: float) -> tuple[int, int]:
    """Returns by how much descriptors and memory have grown since the warm-up."""
    with running(home) as daemon:
        hammered = Hammer(daemon, home.folder / "ran")
        asyncio.run(hammered.run(warm_up))
        before = at_rest(daemon)
        asyncio.run(hammered.run(seconds))
        after = at_rest(daemon)
        hammered.check()
        assert daemon.stop() == 0
        assert children(home) == []
        print(Counter(hammered.outcomes.values()), hammered.faults, before, after)
    return after[0] - before[0], after[1] - before[1]


def test_seconds_of_random_faults(home: Home) -> None:
    """Kills, restarts, changes and impatient callers: each call has one true outcome, nothing is left."""
    descriptors, _ = hammer(home, SECONDS, 1.0)
    assert descriptors <= MAX_GROWTH_DESCRIPTORS


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS * 1.5 + 120)
def test_minutes_of_random_faults(home: Home) -> None:
    """The same for minutes; and the daemon does not grow."""
    descriptors, memory = hammer(home, SOAK_SECONDS, 30.0)
    assert descriptors <= MAX_GROWTH_DESCRIPTORS
    assert memory <= MAX_GROWTH_BYTES


# --- abandoned calls over http --------------------------------------------------------------------

ABANDONED = 60
# Bytes of an answer that nobody waits for any more.
HALF = 100_000


async def abandon(daemon: Running, definition: dict[str, Any], times: int) -> None:
    """Calls of which the server sends a part, and whose callers have gone before the rest."""
    client = AsyncDaemonClient(daemon.home.socket)
    request = make_call(daemon.caller({"web": definition}), "web", "echo", {})
    for _ in range(times // 10):
        calls = [asyncio.create_task(client.call(request, lambda _: None)) for _ in range(10)]
        await asyncio.wait(calls, timeout=random.uniform(0.05, 0.2))
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
    await client.aclose()


async def abandoned(daemon: Running, rounds: int) -> list[tuple[int, int]]:
    """Descriptors and bytes of the daemon after each round, in both eras."""
    streams = {"content-type": "text/event-stream"}
    half = Answer(200, streams, b"data: " + b"x" * HALF, hold=True)
    states = []
    legacy, modern = Legacy(), Modern()
    legacy.faults["tools/call"] = modern.faults["tools/call"] = lambda _: half
    async with serving(legacy) as older, serving(modern) as newer:
        for _ in range(rounds):
            for web in (older, newer):
                await abandon(daemon, {"url": web.url()}, ABANDONED)
                await wait_until_async(lambda web=web: web.held == 0)  # type: ignore[misc]
            process = psutil.Process(daemon.process.pid)
            states.append((process.num_fds(), process.memory_info().rss))
    return states


def check_growth(home: Home, rounds: int) -> None:
    with running(home) as daemon:
        states = asyncio.run(abandoned(daemon, rounds))
        print(states)
        assert states[-1][0] - states[0][0] <= MAX_GROWTH_DESCRIPTORS
        assert states[-1][1] - states[0][1] <= MAX_GROWTH_BYTES


def test_abandoned_calls_leave_nothing(home: Home) -> None:
    """Neither a socket nor what was received of an answer, in both eras."""
    check_growth(home, 2)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thousands_of_abandoned_calls_leave_nothing(home: Home) -> None:
    """The same for thousands."""
    check_growth(home, 40)
