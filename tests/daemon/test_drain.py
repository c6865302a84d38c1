"""Restarts that lose nothing: clients are told to go away, what they have sent is served, the rest waits."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import grpc
import pytest

from llm_tools_mcp.daemon import relay as relay_module
from llm_tools_mcp.daemon.frames import GOAWAY
from tests.daemon.stack import (
    Stack,
    aio_channel,
    connect,
    echo,
    hang,
    in_loop,
    listener,
    piped,
    repeat,
    sync_channel,
)
from tests.waiting import wait_until_async

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
ANSWER = b"\0\0\0\1\4\0\0\0\1"  # HEADERS, END_HEADERS, of stream 1
# Seconds for what should be over at once; many, since a machine may be busy with other things.
SOON = 30
# To each daemon under load.
CALLS = 200
# What a daemon may take to start; more than the pause between two tries of a client to connect.
START_SECONDS = 0.5

BIG_FRAME = b"\0\x40\0\0\0\0\0\0\1" + bytes(16384)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that gives silent clients all the time that a busy machine may make them need."""
    monkeypatch.setattr(relay_module, "SILENCE", float(SOON))


@in_loop
async def test_idle_clients_leave_and_find_the_successor(folder: Path) -> None:
    """A drain with idle clients is over at once; their next calls reach whoever accepts then."""
    path = folder / "s.sock"
    with listener(path) as sock:
        old, new = Stack(folder), Stack(folder)
        await old.start(sock)
        channels = [aio_channel(path) for _ in range(5)]
        for channel in channels:
            await echo(channel)(b"")
        await asyncio.wait_for(old.drain(), SOON)
        calls = [asyncio.ensure_future(echo(channel)(b"again")) for channel in channels]
        await new.start(sock)
        assert await asyncio.gather(*calls) == [b"again"] * 5
        assert (old.served, new.served) == (5, 5)
        for channel in channels:
            await channel.close()
        await new.close()
        await old.close()


@in_loop
async def test_stream_in_flight_is_finished(folder: Path) -> None:
    """A long answer that is under way when the drain begins arrives whole, and the drain waits for it."""
    path = folder / "s.sock"
    with listener(path) as sock:
        stack = Stack(folder)
        await stack.start(sock)
        async with aio_channel(path) as channel:
            stream = repeat(channel)(b"200 100000")
            assert len(await stream.read()) == 100_000
            draining = asyncio.ensure_future(stack.drain())
            assert [len(await stream.read()) for _ in range(199)] == [100_000] * 199
            assert await stream.read() is grpc.aio.EOF
            del stream  # gRPC keeps a connection as long as there is a call object of it
            await asyncio.wait_for(draining, SOON)
        await stack.close()


@in_loop
async def test_new_calls_do_not_wait_for_those_in_flight(folder: Path) -> None:
    """While one call keeps the old daemon busy, the same client's next one goes to the new daemon."""
    path = folder / "s.sock"
    with listener(path) as sock:
        old, new = Stack(folder), Stack(folder)
        await old.start(sock)
        async with aio_channel(path) as channel:
            assert await echo(channel)(b"old") == b"old"
            call = hang(channel)(b"")
            await wait_until_async(lambda: old.hanging == 1)
            draining = asyncio.ensure_future(old.drain())
            await new.start(sock)
            # What the client sends before it has read the GOAWAY is still the old daemon's.
            while new.served == 0:
                assert await echo(channel)(b"new") == b"new"
            assert (old.hanging, draining.done()) == (1, False)
            call.cancel()
            del call  # gRPC keeps a connection as long as there is a call object of it
            await asyncio.wait_for(draining, SOON)
        await new.close()


@in_loop
async def test_goaway_stands_between_frames(folder: Path) -> None:
    """It is written at once where the frames allow it, else where the one under way ends, and once only."""
    loop = asyncio.get_running_loop()
    async with piped(folder) as (client, server, stack):
        await loop.sock_sendall(server, SETTINGS + BIG_FRAME[:5000])
        seen = b""
        while len(seen) < len(SETTINGS) + 5000:
            seen += await loop.sock_recv(client, 65536)
        stack.relay.send_goaway()
        stack.relay.send_goaway()
        await loop.sock_sendall(server, BIG_FRAME[5000:] + BIG_FRAME)
        expected = SETTINGS + BIG_FRAME + GOAWAY + BIG_FRAME
        while len(seen) < len(expected):
            seen += await loop.sock_recv(client, 65536)
        assert seen == expected


@in_loop
async def test_goaway_comes_when_the_client_is_ready_for_it(folder: Path) -> None:
    """Not with the server's SETTINGS, on which grpc's client would spin, but some time after them."""
    loop = asyncio.get_running_loop()
    async with piped(folder) as (client, server, stack):
        stack.relay.send_goaway()
        await loop.sock_sendall(server, SETTINGS)
        assert await loop.sock_recv(client, 100) == SETTINGS
        assert await loop.sock_recv(client, 100) == GOAWAY


