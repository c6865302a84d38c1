"""A call over http runs once, and what comes of it arrives: lost sessions, gateways, abandoned calls."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.pool.statistics import State
from llm_tools_mcp.daemon.server.transport import exchange, http
from llm_tools_mcp.daemon.server.transport.event_filter import Sieve
from llm_tools_mcp.daemon.server.transport.messages import MAX_UNASKED
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import Answer, Legacy, Modern, Request, at, events, reply, serving
from tests.waiting import SOON, wait_until_async

HTML = {"content-type": "text/html"}


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": -32000, "message": message}, **more}


def accepted(_: Request) -> Answer:
    note = {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": 1, "progress": 1},
    }
    return events(note)


# What a gateway, or the server itself, says after the call has run.
AFTERWARDS = {
    "404 page": lambda _: Answer(404, HTML, b"<html><body><h1>404 page not found</h1>"),
    "404 text": lambda _: Answer(404, {}, b"404 page not found"),
    "404 of MCP": lambda _: Answer.json(error("Session not found", id=None), 404),
    "affinity": lambda _: Answer(400, {}, b"invalid session affinity cookie"),
    "moved": lambda _: Answer(307, {"location": "/mcp"}),
    "moved elsewhere": lambda _: Answer(307, {"location": "/other"}),
    "empty": lambda _: Answer(200),
    "page": lambda _: Answer(200, HTML, b"<title>Please log in</title>"),
    "202": lambda _: Answer(202),
    "401": lambda _: Answer(401),
    "408": lambda _: Answer(408),
    "421": lambda _: Answer(421),
    "429": lambda _: Answer(429, {"retry-after": "1"}, b"slow down"),
    "502": lambda _: Answer.json({"message": "upstream"}, 502),
    "500 of MCP": lambda _: Answer.json(error("Internal server error", id=None), 500),
    "accepted": accepted,
}


@pytest.mark.parametrize("made", [Legacy, Modern])
@pytest.mark.parametrize("answer", AFTERWARDS.values(), ids=AFTERWARDS)
@with_live
async def test_call_that_may_have_run_is_told_so_and_not_repeated(live: Live, answer: Any, made: Any) -> None:
    """Whatever is answered instead of a result: one POST, "outcome unknown", and the next call works."""
    server = made()
    server.faults["tools/call"] = answer
    async with serving(server) as web:
        definition = live.define(at(web.url()))
        failure = await failure_of(live.call(definition, "echo"))
        assert (failure.kind, len(web.sent("tools/call"))) == (Kind.OUTCOME_UNKNOWN, 1), failure
        del server.faults["tools/call"]
        assert await live.call(definition, "echo") == "hi"
        await live.pool.aclose()


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@with_live
async def test_answer_is_the_answer_whatever_its_status(live: Live, status: int) -> None:
    """An error for the request's id is the server's word, however much it speaks of sessions."""
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda request: Answer.json(
        error("the bank session expired", id=request.message["id"]), status
    )
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        failure = await failure_of(live.call(server, "echo"))
        assert (failure.kind, failure.text) == (Kind.REJECTED, "the bank session expired")
        assert len(web.sent("tools/call")) == 1
        legacy.faults["tools/call"] = lambda request: reply(
            request, status, result={"content": [{"type": "text", "text": "all the same"}]}
        )
        assert await live.call(server, "echo") == "all the same"
        assert len(web.sent("initialize")) == 1
        await live.pool.aclose()


# --- lost sessions --------------------------------------------------------------------------------


UNKNOWN = {
    "401": lambda _: Answer(401, {}, b"Unauthorized: there is no such session"),
    "403": lambda _: Answer(403),
    "404 text": lambda _: Answer(404, {}, b"session not found\n"),
    "409": lambda _: Answer.json({"error": "stale"}, 409),
    "410": lambda _: Answer(410, HTML, b"<h1>Gone</h1>"),
    "422": lambda _: Answer.json({"detail": "bad session"}, 422),
    "500": lambda _: Answer(500),
    "503": lambda _: Answer(503),
    "200": lambda request: Answer.json(error("Server not initialized", id=request.message.get("id"))),
    "200 of null": lambda _: Answer.json(error("Invalid session", id=None)),
}


@pytest.mark.parametrize("forgotten", UNKNOWN.values(), ids=UNKNOWN)
@with_live
async def test_session_lost_in_any_words_is_renewed(live: Live, forgotten: Any) -> None:
    """After a restart the second call works at the latest, and none has run twice."""
    legacy = Legacy()
    ran = 0

    def serve(request: Request) -> Answer:
        nonlocal ran
        is_known = request.headers.get("mcp-session-id") == str(legacy.session)
        if request.method == "POST" and not is_known and request.rpc not in ("initialize", "server/discover"):
            return forgotten(request)
        ran += request.rpc == "tools/call"
        return legacy(request)

    async with serving(serve) as web:
        server = live.define(at(web.url()))
        assert await live.call(server, "echo") == "hi"
        legacy.session += 1
        first = await asyncio.gather(live.call(server, "echo"), return_exceptions=True)
        assert await live.call(server, "echo") == "hi"
        assert ran == 2 + (first == ["hi"])
        assert len(web.sent("initialize")) == 2
        await live.pool.aclose()


@with_live
async def test_lost_session_lets_other_calls_end(live: Live) -> None:
    """A call under way on the old session is answered, while the next one gets a new session."""
    legacy = Legacy()
    release = asyncio.Event()
    legacy.unknown_session = lambda: Answer(404)
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        legacy.faults["tools/call"] = lambda _: Answer(
            200, {"content-type": "text/event-stream"}, b": wait\n\n", hold=True
        )
        slow = asyncio.create_task(live.call(server, "echo", slow=True))
        await wait_until_async(lambda: web.held)
        message = web.sent("tools/call")[0].message
        del legacy.faults["tools/call"]
        legacy.session += 1
        assert await live.call(server, "echo") == "hi"
        assert not slow.done()
        result = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": "late"}}
        for writer in web._writers:
            writer.write(b"data: " + json.dumps(result).encode() + b"\n\n")
        assert await slow == "late"
        release.set()
        await wait_until_async(lambda: live.session(server).state is State.READY)
        await live.pool.aclose()


# --- callers that are gone ------------------------------------------------------------------------


@pytest.mark.parametrize("made", [Legacy, Modern])
@pytest.mark.parametrize("body", [b"", b": so far\n\n"], ids=["no answer", "half a stream"])
@with_live
async def test_abandoned_call_is_closed(live: Live, body: bytes, made: Any, monkeypatch: Any) -> None:
    """Timed out or cancelled: its socket is closed, in both eras; the older one is told, too."""
    monkeypatch.setattr(http, "_CANCEL_SECONDS", SOON)  # a busy machine takes its time to tell the server
    server = made()
    server.faults["tools/call"] = lambda _: Answer(
        200, {"content-type": "text/event-stream"}, body, hold=True
    )
    async with serving(server) as web:
        definition = live.define(at(web.url()))
        await live.names(definition)
        calls = [asyncio.create_task(live.call(definition, "echo")) for _ in range(4)]
        await wait_until_async(lambda: web.held == 4)
        for call in calls:
            call.cancel()
        await failure_of(live.call(live.define(at(web.url(), timeout=0.1)), "echo"))
        await wait_until_async(lambda: web.held == 0)
        told = web.sent("notifications/cancelled")
        assert len(told) == (len(web.sent("tools/call")) if made is Legacy else 0)
        del server.faults["tools/call"]
        assert await live.call(definition, "echo") == "hi"
        await live.pool.aclose()


# --- answers that are not quite one ---------------------------------------------------------------


def no_id(_: Request) -> Answer:
    return Answer.json(error("there is no user Ada"))


def event_called_error(request: Request) -> Answer:
    return events(error("there is no user Ada", id=request.message["id"]), kind="error")


def event_of_text(_: Request) -> Answer:
    return events("there is no user Ada", kind="error", hold=True)


def with_a_mark(_: Request) -> Answer:
    return Answer(200, {}, b"\xef\xbb\xbf" + json.dumps(error("there is no user Ada", id=None)).encode())


@pytest.mark.parametrize("answer", [no_id, event_called_error, event_of_text, with_a_mark])
@with_live
async def test_odd_errors_are_shown_at_once(live: Live, answer: Any) -> None:
    """An error without an id, in an event of its own name, as a text, behind a BOM."""
    legacy = Legacy()
    legacy.faults["tools/call"] = answer
    async with serving(legacy) as web:
        failure = await asyncio.wait_for(failure_of(live.call(live.define(at(web.url())), "echo")), 5)
        assert "there is no user Ada" in failure.text
        await live.pool.aclose()


ODD = [
    {"jsonrpc": "2.0", "method": "notifications/x-progress", "params": []},
    {"jsonrpc": "2.0", "method": 5},
    {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": 1, "progress": 10**400},
    },
    {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "x", "data": "\ud800"}},
]


@with_live
async def test_unreadable_messages_cost_nothing(live: Live) -> None:
    """Notifications that are none, before the answer; the answer in a list, and without an id."""
    legacy = Legacy()
    result = {"jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": "found"}]}}
    legacy.faults["tools/call"] = lambda _: events(*ODD, [result])
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        assert await live.call(server, "echo") == "found"
        legacy.faults["tools/call"] = lambda _: Answer.json([*ODD, result])
        assert await live.call(server, "echo") == "found"
        await live.pool.aclose()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_what_nobody_has_asked_for_is_not_kept(line_end: str) -> None:
    """Of a notification of 40 MB little more than the bound is passed on; what surrounds it whole."""
    note = '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"'
    answer = '{"jsonrpc":"2.0","id":1,"result":"' + "x" * 3_000_000 + '"}'
    folded = ["data: {", 'data: "jsonrpc": "2.0",', 'data: "method": "x",', *["data: " + "y" * 99] * 40_000]
    lines = ["id: 1", f"data: {answer}", "", *folded, ""]
    text = line_end.join([*lines, f"data: {note}" + "z" * 40_000_000, "", f"data: {answer}", "", ""])
    sieve = Sieve()
    passed = [sieve.passed(text[begin : begin + 65_521]) for begin in range(0, len(text), 65_521)]
    events = "".join(passed).split("\n\n")
    assert f"id: 1\ndata: {answer}" in events
    assert f"data: {answer}" in events
    assert sum(map(len, passed)) < 2 * len(answer) + 3 * MAX_UNASKED + 500_000


@pytest.mark.parametrize("kind", ["stream", "body"])
@with_live
async def test_large_notification_over_http(live: Live, kind: str) -> None:
    """In a stream it is skipped as it is read, which the log says, and the answer behind it arrives; as the
    whole answer of a call it leaves the outcome unknown.
    """
    legacy = Legacy()
    note = {
        "jsonrpc": "2.0",
        "method": "notifications/message",
        "params": {"level": "info", "data": "x" * 5_000_000},
    }
    legacy.faults["tools/call"] = lambda request: (
        Answer.json(note)
        if kind == "body"
        else events(note, {"jsonrpc": "2.0", "id": request.message["id"], "result": {"content": []}})
    )
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        if kind == "body":
            assert (await failure_of(live.call(server, "echo"))).kind == Kind.OUTCOME_UNKNOWN
        else:
            assert await live.call(server, "echo") == ""
            (line,) = [line for line in live.logged["web"] if "nobody has asked for" in line]
            size = int(line.split(" of ")[1].split()[0])
            assert MAX_UNASKED < size < 2 * MAX_UNASKED
        await live.pool.aclose()


@with_live
async def test_stream_that_ends_is_resumed(live: Live, monkeypatch: Any) -> None:
    """A server that closes a call's stream to save connections is asked for the rest (SEP-1699)."""
    monkeypatch.setattr(exchange, "_AGAIN_SECONDS", 0.01)
    legacy = Legacy()
    begun = b"id: 7\nretry: 10\ndata:\n\n"
    streams = {"content-type": "text/event-stream"}
    legacy.faults["tools/call"] = lambda _: Answer(200, streams, begun)

    def serve(request: Request) -> Answer:
        if request.method != "GET" or "last-event-id" not in request.headers:
            return legacy(request)
        message = web.sent("tools/call")[0].message
        result = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": "resumed"}}
        return events(result) if request.headers["last-event-id"] == "7" else Answer(400)

    async with serving(serve) as web:
        assert await live.call(live.define(at(web.url())), "echo") == "resumed"
        await live.pool.aclose()


