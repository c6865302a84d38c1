"""A session's life: shared starts and listings, timeouts, cancellation, what changes while it lives."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
from contextlib import suppress
from types import AsyncGeneratorType
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.pool.connection_owner import ConnectionOwner
from llm_tools_mcp.daemon.pool.statistics import State
from llm_tools_mcp.daemon.server.connecting import connect
from tests.daemon.live import Live, failure_of, text_of, variant, with_live
from tests.servers import entry, everything_server
from tests.waiting import wait_until_async


def everything(live: Live, **keys: Any) -> Any:
    return live.define({"e": entry(everything_server(), **keys)})


@with_live
async def test_callers_share_one_start(live: Live) -> None:
    """Many calls at once start one process, and all are answered."""
    server = live.faulty("fine")
    pids = await asyncio.gather(*(live.call(server, "pid") for _ in range(50)))
    assert len(set(pids)) == 1
    assert live.session(server).statistics.starts == 1


@with_live
async def test_caller_that_leaves_ends_nothing(live: Live) -> None:
    """Of two who wait for a start, one gives up: the start goes on for the other."""
    server = live.faulty("slow-start", 0.5)
    leaving, staying = (asyncio.create_task(live.call(server, "pid")) for _ in range(2))
    await wait_until_async(live.processes)
    leaving.cancel()
    assert await staying
    assert live.session(server).statistics.starts == 1


@with_live
async def test_cancellation_reaches_the_server(live: Live) -> None:
    """A call that is cancelled is cancelled at the server, and the session goes on."""
    log = live.folder / "cancelled"
    server = everything(live, env={"CANCEL_LOG": str(log)})
    pid = await live.call(server, "pid")
    events: list[Any] = []
    call = asyncio.create_task(live.pool.call(server, "sleep", {"seconds": 1000}, events.append))
    await wait_until_async(lambda: events)
    call.cancel()
    await wait_until_async(log.exists)
    assert log.read_text() == f"{pid} sleep\n"
    assert await live.call(server, "pid") == pid
    assert live.session(server).statistics.errors == 0


@with_live
async def test_timeout_cancels_and_says_so(live: Live) -> None:
    """A call over its `timeout` fails, the server hears of it, and the next call works."""
    log = live.folder / "calls"
    env = {"CALL_LOG": str(log)}
    server, patient = (live.faulty("counting", env=env, timeout=seconds) for seconds in (0.4, 100))
    failure = await failure_of(live.call(server, "count", then="never-answer"))
    assert failure.kind == Kind.TIMED_OUT
    assert "longer than 0.4 s" in failure.text
    assert await live.call(patient, "count", then="answer") == "answer"


@with_live
async def test_progress_extends_the_timeout(live: Live) -> None:
    """A call that reports progress may take longer than its `timeout`; its progress is passed on."""
    server = everything(live, timeout=0.5)
    events: list[v1.Progress] = []
    result = await live.pool.call(server, "sleep", {"seconds": 1.2}, events.append)  # type: ignore[arg-type]
    assert text_of(result) == "slept 1.2 s"
    assert len(events) > 5
    assert events[1].message == "step 1 of 12"


@with_live
async def test_timeout_of_zero_is_none(live: Live) -> None:
    """0 means without limit, for calls and for connecting."""
    server = live.faulty("slow-start", 0.7, timeout=0, connectTimeout=0)
    assert await live.call(server, "echo", text="late") == "late"


@with_live
async def test_log_message_reaches_the_only_caller(live: Live) -> None:
    """A server's log message is passed on where it belongs to one call only, and cannot drive a terminal."""
    server = everything(live)
    seen: list[Any] = []
    await live.pool.call(server, "log", {"level": "warning", "text": "a\x1b[31mb\nc"}, seen.append)
    await wait_until_async(lambda: seen)
    assert (seen[0].level, seen[0].text) == ("warning", "ab c")


@pytest.mark.parametrize("protocol", ["legacy", "modern"])
@with_live
async def test_changed_list_is_noticed(live: Live, protocol: str) -> None:
    """`tools/list_changed` renews the known list, in both eras."""
    server = everything(live, protocol=protocol)
    before = await live.names(server)
    await live.call(server, "add_tool", name="later")
    await wait_until_async(lambda: "later" in live.known(server))
    assert live.known(server) == [*before, "later"]


