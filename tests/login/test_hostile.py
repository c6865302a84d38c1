"""Servers that mean no good: they hold nobody up, fill nothing, and send us nowhere."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from llm_tools_mcp.errors import LoginError, LoginsUnusable
from llm_tools_mcp.login import store as stores
from llm_tools_mcp.login import web
from llm_tools_mcp.login.challenge import Demand, demand_in
from llm_tools_mcp.login.discovery import Resource, find_resource, find_server
from llm_tools_mcp.login.records import Login, Records
from llm_tools_mcp.login.store import LoginStore

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Hostile:
    """`parts` make one answer, each is sent as it comes; what was asked for is in `paths`."""

    def __init__(self, parts: Callable[[Hostile, str], AsyncIterator[bytes]]) -> None:
        self.paths: list[str] = []
        self.origin = ""
        self._parts = parts

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readline()).decode().split(" ")[1]
            self.paths.append(path)
            async for part in self._parts(self, path):
                writer.write(part)
                await writer.drain()
        except (OSError, IndexError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def hostile(parts: Callable[[Hostile, str], AsyncIterator[bytes]]) -> AsyncIterator[Hostile]:
    made = Hostile(parts)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


async def dripping(_: Hostile, _path: str) -> AsyncIterator[bytes]:
    yield OK + b"\r\n"
    while True:
        yield b" "
        await asyncio.sleep(0.01)


async def endless(_: Hostile, _path: str) -> AsyncIterator[bytes]:
    yield OK + b"\r\n"
    while True:
        yield b"[" * 65536


async def bomb(_: Hostile, _path: str) -> AsyncIterator[bytes]:
    yield OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * (16 << 20))


async def circling(server: Hostile, path: str) -> AsyncIterator[bytes]:
    yield f"HTTP/1.1 302 Found\r\nLocation: {server.origin}{path}x\r\nContent-Length: 0\r\n\r\n".encode()


async def no_http(_: Hostile, _path: str) -> AsyncIterator[bytes]:
    yield b"220 mail.example ESMTP\r\n"


async def many_headers(_: Hostile, _path: str) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-Header: y\r\n" * 1000


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (dripping, "did not answer within 0.3 s"),
        (endless, "sent more than 1 MiB"),
        (bomb, "sent more than 1 MiB"),
        (circling, "redirects in a circle"),
        (no_http, "cannot be reached"),
        (many_headers, "cannot be reached"),
    ],
)
def test_answers_are_bounded(
    monkeypatch: pytest.MonkeyPatch, parts: Callable[[Hostile, str], AsyncIterator[bytes]], words: str
) -> None:
    """In time, in size, also behind a compression, and in the number of redirects; the words say which."""

    async def body() -> None:
        async with hostile(parts) as server, httpx2.AsyncClient() as http:
            with pytest.raises(LoginError, match=words):
                await find_resource(http, f"{server.origin}/mcp", "")

    if parts is dripping:
        monkeypatch.setattr(web, "_SECONDS", 0.3)
    asyncio.run(asyncio.wait_for(body(), 20))


def test_redirect_to_another_origin_is_not_followed() -> None:
    """Neither to a file nor to another server, though that has what is looked for."""

    async def tempting(server: Hostile, _path: str) -> AsyncIterator[bytes]:
        yield OK + f'\r\n{{"resource": "{server.origin}", "authorization_servers": ["https://i"]}}'.encode()

    async def body() -> None:
        async with hostile(tempting) as other, httpx2.AsyncClient() as http:
            for target in (f"{other.origin}/", other.origin[5:], "file:///etc/passwd", "https://[", "\x7f"):

                async def away(_: Hostile, _path: str, target: str = target) -> AsyncIterator[bytes]:
                    yield f"HTTP/1.1 302 F\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()

                async with hostile(away) as server:
                    with suppress(LoginError):
                        assert await find_resource(http, f"{server.origin}/mcp", "") is None
                    assert server.paths
            assert other.paths == []

    asyncio.run(asyncio.wait_for(body(), 20))


def test_few_of_many_authorization_servers_are_tried() -> None:
    """A server that names a thousand does not make one wait for them all."""

    async def missing(_: Hostile, _path: str) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def body() -> None:
        async with hostile(missing) as server, httpx2.AsyncClient() as http:
            issuers = tuple(f"{server.origin}/{number}" for number in range(1000))
            with pytest.raises(LoginError, match="publishes no metadata"):
                await find_server(http, Resource(server.origin, issuers), server.origin)
            assert len({path.rpartition("/")[2] for path in server.paths}) < 10

    asyncio.run(asyncio.wait_for(body(), 20))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "header",
    [
        "Bearer " + "a" * 1_000_000,
        "Bearer " + "a= " * 333_333,
        'Bearer x="' + "\\" * 1_000_000,
        "," * 1_000_000,
    ],
    ids=["word", "parameters", "quoted", "commas"],
)
def test_long_challenge_is_read_at_once(header: str) -> None:
    """What it holds is passed over: it may take no time that others would wait for."""
    assert demand_in([header]) == Demand()


def test_login_that_would_cost_all_others_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that could not be read again is not written; what there was stays."""
    store = LoginStore(tmp_path / "logins.json")
    first = Login("a", "https://a/", "https://i", "r", "c", "none", "https://i/t", refresh_token="r")
    store.change(lambda records: records.with_login(first))
    monkeypatch.setattr(stores, "_MAX_BYTES", 2000)
    large = Login("b", "https://b/", "https://i", "r", "c", "none", "https://i/t", refresh_token="r" * 2000)
    with pytest.raises(LoginsUnusable, match="would be larger"):
        store.change(lambda records: records.with_login(large))
    assert store.read() == Records((first,))
