"""Servers behind sse: what goes wrong, and what must not come of it.

Row 16 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import Kind
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import Answer, Legacy, Request, Web, at, reply, serving
from tests.waiting import wait_until_async


@with_live
async def test_sse_server_stops_and_comes_back(live: Live, serve_http: Any) -> None:
    """The end of the stream is noticed while idle; the next call connects anew."""
    first = serve_http("sse")
    server = live.define(at(first.url))
    assert await live.call(server, "echo", text="one") == "one"
    first.stop()
    await wait_until_async(lambda: not live.is_ready(server))
    serve_http("sse", port=first.port)
    assert await live.call(server, "echo", text="two") == "two"
    await live.pool.aclose()


@pytest.mark.parametrize(("status", "kind"), [(500, Kind.OUTCOME_UNKNOWN), (403, Kind.OUTCOME_UNKNOWN)])
@with_live
async def test_sse_message_that_is_refused_fails_its_call(live: Live, status: int, kind: Any) -> None:
    """A POST that fails costs its call, at once, and no other."""
    async with serving_sse(status) as web:
        server = live.define(at(web.url("/sse")))
        await live.names(server)
        failure = await failure_of(live.call(server, "echo", fail=True))
        assert failure.kind == kind
        assert f"HTTP {status}" in failure.text
        assert await live.call(server, "echo") == "hi"
        await live.pool.aclose()


@with_live
async def test_message_is_sent_on_within_the_origin(live: Live) -> None:
    """A POST that is redirected there arrives, but for a call: whoever answers that may have run it."""
    moved = Answer(307, {"location": "/moved"})
    async with serving_sse(307, moved, also=lambda request: request.path == "/messages") as web:
        server = live.define(at(web.url("/sse")))
        assert await live.names(server) == ["echo"]
        assert {request.path for request in web.requests if request.rpc == "tools/list"} == {
            "/messages",
            "/moved",
        }
        assert "redirects" in (await failure_of(live.call(server, "echo"))).text
        assert len(web.sent("tools/call")) == 1
        await live.pool.aclose()


@with_live
async def test_refusal_without_an_end_is_told_by_its_beginning(live: Live) -> None:
    """Of a message, and of the stream of events: nobody waits for the rest, nor holds it in memory."""
    endless = Answer(500, {"content-type": "text/plain"}, b"no room\n" * 10_000, hold=True)
    async with serving_sse(500, endless) as web, serving(lambda _: endless) as shut:
        server = live.define(at(web.url("/sse")))
        await live.names(server)
        assert "HTTP 500: no room" in (await failure_of(live.call(server, "echo", fail=True))).text
        assert await live.call(server, "echo") == "hi"
        assert "HTTP 500: no room" in (await failure_of(live.names(live.define(at(shut.url("/sse")))))).text
        await live.pool.aclose()


@with_live
async def test_sse_endpoint_elsewhere_is_refused(live: Live) -> None:
    """Messages, with their headers, go to the origin of the config only."""
    events = {"content-type": "text/event-stream"}
    async with serving(
        lambda _: Answer(200, events, b"event: endpoint\ndata: http://127.0.0.1:1/x\n\n")
    ) as web:
        failure = await failure_of(live.names(live.define(at(web.url("/sse")))))
        assert "another origin" in failure.text


@asynccontextmanager
async def serving_sse(
    status: int, refusal: Answer | None = None, also: Callable[[Request], bool] = lambda _: False
) -> AsyncIterator[Web]:
    """A legacy sse server: answers come as events; a call with arguments is refused with `status`, and what
    else `also` says.
    """
    legacy = Legacy()

    def handle(request: Request) -> Answer:
        if request.method == "GET":
            headers = {"content-type": "text/event-stream", "content-length": "9999999"}
            return Answer(200, headers, b"event: endpoint\ndata: /messages\n\n")
        has_arguments = request.rpc == "tools/call" and request.message["params"]["arguments"]
        if has_arguments or also(request):
            return refusal or Answer(status)
        if "id" in request.message:
            for writer in web._writers:
                writer.write(b"event: message\ndata: " + legacy.answer(request).body + b"\n\n")
        return Answer(202)

    async with serving(handle) as web:
        yield web


PLAIN = {"content-type": "text/plain"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(405), "HTTP 405"),
        (
            Answer(200, {"content-type": "text/html"}, b"<title>Home</title>"),
            "HTTP 200 without a result: Home",
        ),
        (
            Answer(200, PLAIN, b"event: endpoint\ndata: /x\n\n", hold=True),
            "without a result: event: endpoint",
        ),
    ],
    ids=["newer transport", "page", "stream of another type"],
)
@with_live
async def test_url_without_a_stream_says_what_there_is(live: Live, answer: Answer, words: str) -> None:
    """Also where it has no end; and how the newer transport is asked for, since the url's /sse decides."""
    async with serving(lambda _: answer) as web:
        failure = await failure_of(live.names(live.define(at(web.url("/sse")))))
        assert words in failure.text
        assert '"type": "http"' in failure.text


@with_live
async def test_error_in_the_place_of_an_acknowledgement_is_told(live: Live) -> None:
    """Some servers answer a message that they cannot take in the body of its POST alone."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": -32602, "message": "bad arguments"}}
    async with serving_sse(200, Answer.json(body)) as web:
        server = live.define(at(web.url("/sse")))
        assert await live.names(server) == ["echo"]
        assert "bad arguments" in (await failure_of(live.call(server, "echo", fail=True))).text
        assert await live.call(server, "echo") == "hi"
        await live.pool.aclose()


def test_web_is_json() -> None:
    """The hand-made server says JSON-RPC."""
    assert json.loads(reply(Request("POST", "/", {}, b'{"id": 1}'), result={}).body)["id"] == 1
