"""Answers over http that other clients understand, in forms that the specification does not have."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import ServerFailure
from llm_tools_mcp.daemon.server.transport import exchange
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import TOOL, Answer, Legacy, Modern, Request, at, reply, serving

TEXT = "hé"  # beyond ASCII
Written = Callable[[dict[str, Any]], tuple[str, bytes]]


def stream(text: Callable[[str], str]) -> Written:
    """An event stream of which this is the text, by that of the message."""
    return lambda message: ("text/event-stream", text(json.dumps(message)).encode())


def body(charset: str) -> Written:
    kind = f"application/json; charset={charset}"
    return lambda message: (kind, json.dumps(message, ensure_ascii=False).encode(charset))


def of_floats(message: dict[str, Any]) -> tuple[str, bytes]:
    return "application/json", json.dumps({**message, "id": float(message["id"])}).encode()


def named(charset: str, kind: str = "application/json") -> Written:
    """UTF-8, whatever it says that it is."""
    form = "data: %s\n\n" if kind == "text/event-stream" else "%s"
    return lambda message: (f"{kind}; charset={charset}", (form % json.dumps(message)).encode())


VARIANTS: dict[str, Written] = {
    "ids that are floats": of_floats,
    "latin-1": body("iso-8859-1"),
    "utf-16": body("utf-16"),
    "no charset": named("nonsense"),
    "one of Python's that takes for ever": named("punycode"),
    "one of Python's that always raises": named("undefined"),
    "a stream in one that makes no text": named("zlib", "text/event-stream"),
    "a stream in one that is raised at": named("idna", "text/event-stream"),
    "a stream that is not in UTF-16": named("utf-16", "text/event-stream"),
    "no event, but JSON": lambda message: ("text/event-stream", json.dumps(message, indent=1).encode()),
    "a byte order mark": stream(lambda text: f"\ufeffdata: {text}\n\n"),
    "no blank line at the end": stream(lambda text: f"data: {text}\n"),
    "no line end at all": stream(lambda text: f"id: 1\ndata: {text}"),
    "carriage returns": stream(lambda text: f"data: {text}\r\r"),
    "events without data": stream(lambda text: f"id: 5\n\ndata\n\nretry: 10\n\n: ping\n\ndata:{text}\n\n"),
    "a word at the end": stream(lambda text: f"data: {text}\n\ndata: [DONE]\n\n"),
}


class Variant(Legacy):
    """Writes each answer in another way."""

    def __init__(self, written: Written) -> None:
        super().__init__()
        self._written = written

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if not answer.body:
            return answer
        message = json.loads(answer.body.replace(b'"hi"', json.dumps(TEXT).encode()))
        kind, content = self._written(message)
        return Answer(200, {**answer.headers, "content-type": kind}, content)


@pytest.mark.parametrize("written", VARIANTS.values(), ids=VARIANTS)
@with_live
async def test_answer_of_another_form_is_read(live: Live, written: Written) -> None:
    """The tools are listed, and what a call says arrives letter by letter."""
    async with serving(Variant(written)) as web:
        server = live.define(at(web.url()))
        assert await live.names(server) == ["echo"]
        assert await live.call(server, "echo") == TEXT
        await live.pool.aclose()


@with_live
async def test_cut_event_is_no_answer(live: Live) -> None:
    """Of an event that ends within its message nothing is believed, and the call may have run."""
    legacy = Legacy()
    cut = b'data: {"jsonrpc": "2.0", "id": 3, "result": {"content": ['
    legacy.faults["tools/call"] = lambda _: Answer(200, {"content-type": "text/event-stream"}, cut)
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        await live.names(server)
        failure = await failure_of(live.call(server, "echo"))
        assert "the stream was closed before the answer" in failure.text
        await live.pool.aclose()


@with_live
async def test_whole_answer_counts_though_more_was_announced(live: Live) -> None:
    """A server that counts its line end twice, and closes the connection."""
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda request: Answer(
        200, {"content-type": "application/json"}, legacy.answer(request).body, drop=True
    )
    async with serving(legacy) as web:
        assert await live.call(live.define(at(web.url())), "echo") == "hi"
        await live.pool.aclose()


@pytest.mark.parametrize("made", [Legacy, Modern])
@with_live
async def test_call_is_not_sent_on_for_input_that_nobody_names(live: Live, made: type[Legacy]) -> None:
    """`input_required` without a question or a state does not say where it goes on: it might run anew."""
    far = made()
    far.faults["tools/call"] = lambda request: reply(request, result={"resultType": "input_required"})
    async with serving(far) as web:
        failure = await failure_of(live.call(live.define(at(web.url())), "echo"))
        assert "does not say for which" in failure.text
        assert len(web.sent("tools/call")) == 1
        await live.pool.aclose()


@with_live
async def test_list_whose_pages_are_all_the_same_ends(live: Live) -> None:
    """A server that does not look at the cursor, and gives another one each time: its tools count once."""
    legacy = Legacy()

    def the_same(request: Request) -> Answer:
        return reply(request, result={"tools": [TOOL], "nextCursor": str(len(web.sent("tools/list")))})

    legacy.faults["tools/list"] = the_same
    async with serving(legacy) as web:
        assert await live.names(live.define(at(web.url()))) == ["echo"]
        await live.pool.aclose()


@with_live
async def test_refusal_without_an_end_is_told(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status has said all that counts: nobody waits for the rest of what it says."""
    monkeypatch.setattr(exchange, "_SAY_SECONDS", 0.1)
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda _: Answer(
        500, {"content-type": "text/plain"}, b"no disk\n", hold=True
    )
    async with serving(legacy) as web:
        failure = await failure_of(live.call(live.define(at(web.url())), "echo"))
        assert "answered HTTP 500: no disk" in failure.text
        await live.pool.aclose()


