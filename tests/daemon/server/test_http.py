"""Servers behind http: what goes wrong, and what must not come of it.

Row 16 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llm_tools_mcp.cli.running_daemon import server_state
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.front.status import server_status
from llm_tools_mcp.daemon.pool.statistics import State
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import Answer, Legacy, Request, Web, at, reply, serving
from tests.waiting import wait_until_async

# --- restarts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forgotten",
    [
        Answer(404),
        Answer.json(
            {
                "jsonrpc": "2.0",
                "id": None,
                "error": {"code": -32000, "message": "No valid session ID"},
            },
            400,
        ),
        Answer.json(
            {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "Server not initialized"}},
            400,
        ),
    ],
    ids=["404", "400 of node", "400 uninitialized"],
)
@with_live
async def test_restarted_server_is_initialized_again(live: Live, forgotten: Answer) -> None:
    """A restarted legacy server refuses the session for ever: it gets a new one, the call runs once."""
    legacy = Legacy()
    legacy.unknown_session = lambda: forgotten
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        assert await live.call(server, "echo") == "hi"
        legacy.session += 1
        assert await live.call(server, "echo") == "hi"
        assert len(web.sent("initialize")) == 2
        await live.pool.aclose()


@with_live
async def test_restarted_real_servers(live: Live, serve_http: Any) -> None:
    """The SDK's own servers, modern and legacy, are restarted between two calls: both succeed."""
    first = serve_http("http")
    servers = [live.define(at(first.url, protocol=protocol)) for protocol in ("auto", "legacy")]
    for server in servers:
        assert await live.call(server, "echo", text="one") == "one"
    first.stop()
    serve_http("http", port=first.port)
    for server in servers:
        assert await live.call(server, "echo", text="two") == "two"
    await live.call(servers[0], "add_tool", name="later")
    await wait_until_async(lambda: "later" in live.known(servers[0]), what="subscribed again")
    await live.pool.aclose()


@with_live
async def test_idle_loss_is_noticed_by_a_ping(live: Live) -> None:
    """A session that the server forgot is given up while idle; a server without `ping` is not."""
    legacy = Legacy()
    legacy.faults["ping"] = lambda request: reply(request, error={"code": -32601, "message": "no ping"})
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        await live.call(server, "echo")
        connection = live.session(server).connection
        assert connection is not None
        await connection.ping()
        assert live.session(server).state is State.READY
        legacy.session += 1
        await connection.ping()
        assert live.session(server).state is not State.READY
        await live.pool.aclose()


# --- failures of one request ----------------------------------------------------------------------


@with_live
async def test_server_that_is_down_is_told_at_once(live: Live) -> None:
    """Nothing listens: the failure names the url, without its secrets, and another call is tried later."""
    web = Web(Legacy())
    await web.start()
    await web.stop()
    server = live.define(at(web.url("/mcp?key=sk-secret")))
    failure = await failure_of(live.names(server))
    assert failure.kind == Kind.START_FAILED
    assert f"{web.url()} cannot be reached" in failure.text
    assert "sk-secret" not in str(failure.to_wire())


@with_live
async def test_wrong_path_says_so(live: Live) -> None:
    """A url where there is no MCP server is named with the status that it answered."""
    async with serving(lambda _: Answer(404)) as web:
        failure = await failure_of(live.names(live.define(at(web.url("/nowhere")))))
        assert failure.text == f"{web.url('/nowhere')} answered HTTP 404"


@with_live
async def test_server_that_goes_away_for_a_while(live: Live) -> None:
    """Calls meanwhile certainly did not run; they and its status say so, and the session goes on after it."""
    async with serving(Legacy()) as web:
        server = live.define(at(web.url()))
        await live.call(server, "echo")
        await web.stop()
        failure = await failure_of(live.call(server, "echo"))
        assert failure.kind == Kind.START_FAILED
        assert "cannot be reached" in failure.text
        status = server_status(live.session(server), login="", memory=0)
        assert (server_state(status), status.last_error) == ("failed", failure.text)
        await web.start()
        assert await live.call(server, "echo") == "hi"
        status = server_status(live.session(server), login="", memory=0)
        assert (server_state(status), status.last_error) == ("ready", "")
        assert len(web.sent("initialize")) == 1
        await live.pool.aclose()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(500), Kind.OUTCOME_UNKNOWN, "answered HTTP 500"),
        (Answer(503, {}, b"<html>busy</html>"), Kind.OUTCOME_UNKNOWN, "answered HTTP 503"),
        (Answer(401, {"www-authenticate": "Bearer"}), Kind.NEEDS_LOGIN, "llm mcp login web"),
        (
            Answer(200, {"content-type": "application/json"}, b'{"jsonrpc', drop=True),
            Kind.OUTCOME_UNKNOWN,
            "broke",
        ),
        (
            Answer(200, {"content-type": "text/event-stream"}, b"event: message\ndata: {", drop=True),
            Kind.OUTCOME_UNKNOWN,
            "closed",
        ),
        (Answer(200, {"content-type": "text/html"}, b"<h1>Hi"), Kind.OUTCOME_UNKNOWN, "without a result: Hi"),
        (
            Answer(200, {"content-type": "application/json"}, b"{}"),
            Kind.OUTCOME_UNKNOWN,
            "not follow the protocol",
        ),
        (Answer(302, {"location": "http://127.0.0.1:1/"}), Kind.OUTCOME_UNKNOWN, "redirects"),
        (Answer(202), Kind.OUTCOME_UNKNOWN, "HTTP 202 without a result"),
    ],
    ids=["500", "503", "401", "cut json", "cut events", "html", "no message", "redirect", "202"],
)
@with_live
async def test_a_failed_request_costs_itself_only(live: Live, answer: Answer, kind: Any, words: str) -> None:
    """One call fails, once, with its reason. A call beside it, and the session, go on."""
    legacy = Legacy()
    release = asyncio.Event()

    def call(request: Request) -> Answer:
        if request.message["params"]["arguments"]:
            return answer
        release.set()
        return legacy.answer(request)

    legacy.faults["tools/call"] = call
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        beside = asyncio.create_task(live.call(server, "echo"))
        failure = await failure_of(live.call(server, "echo", fail=True))
        assert failure.kind == kind
        assert words in failure.text
        assert await beside == "hi"
        assert await live.call(server, "echo") == "hi"
        assert len(web.sent("initialize")) == 1
        assert len(web.sent("tools/call")) == 3
        await live.pool.aclose()