@with_live
async def test_pause_of_any_number_of_digits(live: Live) -> None:
    """A stream that shall be resumed after a time that no clock can count costs nobody the connection."""
    legacy = Legacy()
    pause = f"id: 7\nretry: {10**400}\ndata:\n\n".encode()

    def answered(request: Request) -> Answer:
        answer = events({"jsonrpc": "2.0", "id": request.message["id"], "result": {"content": "hi"}})
        return Answer(200, answer.headers, pause + answer.body)

    legacy.faults["tools/call"] = answered
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        for _ in range(2):
            assert await live.call(server, "echo") == "hi"
        assert len(web.sent("initialize")) == 1
        await live.pool.aclose()


@with_live
async def test_stream_that_ends_at_once_is_asked_for_more_and_more_seldom(
    live: Live, monkeypatch: Any
) -> None:
    """The stream of a session, which some servers end whenever it is opened."""
    monkeypatch.setattr(http, "_AGAIN_SECONDS", 0.01)
    pauses: list[float] = []
    sleep = http.anyio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(http.anyio, "sleep", noted)
    legacy = Legacy()
    ended = Answer(200, {"content-type": "text/event-stream"}, b": hello\n\n")
    async with serving(lambda request: ended if request.method == "GET" else legacy(request)) as web:
        await live.names(live.define(at(web.url())))
        await wait_until_async(lambda: 0.16 in pauses)
        assert sorted(pauses)[:5] == [0.01, 0.02, 0.04, 0.08, 0.16]
        await live.pool.aclose()