class Renaming(Legacy):
    """Gives its session another name with each answer, as other clients follow it."""

    def __call__(self, request: Request) -> Answer:
        answer = super().__call__(request)
        if request.method == "POST" and answer.status < 300:
            self.session += 1
            answer.headers["mcp-session-id"] = str(self.session)
        return answer


@with_live
async def test_session_is_called_as_the_server_calls_it(live: Live) -> None:
    """Also where its name changes, with a result or with what acknowledges a notification."""
    async with serving(Renaming()) as web:
        server = live.define(at(web.url()))
        assert await live.names(server) == ["echo"]
        assert [await live.call(server, "echo") for _ in range(3)] == ["hi"] * 3
        assert len(web.sent("initialize")) == 1
        assert all(request.headers["user-agent"].startswith("llm-tools-mcp/") for request in web.requests)
        await live.pool.aclose()


@pytest.mark.parametrize(
    ("location", "place"), [("/mcp/", "/mcp/ (HTTP 301)"), ("http://[", "another place")]
)
@with_live
async def test_redirect_that_is_not_followed_names_the_place(live: Live, location: str, place: str) -> None:
    """301 makes a GET of a POST for some: it is not followed, and the url for the config is told."""
    async with serving(lambda _: Answer(301, {"location": location})) as web:
        failure = await failure_of(live.names(live.define(at(web.url()))))
        assert place in failure.text
        assert ("its `url` in the config" in failure.text) is (location == "/mcp/")


@with_live
async def test_lost_session_says_why_until_the_next_try(live: Live) -> None:
    """A server that knows its sessions no longer at once is quoted, also while it is left alone."""
    legacy = Legacy()
    legacy.faults["tools/list"] = legacy.faults["ping"] = lambda _: Answer(404)
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        failures = [
            await failure_of(live.names(server)),
            *[await failure_of(live.names(server)) for _ in "ab"],
        ]
        assert all("answered HTTP 404" in failure.text for failure in failures), failures
        await live.pool.aclose()


@with_live
async def test_second_answer_to_a_call_is_not_taken_for_that_to_the_next(live: Live) -> None:
    """What is left on a connection belongs to nobody: the next call has its own answer, or may have run."""
    legacy = Legacy()

    def twice(request: Request) -> Answer:
        result = {"content": [{"type": "text", "text": f"of {len(web.sent('tools/call'))}"}]}
        first = reply(request, result=result)
        length = {"content-length": str(len(first.body))}
        again = b"HTTP/1.1 200 OK\r\n%s: %d\r\n\r\n" % (b"content-length", len(first.body))
        return Answer(200, {**first.headers, **length}, first.body + again + first.body)

    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        await live.names(server)
        legacy.faults["tools/call"] = twice
        for number in range(1, 6):
            assert await _told(live.call(server, "echo")) in (f"of {number}", exchange.OF_ANOTHER)
            assert len(web.sent("tools/call")) == number
        await live.pool.aclose()


async def _told(call: Awaitable[str]) -> str:
    try:
        return await call
    except ServerFailure as failure:
        return failure.text