@in_loop
async def test_goaway_comes_with_the_first_answer(folder: Path) -> None:
    """An answered call shows that the client is ready: no need to wait."""
    loop = asyncio.get_running_loop()
    async with piped(folder) as (client, server, stack):
        await loop.sock_sendall(server, SETTINGS + ANSWER)
        assert await loop.sock_recv(client, 100) == SETTINGS + ANSWER
        stack.relay.send_goaway()
        assert await loop.sock_recv(client, 100) == GOAWAY


@in_loop
async def test_silent_client_does_not_hold_up_the_drain(folder: Path) -> None:
    """A client that never says anything is cut off once it is the last and had time to speak."""
    path = folder / "s.sock"
    with listener(path) as sock:
        stack = Stack(folder)
        await stack.start(sock)
        begin = time.monotonic()
        with await connect(path) as silent:
            await wait_until_async(lambda: stack.relay.connections == 1)
            await asyncio.wait_for(stack.drain(), SOON)
            assert time.monotonic() - begin >= relay_module.SILENCE * 0.99
            assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""


@in_loop
async def test_client_that_speaks_up_during_a_drain_is_served(folder: Path, patient: None) -> None:
    """Accepted but silent when the drain began, it still gets the server, and then the GOAWAY."""
    path, loop = folder / "s.sock", asyncio.get_running_loop()
    with listener(path) as sock:
        stack = Stack(folder)
        await stack.start(sock)
        with await connect(path) as client:
            await wait_until_async(lambda: stack.relay.connections == 1)
            draining = asyncio.ensure_future(stack.drain())
            await loop.sock_sendall(client, PREFACE + SETTINGS)
            seen = b""
            while GOAWAY not in seen:
                seen += await loop.sock_recv(client, 65536)
            assert seen[3] == SETTINGS[3]
        await asyncio.wait_for(draining, SOON)


@in_loop
async def test_word_in_the_kernels_buffer_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has sent while nobody looked is not silent, however long it has been connected."""
    monkeypatch.setattr(relay_module, "SILENCE", 0.0)
    path, loop = folder / "s.sock", asyncio.get_running_loop()
    with listener(path) as sock:
        stack = Stack(folder)
        await stack.start(sock)
        with await connect(path) as client:
            await wait_until_async(lambda: stack.relay.connections == 1)
            client.send(PREFACE + SETTINGS)  # the relay has no turn between this and the drain
            stack.relay.send_goaway()
            assert (await loop.sock_recv(client, 65536))[3] == SETTINGS[3]
        await asyncio.wait_for(stack.drain(), SOON)


@in_loop
async def test_clients_wait_in_the_queue_for_the_next_daemon(folder: Path) -> None:
    """After stop_accepting() nobody is accepted here any more; who comes is served by the successor."""
    path = folder / "s.sock"
    with listener(path) as sock:
        old, new = Stack(folder), Stack(folder)
        await old.start(sock)
        old.relay.stop_accepting()
        async with aio_channel(path) as channel:
            call = asyncio.ensure_future(echo(channel)(b"late"))
            await asyncio.wait_for(old.drain(), SOON)
            await new.start(sock)
            assert await call == b"late"
            assert (old.changes, new.served) == ([], 1)
        await new.close()


@in_loop
async def test_queue_of_a_socket_without_path_is_taken(folder: Path) -> None:
    """A daemon that bound its socket serves, after it gave up the path, whoever had connected by then."""
    path = folder / "s.sock"
    with listener(path) as sock:
        stack = Stack(folder)
        await stack.start(sock)
        stack.relay.stop_accepting()
        clients = [await connect(path) for _ in range(100)]
        path.unlink()
        assert stack.relay.connections == 0
        stack.relay.accept_queued()
        assert stack.relay.connections == 100
        for client in clients:
            client.close()
        await asyncio.wait_for(stack.drain(), SOON)


async def until(moment: float) -> None:
    await wait_until_async(lambda: time.monotonic() >= moment)


class Load:
    """Threads that call without a pause, each over a channel of its own, until they are told to stop."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.calls = 0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        with sync_channel(self.path) as channel:
            call = echo(channel)
            while not self._stop.is_set():
                message = b"%d/%d" % (number, self.calls)
                try:
                    assert call(message, timeout=60) == message
                except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                    self.failures.append(repr(error))
                self.calls += 1

    async def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)


@in_loop
async def test_restarts_under_load_lose_nothing(folder: Path, patient: None) -> None:
    """Eight clients call without a pause through three restarts on one inherited socket: no call fails."""
    path = folder / "s.sock"
    with listener(path) as sock:
        stack = Stack(folder)
        await stack.start(sock)
        load = Load(path, threads=8)
        try:
            for _ in range(3):
                await served(stack, load)
                await stack.drain()
                await until(time.monotonic() + START_SECONDS)
                stack = Stack(folder)
                await stack.start(sock)
            await served(stack, load)
        finally:
            await load.stop()
        assert load.failures == []
        assert load.calls >= 4 * CALLS
        await stack.close()


async def served(stack: Stack, load: Load) -> None:
    await wait_until_async(lambda: stack.served >= CALLS or load.failures, SOON)