# --- headers of arguments (SEP-2243) --------------------------------------------------------------


def with_header(name: str, token: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": token}}}
    return {"name": name, "description": "", "inputSchema": schema}


@with_live
async def test_first_call_of_a_connection_has_its_headers(live: Live) -> None:
    """The list is known from the cache: it is asked for before the call all the same, which needs it."""
    modern = Modern()
    modern.tools = [with_header("query", "Region")]
    async with serving(modern) as web:
        server = live.define(at(web.url()))
        await live.names(server)
        live.pool.restart("web")
        await live.call(server, "query", region="eu")
        assert web.sent("tools/call")[0].headers["mcp-param-region"] == "eu"
        await live.pool.aclose()


@with_live
async def test_missed_header_is_sent_after_a_new_listing(live: Live) -> None:
    """HEADER_MISMATCH: the server did not run it; with the headers of its new list it does, once."""
    modern = Modern()
    async with serving(modern) as web:
        server = live.define(at(web.url()))
        await live.names(server)
        modern.tools = [with_header("echo", "Region")]

        def strict(request: Request) -> Answer:
            if "mcp-param-region" not in request.headers:
                mismatch = {"code": -32020, "message": "Mcp-Param-Region is missing"}
                return reply(request, 400, error=mismatch)
            return modern.answer(request)

        modern.faults["tools/call"] = strict
        assert await live.call(server, "echo", region="eu") == "hi"
        assert len(web.sent("tools/call")) == 2
        await live.pool.aclose()


@with_live
async def test_tool_of_an_invalid_header_is_left_out(live: Live) -> None:
    """Also on a page with another faulty tool; the log says why."""
    modern = Modern()
    modern.tools = [with_header("good", "Region"), with_header("bad", "not a token"), {"name": 5}]
    async with serving(modern) as web:
        assert await live.names(live.define(at(web.url()))) == ["good"]
        assert any("'bad' is left out: its x-mcp-header" in line for line in live.logged["web"])
        await live.pool.aclose()
