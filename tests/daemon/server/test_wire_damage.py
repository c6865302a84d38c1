"""Answers that are damaged: what can be read arrives, what cannot fails its call at once, and only that."""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.server.transport import messages
from llm_tools_mcp.daemon.server.transport.link import Link
from tests.daemon.live import Live, failure_of, variant, with_live
from tests.daemon.stack import in_loop
from tests.daemon.web import Answer, Legacy, Request, Web, serving

EVENTS = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}

Call = Callable[[], Awaitable[str]]

TEXT = '{"content":[{"type":"text","text":"%s"}]}'
DEEP = '{"content":[],"structuredContent":{"a":' + "[" * 20_000 + "]" * 20_000 + "}}"
LONG = '{"content":[],"structuredContent":{"a":' + "9" * 5_000 + "}}"


def id_first(result: str) -> bytes:
    """As Python's SDK writes an answer."""
    return f'{{"jsonrpc":"2.0","id":$ID,"result":{result}}}'.encode()


def id_last(result: str) -> bytes:
    """As the SDK for node does."""
    return f'{{"result":{result},"jsonrpc":"2.0","id":$ID}}'.encode()


# --- the ways that an answer comes ------------------------------------------------------------------


@asynccontextmanager
async def over_stdio(live: Live, answer: bytes) -> AsyncIterator[tuple[Call, Call]]:
    path = live.folder / "answer"
    path.write_bytes(answer)
    server = live.faulty("raw")
    yield (
        lambda: live.call(server, "raw", path=str(path)),
        lambda: live.call(server, "echo", text="hi"),
    )


def over_http(form: Callable[[bytes], Answer]) -> Callable[..., Any]:
    @asynccontextmanager
    async def over(live: Live, answer: bytes) -> AsyncIterator[tuple[Call, Call]]:
        legacy = Legacy()
        legacy.faults["tools/call"] = lambda request: (
            form(with_id(answer, request)) if is_damaged(request) else legacy.answer(request)
        )
        async with serving(legacy) as web:
            yield calls(live, web, "/mcp")
            assert len(web.sent("initialize")) == 1
            await live.pool.aclose()

    return over


@asynccontextmanager
async def over_sse(live: Live, answer: bytes) -> AsyncIterator[tuple[Call, Call]]:
    legacy = Legacy()

    def handle(request: Request) -> Answer:
        if request.method == "GET":
            return Answer(200, {**EVENTS, "content-length": "9999999"}, b"event: endpoint\ndata: /post\n\n")
        if "id" in request.message:
            message = with_id(answer, request) if is_damaged(request) else legacy.answer(request).body
            for writer in web._writers:
                writer.write(event(message))
        return Answer(202)

    async with serving(handle) as web:
        yield calls(live, web, "/sse")
        await live.pool.aclose()


def calls(live: Live, web: Web, path: str) -> tuple[Call, Call]:
    server = live.define({"web": {"url": web.url(path)}})
    return lambda: live.call(server, "echo", damaged=True), lambda: live.call(server, "echo")


def is_damaged(request: Request) -> bool:
    return request.rpc == "tools/call" and bool(request.message["params"]["arguments"])


def with_id(answer: bytes, request: Request) -> bytes:
    return answer.replace(b"$ID", str(request.message["id"]).encode())


def event(message: bytes) -> bytes:
    return b"event: message\ndata: " + message + b"\n\n"


WAYS = {
    "stdio": over_stdio,
    "json": over_http(lambda answer: Answer(200, JSON, answer)),
    "events": over_http(lambda answer: Answer(200, EVENTS, event(answer))),
    "zipped events": over_http(
        lambda answer: Answer(200, {**EVENTS, "content-encoding": "gzip"}, gzip.compress(event(answer)))
    ),
    "sse": over_sse,
}
each_way = pytest.mark.parametrize("way", WAYS)


# --- answers that can be read -----------------------------------------------------------------------


@with_live
async def test_messages_without_a_line_end(live: Live) -> None:
    """A server that never ends a line is read: nothing more can belong to an object that is whole."""
    body = """
    def answer(self, message, result):
        text = faulty.json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
        faulty.write_bytes(text.encode())
    """
    server = live.define({"endless": variant(body)})
    assert await live.names(server) == ["echo", "pid"]
    assert await live.call(server, "echo", text="{}}") == "{}}"


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (rb"\ud83d!", "\ufffd!"),
        (rb"\ude00!", "\ufffd!"),
        (rb"\ud83d\ude00\ud83d", "\U0001f600\ufffd"),
        (rb"\\ud83d \\\ud83d", "\\ud83d \\\ufffd"),
        (b"caf\xe9", "caf\ufffd"),
    ],
    ids=["high half", "low half", "pair and half", "backslashes", "latin-1"],
)
@each_way
@with_live
async def test_half_characters_are_replaced(live: Live, way: str, sent: bytes, arrives: str) -> None:
    """Half a character, or a byte that is no UTF-8, costs only itself: the rest of the answer arrives."""
    async with WAYS[way](live, id_first(TEXT).replace(b"%s", sent)) as (damaged, _):
        assert await damaged() == arrives