@with_live
async def test_server_that_always_says_changed_is_not_asked_for_ever(live: Live) -> None:
    """A server that sends `list_changed` whenever it is asked is asked less and less."""
    count = live.folder / "listings"
    body = f"""
    def list_tools(self, params):
        open({str(count)!r}, "a").write(f"{{time.monotonic()}}\\n")
        faulty.write({{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}})
        return super().list_tools(params)
    """
    await live.names(live.define({"eager": variant(body)}))
    await wait_until_async(lambda: len(count.read_text().splitlines()) >= 5)
    asked = [float(line) for line in count.read_text().split()]
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert pauses[-1] > 2 * pauses[0]  # each is twice the one before


@with_live
async def test_listing_is_bounded(live: Live) -> None:
    """A server that does not answer `tools/list` fails the listing after its connectTimeout."""
    body = """
    def handle(self, message):
        if message.get("method") != "tools/list":
            super().handle(message)
    """
    server = live.define({"mute": variant(body) | {"connectTimeout": 0.6}})
    await live.call(live.define({"mute": variant(body)}), "pid")
    assert (await failure_of(live.names(server))).kind == Kind.TIMED_OUT


@with_live
async def test_server_without_tools_lists_none(live: Live) -> None:
    """A server of prompts only is no failure."""
    body = """
    def handle(self, message):
        if message.get("method") == "tools/list":
            self.unknown(message)
        else:
            super().handle(message)
    """
    assert await live.names(live.define({"prompts": variant(body)})) == []


@with_live
async def test_statistics(live: Live) -> None:
    """Calls, errors, starts and latency are counted; a caller that gives up is no error."""
    log = live.folder / "calls"
    server = live.faulty("counting", env={"CALL_LOG": str(log)})
    for then in ("answer", "error", "die-before-answer", "answer"):
        with suppress(ServerFailure):
            await live.call(server, "count", then=then)
    leaving = asyncio.create_task(live.call(server, "count", then="never-answer"))
    await wait_until_async(lambda: len(log.read_text().splitlines()) == 5)
    leaving.cancel()
    await asyncio.wait([leaving])
    statistics = live.session(server).statistics
    assert (statistics.calls, statistics.errors, statistics.starts) == (5, 2, 2)
    assert 0 < statistics.quantile(0.5) <= statistics.quantile(0.95) < 1
    assert live.session(server).state is State.READY


@with_live
async def test_same_server_under_two_names(live: Live) -> None:
    """Two configs that call a server differently share it; each restarts it by its own name."""
    one, other = (live.faulty("fine", name=name) for name in ("one", "other"))
    assert await live.call(one, "pid") == await live.call(other, "pid")
    assert live.pool.restart("third") == 0
    assert live.pool.restart("one") == 1


@with_live
async def test_arguments_pass_as_they_came(live: Live) -> None:
    """Names, types and big integers of the arguments reach the server unchanged."""
    server = live.define({"e": entry(everything_server())})
    arguments = json.loads(
        '{"name": "n", "server_name": "s", "self": "x", "tool": "t", "arguments": "a", "llm_tool_call": "c"}'
    )
    result = await live.pool.call(server, "name_args", arguments, lambda _: None)
    assert text_of(result) == "n|s|x|t|a|c|p"


@with_live
async def test_stop_before_the_start_has_begun(live: Live) -> None:
    """A start that is called off in the same moment leaves nothing, and the next one works."""
    server = live.faulty("fine")
    session = live.pool.sessions.take(server)
    owner = session._connector.start()
    assert session.stop()
    assert (await failure_of(owner.ready)).kind == Kind.STOPPING
    await wait_until_async(lambda: not session.has_owner)
    assert live.processes() == []
    assert await live.call(server, "echo", text="on") == "on"


@with_live
async def test_start_that_fails_leaves_nothing_to_the_collector(live: Live) -> None:
    """Its error is in no circle with the frames of its traceback: of thousands the collector took seconds."""
    servers = [
        live.define({"missing": {"command": "/no/such/command"}}),
        live.define({"brief": {"command": "false"}}),
        live.define({"down": {"url": "http://127.0.0.1:1/mcp"}}),
    ]
    gc.collect()
    gc.disable()
    try:
        for server in servers:
            traceback = ""
            try:  # what pytest catches it keeps, with its frames
                await live.names(server)
            except ServerFailure as failure:
                traceback = failure.to_wire().traceback
            assert "Traceback" in traceback
        sessions = live.pool.sessions.registry.all
        await wait_until_async(lambda: not any(session.has_owner for session in sessions()))
        await wait_until_async(lambda: not list(filter(_is_of_a_start, gc.get_objects())))
    finally:
        gc.enable()


def _is_of_a_start(one: object) -> bool:
    if isinstance(one, AsyncGeneratorType):
        return one.__qualname__ == connect.__qualname__
    return isinstance(one, ConnectionOwner)