@with_live
async def test_half_a_character_costs_only_itself(live: Live) -> None:
    """A lone surrogate in a JSON answer is replaced; the rest arrives."""
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda request: Answer.json(
        {
            "jsonrpc": "2.0",
            "id": request.message["id"],
            "result": {"content": [{"type": "text", "text": "\ud83d!"}]},
        }
    )
    async with serving(legacy) as web:
        assert await live.call(live.define(at(web.url())), "echo") == "\ufffd!"
        await live.pool.aclose()


@with_live
async def test_reset_before_the_answer_is_not_repeated(live: Live) -> None:
    """The connection is cut after the call was sent: its outcome is unknown, and it was sent once."""
    legacy = Legacy()

    async with serving(legacy) as web:

        def cut(_request: Request) -> Answer:
            for writer in web._writers:
                writer.transport.abort()
            return Answer(drop=True)

        legacy.faults["tools/call"] = cut
        server = live.define(at(web.url()))
        await live.names(server)
        failure = await failure_of(live.call(server, "echo"))
        assert failure.kind == Kind.OUTCOME_UNKNOWN
        assert len(web.sent("tools/call")) == 1
        await live.pool.aclose()


@with_live
async def test_error_of_the_protocol_passes_as_it_came(live: Live) -> None:
    """A JSON-RPC error keeps its text; its claim that a call did not run is not believed."""
    legacy = Legacy()
    error = {"code": -32000, "message": "out of \x1b[31mquota\x1b[0m", "data": "0123456789abcdef not-sent"}
    legacy.faults["tools/call"] = lambda request: reply(request, 400, error=error)
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        failure = await failure_of(live.call(server, "echo"))
        assert (failure.kind, failure.text) == (Kind.REJECTED, "out of quota")
        assert len(web.sent("tools/call")) == 1
        await live.pool.aclose()


@with_live
async def test_server_that_hangs_on_notifications(live: Live, monkeypatch: Any) -> None:
    """The cancellation of a call is never acknowledged: calls after it are sent all the same."""
    monkeypatch.setattr("llm_tools_mcp.daemon.server.transport.http._NOTIFY_SECONDS", 0.3)
    legacy = Legacy()
    legacy.faults["notifications/cancelled"] = lambda _: Answer(hold=True)
    legacy.faults["tools/call"] = lambda _: Answer(hold=True)
    async with serving(legacy) as web:
        server = live.define(at(web.url(), timeout=0.3))
        await live.names(server)
        assert (await failure_of(live.call(server, "echo"))).kind == Kind.TIMED_OUT
        await wait_until_async(lambda: web.sent("notifications/cancelled"))
        del legacy.faults["tools/call"]
        again = live.define(at(web.url(), timeout=100))
        assert await live.call(again, "echo") == "hi"
        await live.pool.aclose()


@with_live
async def test_server_that_hangs_does_not_hold_up_the_end(live: Live) -> None:
    """Taking leave of a session is bounded."""
    legacy = Legacy()
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        await live.call(server, "echo")
        web.handler = lambda _: Answer(hold=True)
        await live.pool.aclose()
        assert "DELETE" in [request.method for request in web.requests]


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["http", "sse"])
@with_live
async def test_events_over_a_megabyte(live: Live, serve_http: Any, kind: str) -> None:
    """Results far over the SDK's bound of 1 MiB an event arrive, over legacy http and sse."""
    server = live.define(at(serve_http(kind).url, protocol="legacy"))
    assert len(await live.call(server, "big", size=5_000_000)) == 5_000_000
    await live.pool.aclose()


@with_live
async def test_many_calls_at_once(live: Live) -> None:
    """More calls than the usual hundred connections of an HTTP client do not wait for each other."""
    legacy = Legacy()
    waiting: list[Request] = []
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        await live.names(server)
        legacy.faults["tools/call"] = lambda r: waiting.append(r) or Answer(hold=True)  # type: ignore[func-returns-value]
        calls = [asyncio.create_task(live.call(server, "echo")) for _ in range(150)]
        await wait_until_async(lambda: len(waiting) == 150)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await live.pool.aclose()


@with_live
async def test_header_of_other_letters_costs_nothing(live: Live) -> None:
    """A response header that is not ASCII is passed on as it is."""
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda request: _with_note(legacy.answer(request))
    async with serving(legacy) as web:
        assert await live.call(live.define(at(web.url())), "echo") == "hi"
        await live.pool.aclose()


def _with_note(answer: Answer) -> Answer:
    answer.headers["x-note"] = "Café"
    return answer