ANSWER = id_first(TEXT)


@pytest.mark.parametrize(
    "sent",
    [
        ANSWER + b" done in 3 ms",
        ANSWER + b"0",
        b'{"jsonrpc":"2.0","method":"notifications/x"}' + ANSWER,
        b"\x1b[2K" + ANSWER + b"\x1b[0m",
        ANSWER.replace(b"%s", b"\t%s"),
        id_first('"hi"'),
        id_last('[{"type":"text","text":"hi"}]'),
    ],
    ids=[
        "text behind",
        "PHP's null",
        "behind a notification",
        "colours",
        "a tab",
        "a bare text",
        "bare blocks",
    ],
)
@pytest.mark.parametrize("way", ["stdio", "json"])
@with_live
async def test_answer_beside_something_else_is_found(live: Live, way: str, sent: bytes) -> None:
    """Where a line end is missing, something was printed into the same line, or its result is bare."""
    async with WAYS[way](live, sent.replace(b"%s", b"hi")) as (damaged, _):
        assert (await damaged()).strip() == "hi"


# --- answers that cannot be read --------------------------------------------------------------------


@pytest.mark.parametrize("written", [id_first, id_last])
@pytest.mark.parametrize(
    ("result", "words"),
    [(DEEP, "recursion limit exceeded"), (LONG, "number out of range")],
    ids=["deep", "long number"],
)
@each_way
@with_live
async def test_unreadable_answer_fails_its_call_at_once(
    live: Live, way: str, result: str, words: str, written: Callable[[str], bytes]
) -> None:
    """The call fails with the reason, instead of waiting for its timeout of minutes; the session goes on."""
    async with WAYS[way](live, written(result)) as (damaged, fine):
        assert await fine() == "hi"
        failure = await failure_of(damaged())
        assert failure.kind == Kind.REJECTED
        assert words in failure.text
        assert "999" not in str(failure.to_wire())
        assert await fine() == "hi"


# --- whose answer it was ----------------------------------------------------------------------------


def answered(data: bytes) -> object:
    """The id that is failed for this text, or None."""
    found = messages.parse(data, Link(lambda _: None)).messages
    return found[0].message.id if found else None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "request_id"),
    [
        (b'{"id":7,"result":[9e999999999999999999999999999}', 7),
        (b' {"jsonrpc" : "2.0" , "result" : {"id":1,"x":[[}]} , "id" : "seven" } ', "seven"),
        (b'{"id":7,"error":{"code":"x"}}', 7),
        (b'{"id":7}', 7),
        (b'{"result":{"id":7}}', None),
        (b'{"result":"\\"id\\":7,"}', None),
        (b'{"id":7,"method":"roots/list","params":' + b"[" * 300 + b"]" * 300 + b"}", None),
        (b'{"jsonrpc": "2.0", "id": 1, ', None),
        (b'{"id":null,"result":{}}', None),
        (b'{"id":99999999999999999999}', None),
        (b"[[[[", None),
        (b'"' * 1001, None),
    ],
)
def test_only_its_own_call_is_failed(data: bytes, request_id: object) -> None:
    """Damaged text fails the call that it answers; what is no answer, or is cut off, fails none."""
    assert answered(data) == request_id


@pytest.mark.parametrize("written", [id_first, id_last])
@in_loop
async def test_whose_answer_is_found_in_bounded_time(written: Callable[[str], bytes]) -> None:
    """Megabytes of brackets do not hold up the daemon: their owner is told by the ends of the text."""
    data = written("[" * 4_000_000 + "]" * 4_000_000).replace(b"$ID", b"7")
    began = time.thread_time()
    assert answered(data) == 7
    assert time.thread_time() - began < 3


@pytest.mark.parametrize("end", ["}", "\\}"])
@in_loop
async def test_answer_cut_within_a_string_costs_its_length(end: str) -> None:
    """JSON in JSON, cut in two, is full of quotation marks: none of them begins another look at the rest."""
    for damaged in ('{"id":7,"result":{"text":"' + '\\"' * 500_000, '{"text":"' + '\\"' * 500_000):
        assert answered((damaged + end).encode()) == (7 if "id" in damaged else None)
