"""Restarts that lose nothing: clients are told to go away, what they have sent is served, the rest waits."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import grpc
import pytest

from llm_tools_mcp.daemon.front import acceptor as acceptor_module
from llm_tools_mcp.daemon.front.http2 import GOAWAY, SETTLING
from llm_tools_mcp.daemon.front.http2 import shutdown as shutdown_module
from tests.daemon.stack import (
    Frame,
    Stack,
    aio_channel,
    connect,
    echo,
    framed,
    hang,
    in_loop,
    listener,
    raw_client,
    repeat,
    serving,
    sync_channel,
)
from tests.waiting import SOON, wait_until_async

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
DATA, HEADERS, PING = 0, 1, 6
END_STREAM = 1
# To each daemon under load.
CALLS = 200
# What a daemon may take to start; more than the pause between two tries of a client to connect.
START_SECONDS = 0.5


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acceptor that gives silent clients all the time that a busy machine may make them need."""
    monkeypatch.setattr(acceptor_module, "SILENCE", float(SOON))


@in_loop
async def test_idle_clients_leave_and_find_the_successor(folder: Path) -> None:
    """A drain with idle clients is over at once; their next calls reach whoever accepts then."""
    path = folder / "s.sock"
    with listener(path) as sock:
        old, new = Stack(), Stack()
        old.start(sock)
        channels = [aio_channel(path) for _ in range(5)]
        for channel in channels:
            await echo(channel)(b"")
        await asyncio.wait_for(old.drain(), SOON)
        calls = [asyncio.ensure_future(echo(channel)(b"again")) for channel in channels]
        new.start(sock)
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
        stack = Stack()
        stack.start(sock)
        async with aio_channel(path) as channel:
            stream = repeat(channel)(b"200 100000")
            assert len(await stream.read()) == 100_000
            draining = asyncio.ensure_future(stack.drain())
            assert [len(await stream.read()) for _ in range(199)] == [100_000] * 199
            assert await stream.read() is grpc.aio.EOF
            await asyncio.wait_for(draining, SOON)
        await stack.close()


@in_loop
async def test_new_calls_do_not_wait_for_those_in_flight(folder: Path) -> None:
    """While one call keeps the old daemon busy, the same client's next one goes to the new daemon."""
    path = folder / "s.sock"
    with listener(path) as sock:
        old, new = Stack(), Stack()
        old.start(sock)
        async with aio_channel(path) as channel:
            assert await echo(channel)(b"old") == b"old"
            call = hang(channel)(b"")
            await wait_until_async(lambda: old.hanging == 1)
            draining = asyncio.ensure_future(old.drain())
            await asyncio.sleep(0)  # it stops to accept before the new one begins: they share a loop
            new.start(sock)
            # What the client sends before it has read the GOAWAY is still the old daemon's.
            while new.served == 0:
                assert await echo(channel)(b"new") == b"new"
            assert (old.hanging, draining.done()) == (1, False)
            call.cancel()
            await asyncio.wait_for(draining, SOON)
        await new.close()


@in_loop
async def test_goaway_stands_between_frames(folder: Path) -> None:
    """Once, however often it is asked for; the answer that is under way arrives whole."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Repeat", framed(b"3 16000"))
        await client.flush()
        stack.acceptor.send_goaway()
        await wait_until_async(lambda: stack.written > 0)
        stack.acceptor.send_goaway()
        client.request("Repeat", framed(b"1 10"))
        await client.flush()
        seen = await client.frames_until(lambda seen: sum(map(is_end, seen)) == 2)
        assert [kind for kind, _, _ in seen].count(GOAWAY[3]) == 1
        data = b"".join(payload for kind, _, payload in seen if kind == DATA)
        assert data == framed(bytes(16000)) * 3 + framed(bytes(10))


def is_end(frame: Frame) -> bool:
    return frame[0] == HEADERS and bool(frame[1] & END_STREAM)


@in_loop
async def test_goaway_comes_when_the_client_is_ready_for_it(folder: Path) -> None:
    """Not with the server's SETTINGS, on which grpc's client would spin, but some time after them."""
    async with serving(folder) as (stack, path):
        began = time.monotonic()
        async with raw_client(path) as client:
            stack.acceptor.send_goaway()
            await client.flush()
            assert not has_goaway(await client.frames_until(bool))
            await client.frames_until(has_goaway)
        assert time.monotonic() - began >= SETTLING * 0.99


@in_loop
async def test_goaway_comes_with_the_first_answer(folder: Path) -> None:
    """An answered call shows that the client is ready: no need to wait."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Echo", framed(b"hi"))
        await client.flush()
        await client.frames_until(lambda seen: any(map(is_end, seen)))
        stack.acceptor.send_goaway()
        await client.frames_until(has_goaway)


def has_goaway(frames: list[Frame]) -> bool:
    return any(kind == GOAWAY[3] for kind, _, _ in frames)


