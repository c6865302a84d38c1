"""What servers answer to the handshake, of either era: what is careless is read, what cannot be is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llm_tools_mcp.daemon.server import handshake
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import Answer, Legacy, Modern, Request, at, reply, serving

VERSIONS = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
GREETING = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "web", "version": "1"},
}


def answering(made: Callable[[], Legacy], method: str, **parts: Any) -> Legacy:
    server = made()
    server.faults[method] = lambda request: reply(request, **parts)
    return server


CARELESS = {
    "a version as text": answering(
        Modern, "server/discover", result={**VERSIONS, "supportedVersions": "2026-07-28"}
    ),
    "a version that is none": answering(
        Modern, "server/discover", result={**VERSIONS, "supportedVersions": [None, "2026-07-28"]}
    ),
    "PHP's empty object": answering(Modern, "server/discover", result={**VERSIONS, "capabilities": []}),
    "no time to keep it": answering(
        Modern, "server/discover", result={**VERSIONS, "ttlMs": "soon", "cacheScope": None}
    ),
    "a home page of no text": answering(
        Legacy,
        "initialize",
        result={**GREETING, "serverInfo": {"name": "web", "websiteUrl": 5, "icons": "x"}},
        **{"mcp-session-id": "1"},
    ),
}


@pytest.mark.parametrize("server", CARELESS.values(), ids=CARELESS)
@with_live
async def test_careless_handshake_is_read(live: Live, server: Legacy) -> None:
    """What is wrong about something that nobody needs costs nothing."""
    async with serving(server) as web:
        assert await live.names(live.define(at(web.url()))) == ["echo"]
        await live.pool.aclose()


@with_live
async def test_version_that_a_refusal_names_is_spoken(live: Live) -> None:
    """A server that refuses ours, and says which it knows, is greeted with the newest of those."""
    legacy = Legacy()

    def refuse_newer(request: Request) -> Answer:
        asked = request.message["params"]["protocolVersion"]
        if asked == "2025-03-26":
            return legacy.answer(request)
        data = {"supported": ["2024-11-05", "2025-03-26", "2099-01-01"], "requested": asked}
        return reply(request, error={"code": -32602, "message": "Unsupported protocol version", "data": data})

    legacy.faults["initialize"] = refuse_newer
    async with serving(legacy) as web:
        assert await live.names(live.define(at(web.url()))) == ["echo"]
        await live.pool.aclose()


@with_live
async def test_slow_answer_to_the_probe_counts(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the older handshake says so before its probe is answered, as over http it may."""
    monkeypatch.setattr(handshake, "_PROBE_SECONDS", 0.05)
    modern = Modern()
    answers: list[Callable[[], None]] = []

    def hold(request: Request) -> Answer:
        (writer,) = web._writers
        body = modern.answer(request).body

        def answer() -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + body)
            writer.close()

        answers.append(answer)
        return Answer(hold=True)

    def refuse(request: Request) -> Answer:
        asyncio.get_running_loop().call_later(0.1, answers.pop())
        return modern.answer(request)

    modern.faults |= {"server/discover": hold, "initialize": refuse}
    async with serving(modern) as web:
        assert await live.names(live.define(at(web.url()))) == ["echo"]
        await live.pool.aclose()


@with_live
async def test_server_that_became_an_older_one_is_greeted_anew(live: Live) -> None:
    """After a rollback it refuses what has no session; the next call works."""
    modern, legacy = Modern(), Legacy()
    legacy.unknown_session = lambda: Answer.json(
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "Server not initialized"}}, 400
    )
    async with serving(modern) as web:
        server = live.define(at(web.url()))
        assert await live.call(server, "echo") == "hi"
        web.handler = legacy
        assert "not initialized" in (await failure_of(live.call(server, "echo"))).text
        assert await live.call(server, "echo") == "hi"
        await live.pool.aclose()


def saying(value: object) -> Legacy:
    server = Legacy()
    server.faults["initialize"] = lambda _: Answer.json(value)
    return server


UNUSABLE = {
    "does not follow the protocol: license expired": saying({"success": False, "message": "license expired"}),
    "does not follow the protocol: Too many requests": saying("Too many requests"),
    "version '2099-01-01' of the protocol; known here are 2024-11-05": answering(
        Legacy, "initialize", result={**GREETING, "protocolVersion": "2099-01-01"}
    ),
    "version '2099-01-01, 2099-02-02' of the protocol; known": answering(
        Modern, "server/discover", result={**VERSIONS, "supportedVersions": ["2099-01-01", "2099-02-02"]}
    ),
    "Internal error: TOKEN is not set": answering(
        Legacy, "initialize", error={"code": -32603, "message": "Internal error", "data": "TOKEN is not set"}
    ),
    "Unsupported version: supported 2099-01-01": answering(
        Legacy,
        "initialize",
        error={"code": -32602, "message": "Unsupported version", "data": {"supported": ["2099-01-01"]}},
    ),
}


@pytest.mark.parametrize(("words", "server"), UNUSABLE.items(), ids=UNUSABLE)
@with_live
async def test_handshake_that_fails_says_why(live: Live, words: str, server: Legacy) -> None:
    """The versions of both, or the reason that the server gives beside its code."""
    async with serving(server) as web:
        assert words in (await failure_of(live.names(live.define(at(web.url()))))).text