@in_loop
async def test_daemon_ends_its_half_after_the_last_answer(folder: Path) -> None:
    """Once the client has heard of the end, and not while it is owed an answer; then the client closes."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        message = framed(b"1 3")
        stream = client.request("Repeat", message[:-1], end=False)
        client.request("Echo", framed(b"hi"))
        await client.flush()
        await client.frames_until(lambda seen: any(map(is_end, seen)))
        draining = asyncio.ensure_future(stack.drain())
        goodbye = (await client.frames_until(is_ping_after_goaway))[-1][2]
        client.http.send_data(stream, message[-1:], end_stream=True)
        await client.send(b"\0\0\x08\6\1\0\0\0\0" + goodbye)
        last = await client.frames_until(lambda seen: any(map(is_end, seen)) and has_goaway(seen))
        assert int.from_bytes(last[-1][2][:4], "big") == 3  # a later stream is tried elsewhere
        await client.read_to_end()
        assert not draining.done()  # what the client writes before it has read that must not fail
        client.sock.close()
        await asyncio.wait_for(draining, SOON)


def is_ping_after_goaway(frames: list[Frame]) -> bool:
    return bool(frames) and frames[-1][0] == PING and has_goaway(frames)


@in_loop
async def test_silent_client_does_not_hold_up_the_drain(folder: Path) -> None:
    """A client that never says anything is cut off once it is the last and had time to speak."""
    path = folder / "s.sock"
    with listener(path) as sock:
        stack = Stack()
        stack.start(sock)
        begin = time.monotonic()
        with await connect(path) as silent:
            await wait_until_async(lambda: stack.acceptor.connections == 1)
            await asyncio.wait_for(stack.drain(), SOON)
            assert time.monotonic() - begin >= acceptor_module.SILENCE * 0.99
            assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""


@in_loop
async def test_stopped_client_does_not_hold_up_the_drain(folder: Path) -> None:
    """One that was stopped (Ctrl-Z) is let go, and finds its answer and the end when it goes on."""
    async with serving(folder) as (stack, path), raw_client(path) as stopped:
        stopped.request("Echo", framed(b"hi"))
        await stopped.flush()
        await wait_until_async(lambda: stack.served == 1)
        begin = time.monotonic()
        await stack.drain()
        assert time.monotonic() - begin >= shutdown_module.PATIENCE * 0.99
        seen = await stopped.frames_until(lambda seen: [kind for kind, _, _ in seen].count(GOAWAY[3]) == 2)
        assert any(map(is_end, seen))
        assert int.from_bytes(seen[-1][2][:4], "big") == 1  # a call that it makes now is tried elsewhere
        await stopped.read_to_end()


@in_loop
async def test_stopped_client_with_an_answer_under_way_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may read on: what does not fit into the kernel's buffer is not thrown away."""
    monkeypatch.setattr(shutdown_module, "PATIENCE", 0.05)
    async with serving(folder) as (stack, path), raw_client(path) as slow:
        stream = slow.request("Repeat", framed(b"1 900000"))
        slow.http.increment_flow_control_window(2**30)
        slow.http.increment_flow_control_window(2**30, stream)
        await slow.flush()
        await wait_until_async(lambda: stack.written == 900_000)
        draining = asyncio.ensure_future(stack.drain())
        await until(time.monotonic() + 0.2)
        assert not draining.done()
        seen = await slow.frames_until(lambda seen: any(map(is_end, seen)))
        assert sum(len(payload) for kind, _, payload in seen if kind == DATA) > 900_000
        await asyncio.wait_for(draining, SOON)


@in_loop
async def test_client_that_speaks_up_during_a_drain_is_served(folder: Path, patient: None) -> None:
    """Accepted but silent when the drain began, it still gets the server, and then the GOAWAY."""
    path, loop = folder / "s.sock", asyncio.get_running_loop()
    with listener(path) as sock:
        stack = Stack()
        stack.start(sock)
        with await connect(path) as client:
            await wait_until_async(lambda: stack.acceptor.connections == 1)
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
    monkeypatch.setattr(acceptor_module, "SILENCE", 0.0)
    path, loop = folder / "s.sock", asyncio.get_running_loop()
    with listener(path) as sock:
        stack = Stack()
        stack.start(sock)
        with await connect(path) as client:
            await wait_until_async(lambda: stack.acceptor.connections == 1)
            client.send(PREFACE + SETTINGS)  # the daemon has no turn between this and the drain
            stack.acceptor.send_goaway()
            assert (await loop.sock_recv(client, 65536))[3] == SETTINGS[3]
        await asyncio.wait_for(stack.drain(), SOON)


@in_loop
async def test_clients_wait_in_the_queue_for_the_next_daemon(folder: Path) -> None:
    """After stop_accepting() nobody is accepted here any more; who comes is served by the successor."""
    path = folder / "s.sock"
    with listener(path) as sock:
        old, new = Stack(), Stack()
        old.start(sock)
        old.acceptor.stop_accepting()
        async with aio_channel(path) as channel:
            call = asyncio.ensure_future(echo(channel)(b"late"))
            await asyncio.wait_for(old.drain(), SOON)
            new.start(sock)
            assert await call == b"late"
            assert (old.changes, new.served) == ([], 1)
        await new.close()


@in_loop
async def test_queue_of_a_socket_without_path_is_taken(folder: Path) -> None:
    """A daemon that bound its socket serves, after it gave up the path, whoever had connected by then."""
    path = folder / "s.sock"
    with listener(path) as sock:
        stack = Stack()
        stack.start(sock)
        stack.acceptor.stop_accepting()
        clients = [await connect(path) for _ in range(100)]
        path.unlink()
        assert stack.acceptor.connections == 0
        stack.acceptor.accept_queued()
        assert stack.acceptor.connections == 100
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
        stack = Stack()
        stack.start(sock)
        load = Load(path, threads=8)
        try:
            for _ in range(3):
                await served(stack, load)
                await stack.drain()
                await until(time.monotonic() + START_SECONDS)
                stack = Stack()
                stack.start(sock)
            await served(stack, load)
        finally:
            await load.stop()
        assert load.failures == []
        assert load.calls >= 4 * CALLS
        await stack.close()


async def served(stack: Stack, load: Load) -> None:
    await wait_until_async(lambda: stack.served >= CALLS or load.failures, SOON)
