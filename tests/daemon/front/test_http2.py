"""HTTP/2 as the daemon speaks it: slow, rude and broken clients, and what becomes of the others meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from h2.events import (
    DataReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.stream import H2Stream

from llm_tools_mcp.daemon.front.http2 import MAX_HEADERS, Stream
from tests.daemon.stack import (
    MAX_MESSAGE,
    RawClient,
    Stack,
    aio_channel,
    connect,
    echo,
    framed,
    in_loop,
    raw_client,
    repeat,
    serving,
)
from tests.waiting import wait_until_async

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
PING = b"\0\0\x08\6\0\0\0\0\0" + b"8 bytes!"
CLIENTS_GOAWAY = b"\0\0\x08\7\0\0\0\0\0" + bytes(8)
NO_ERROR = 0
RESOURCE_EXHAUSTED = b"8"


async def standstill(stack: Stack) -> int:
    """What Repeat has written when it does not get on any more: after turns of the loop, not after a time."""
    before, turns = -1, 0
    while turns < 500:
        turns = turns + 1 if stack.written == before else 0
        before = stack.written
        await asyncio.sleep(0)
    return stack.written


@in_loop
async def test_probe_hears_nothing(folder: Path) -> None:
    """Connecting to see whether somebody listens is counted, and over at once."""
    async with serving(folder) as (stack, path):
        probe = await connect(path)
        await wait_until_async(lambda: stack.changes == [1])
        with pytest.raises(BlockingIOError):
            probe.recv(1)
        probe.close()
        await asyncio.wait_for(stack.acceptor.wait_closed(), 60)
        assert stack.changes == [1, 0]


@in_loop
async def test_request_in_small_pieces(folder: Path) -> None:
    """Bytes that come one by one make the same request."""
    async with serving(folder) as (_, path), raw_client(path) as client:
        client.request("Echo", framed(b"bit by bit"))
        for byte in client.http.data_to_send():
            await client.send(bytes([byte]))
        await client.until(StreamEnded)
        assert b"bit by bit" in client.received


@in_loop
async def test_window_of_the_client_holds_the_answer_up(folder: Path) -> None:
    """No more is sent than the client allows, others are served meanwhile, and then the rest follows."""
    async with serving(folder) as (stack, path), raw_client(path) as client, aio_channel(path) as other:
        stream = client.request("Repeat", framed(b"50 20000"))
        await client.until(DataReceived)
        assert await standstill(stack) < 65_535  # the window that HTTP/2 begins with
        assert await echo(other)(b"meanwhile") == b"meanwhile"
        client.http.increment_flow_control_window(2_000_000)
        client.http.increment_flow_control_window(2_000_000, stream)
        await client.until(StreamEnded)
        sizes = [len(event.data) for event in client.seen if isinstance(event, DataReceived)]
        assert sum(sizes) == 50 * len(framed(bytes(20_000)))


@in_loop
async def test_client_that_does_not_read_holds_its_answers_up(folder: Path) -> None:
    """However large its windows are, the daemon makes no more than a few megabytes ahead of it."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        stream = client.request("Repeat", framed(b"100 100000"))
        client.http.increment_flow_control_window(2**31 - 1 - 65_535)
        client.http.increment_flow_control_window(2**31 - 1 - 65_535, stream)
        await client.flush()
        await wait_until_async(lambda: stack.written > 0)
        assert 500_000 < await standstill(stack) < 4_000_000
        await client.until(StreamEnded)
        assert stack.written == 10_000_000


@in_loop
async def test_client_that_dies_while_it_is_waited_for(folder: Path) -> None:
    """Its answers end with it, also those that wait for it to read."""
    async with serving(folder) as (stack, path):
        async with raw_client(path) as client:
            stream = client.request("Repeat", framed(b"500 100000"))
            client.http.increment_flow_control_window(2**30)
            client.http.increment_flow_control_window(2**30, stream)
            client.request("Hang", framed(b""))
            await client.flush()
            await wait_until_async(lambda: stack.hanging == 1)
            await standstill(stack)
        await asyncio.wait_for(stack.acceptor.wait_closed(), 60)
        assert (stack.hanging, stack.cancelled) == (0, 1)


@in_loop
async def test_slow_grpc_client_gets_everything(folder: Path) -> None:
    """A client that reads a long stream in bits is neither cut off nor does it hold others up."""
    async with serving(folder) as (_, path), aio_channel(path) as slow, aio_channel(path) as quick:
        sizes = []
        async for part in repeat(slow)(b"100 200000"):
            sizes.append(len(part))
            assert await echo(quick)(b"meanwhile") == b"meanwhile"
        assert sizes == [200_000] * 100


@in_loop
async def test_half_close_is_the_end(folder: Path) -> None:
    """A client that says it will send no more has gone: what runs for it is cancelled."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Hang", framed(b""))
        await client.flush()
        await wait_until_async(lambda: stack.hanging == 1)
        client.sock.shutdown(socket.SHUT_WR)
        await client.read_to_end()
        await wait_until_async(lambda: stack.cancelled == 1)


@in_loop
async def test_reset_stream_is_cancelled_alone(folder: Path) -> None:
    """The other requests of the same connection go on."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        hanging = [client.request("Hang", framed(b"")) for _ in range(2)]
        await client.flush()
        await wait_until_async(lambda: stack.hanging == 2)
        client.http.reset_stream(hanging[0])
        await client.flush()
        await wait_until_async(lambda: stack.cancelled == 1)
        client.request("Echo", framed(b"on"))
        await client.until(StreamEnded)
        assert (stack.hanging, stack.cancelled) == (1, 1)


@in_loop
async def test_client_that_goes_away_gets_its_answers(folder: Path) -> None:
    """Its GOAWAY says that it begins no more requests; those that it has are answered (RFC 9113, 6.8)."""
    async with serving(folder) as (_, path), raw_client(path) as client:
        stream = client.request("Echo", framed(b"last"), end=False)
        await client.send(CLIENTS_GOAWAY)
        client.http.end_stream(stream)
        await client.until(StreamEnded)
        assert b"last" in client.received


@in_loop
async def test_request_over_the_bound_is_refused_at_its_first_bytes(folder: Path) -> None:
    """They say how many more would come: the client hears of it, and the connection goes on."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Echo", b"\0" + (MAX_MESSAGE + 1).to_bytes(4, "big"), end=False)
        assert (await client.until(StreamReset)).error_code == NO_ERROR
        headers = dict((await client.until(ResponseReceived)).headers)
        assert headers[b"grpc-message"] == b"the request exceeds the limit of 16 MiB"
        client.request("Echo", framed(b"on"))
        await client.until(DataReceived)
        assert stack.served == 1


@in_loop
async def test_unfinished_requests_are_bounded_together(folder: Path) -> None:
    """Whatever many clients begin, the largest gives way and small ones are served; large ones are noted."""
    async with serving(folder) as (stack, path), aio_channel(path) as other:
        async with contextlib.AsyncExitStack() as opened:
            clients = [await opened.enter_async_context(raw_client(path)) for _ in range(3)]
            sizes = (MAX_MESSAGE, MAX_MESSAGE - 1000, MAX_MESSAGE - 2000)
            for client, size in zip(clients, sizes, strict=True):
                await begin_request(client, b"\0" + MAX_MESSAGE.to_bytes(4, "big") + bytes(size - 5))
            headers = dict((await clients[0].until(ResponseReceived)).headers)
            assert headers[b"grpc-status"] == RESOURCE_EXHAUSTED
            assert b"32 MiB of unfinished requests" in headers[b"grpc-message"]
            assert await echo(other)(b"meanwhile") == b"meanwhile"
            assert not any(
                isinstance(event, ResponseReceived) for client in clients[1:] for event in client.seen
            )
        await wait_until_async(lambda: stack.acceptor.connections == 1)
        assert sum(size > 10_000_000 for size in stack.sizes) == 3
        assert (stack._request_memory._sizes, stack._request_memory._total) == ({}, 0)


async def begin_request(client: RawClient, body: bytes) -> None:
    """Send as much as the server takes, and keep it waiting for more."""
    stream, rest = client.request("Echo", b"", end=False), memoryview(body)
    while rest:
        while (room := client.http.local_flow_control_window(stream)) < min(len(rest), 16384):
            client.seen.clear()
            await client.until(WindowUpdated)
        piece = rest[: min(room, 16384)]
        client.http.send_data(stream, bytes(piece))
        await client.flush()
        rest = rest[len(piece) :]


@in_loop
async def test_too_many_headers_cost_their_request_alone(folder: Path) -> None:
    """The next one of the connection is understood; only a megabyte of them ends it."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        settings = client.http.remote_settings
        await client.until(RemoteSettingsChanged)
        assert settings.max_header_list_size == MAX_HEADERS
        for _ in range(2):
            client.request("Echo", framed(b""), **{f"x-{number}": "v" * 4000 for number in range(17)})
            headers = dict((await client.until(ResponseReceived)).headers)
            assert headers[b"grpc-status"] == RESOURCE_EXHAUSTED
            assert headers[b"grpc-message"] == b"the headers exceed 64 KiB"
            client.seen.clear()
        client.request("Echo", framed(b"on"), x_small="y")
        await client.until(DataReceived)
        bomb = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x")]
        bomb += [("x-large", "v" * 4000)] * 300  # a small block: all but the first point to it
        client.http.send_headers(client.http.get_next_available_stream_id(), bomb)
        with pytest.raises(ConnectionError):
            await client.until(StreamReset)
        assert stack.served == 1


def many(client: RawClient, requests: int, frames: Callable[[RawClient, int], None]) -> bytes:
    """What h2 would make of so many requests, in seconds: from the second on only the number changes."""
    first, second = (client.http.get_next_available_stream_id() + 2 * number for number in range(2))
    frames(client, first)
    begin = client.http.data_to_send()
    frames(client, second)
    template = client.http.data_to_send()
    marks = [at for at in range(5, len(template)) if template[at : at + 4] == second.to_bytes(4, "big")]
    found = [begin, template]
    for number in range(second + 2, second + 2 * requests, 2):
        copy = bytearray(template)
        for mark in marks:
            copy[mark : mark + 4] = number.to_bytes(4, "big")
        found.append(bytes(copy))
    client.http.highest_outbound_stream_id = second + 2 * requests
    return b"".join(found)


def opened(client: RawClient, _stream: int) -> None:
    client.request("Echo", b"", end=False)


def taken_back(client: RawClient, stream: int) -> None:
    client.request("Hang", framed(b""))
    client.http.reset_stream(stream)


@in_loop
async def test_streams_are_bounded(folder: Path) -> None:
    """A client is told how many it may open; one that does not care loses its connection, and nobody else."""
    async with serving(folder) as (stack, path), raw_client(path) as client, aio_channel(path) as other:
        await client.until(RemoteSettingsChanged)
        assert client.http.remote_settings.max_concurrent_streams == 2000
        flood = many(client, 2100, opened)
        with contextlib.suppress(ConnectionError):
            await client.send(flood)
        await client.read_to_end()
        assert await echo(other)(b"on") == b"on"
        assert stack.acceptor.connections == 1


@in_loop
async def test_flood_of_requests_is_read_in_sips(folder: Path) -> None:
    """Thousands of tiny frames that came at once are taken in many steps, between which others are served."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Echo", framed(b""))
        await client.until(StreamEnded)
        sending = asyncio.ensure_future(client.send(many(client, 4000, taken_back)))
        (connection,) = stack.acceptor._connections.values()
        assert connection._outbox is not None
        turns = 0
        while connection._outbox.http.highest_inbound_stream_id < 8000:
            turns += 1
            await asyncio.sleep(0)
        await sending
        assert turns > 30
        client.seen.clear()
        client.request("Echo", framed(b"on"))
        await client.until(DataReceived)
        assert len(connection.get_buffer(0)) > 60_000


@in_loop
async def test_ping_answer_that_nobody_asked_for(folder: Path) -> None:
    """It ends nothing, whatever it says."""
    async with serving(folder) as (_, path), raw_client(path) as client:
        await client.send(b"\0\0\x08\6\1\0\0\0\0goodbye!")
        client.request("Echo", framed(b"on"))
        await client.until(StreamEnded)
        assert b"on" in client.received


@in_loop
async def test_lost_connections_leave_nothing(folder: Path) -> None:
    """What h2 knew of them does not wait for the garbage collector."""
    async with serving(folder) as (stack, path):
        gc.collect()
        gc.disable()
        try:
            async with raw_client(path) as client:
                client.request("Hang", framed(b""))
                client.request("Echo", framed(b""))
                await client.until(StreamEnded)
                before = count_h2s_streams()
            await asyncio.wait_for(stack.acceptor.wait_closed(), 60)
            assert count_h2s_streams() <= before - 2
        finally:
            gc.enable()


def count_h2s_streams() -> int:
    return sum(type(thing) is H2Stream for thing in gc.get_objects())


@in_loop
async def test_ping_before_a_goaway_is_answered(folder: Path) -> None:
    """Also where both come in one piece: what is due is sent."""
    async with serving(folder) as (_, path), raw_client(path) as client:
        await client.send(PING + CLIENTS_GOAWAY)
        seen = await client.frames_until(lambda seen: any(kind == PING[3] for kind, _, _ in seen))
        assert seen[-1][1:] == (1, b"8 bytes!")


@in_loop
async def test_request_that_is_taken_back_at_once(folder: Path) -> None:
    """Its reset comes in the same piece: nothing runs, and the connection goes on."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.http.reset_stream(client.request("Hang", framed(b"")))
        client.request("Echo", framed(b"on"))
        await client.until(StreamEnded)
        assert (stack.hanging, stack.cancelled) == (0, 0)


@in_loop
async def test_cancelled_calls_leave_nothing(folder: Path) -> None:
    """What they were about to send, megabytes perhaps, does not wait for the garbage collector."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        gc.collect()
        gc.disable()
        try:
            waiting = [
                client.request(*what) for what in (("Hang", framed(b"")), ("Repeat", framed(b"1 900000")))
            ]
            await client.until(DataReceived)
            await wait_until_async(lambda: stack.hanging == 1)
            for stream in waiting:
                client.http.reset_stream(stream)
            client.request("Echo", framed(b"on"))
            await client.until(StreamEnded)
            await wait_until_async(lambda: stack.cancelled == 1)
            assert [thing for thing in gc.get_objects() if isinstance(thing, Stream)] == []
        finally:
            gc.enable()


@in_loop
async def test_ping_is_answered(folder: Path) -> None:
    """Also in the middle of a call: this is how a client knows that the daemon is alive."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Hang", framed(b""))
        await client.flush()
        await wait_until_async(lambda: stack.hanging == 1)
        client.http.ping(b"8 bytes!")
        assert (await client.until(PingAckReceived)).ping_data == b"8 bytes!"


@in_loop
async def test_flood_of_pings_is_bounded(folder: Path) -> None:
    """Who pings and does not read is not read from any more, so that the answers do not pile up."""
    async with serving(folder) as (_, path), aio_channel(path) as other:
        with await connect(path) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, PREFACE + SETTINGS)
            sent, refused = 0, 0
            while refused < 500:
                try:
                    sent += sock.send(PING * 1000)
                    refused = 0
                except BlockingIOError:
                    refused += 1
                await asyncio.sleep(0)
            assert sent < 8_000_000
            assert await echo(other)(b"meanwhile") == b"meanwhile"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        PREFACE + b"\xff" * 100,  # a frame of 16 MB
        PREFACE + SETTINGS + b"\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff",  # a header block that is none
        PREFACE + SETTINGS + b"\0\0\1\0\0\0\0\0\1x",  # data of a stream that nobody opened
        PREFACE + SETTINGS + b"\0\0\4\x08\0\0\0\0\0\0\0\0\0",  # a window that grows by nothing
    ],
)
def test_rubbish_ends_its_connection_alone(folder: Path, rubbish: bytes) -> None:
    """What is no HTTP/2 is cut off; nobody else notices, and the loop hears of no error."""

    @in_loop
    async def scenario() -> None:
        async with serving(folder) as (stack, path), aio_channel(path) as other, raw_client(path) as client:
            await echo(other)(b"")
            await asyncio.get_running_loop().sock_sendall(client.sock, rubbish)
            client.sock.shutdown(socket.SHUT_WR)
            await client.read_to_end()
            await wait_until_async(lambda: stack.acceptor.connections == 1)
            assert await echo(other)(b"on") == b"on"

    scenario()


def test_fuzzed_frames_harm_nobody(folder: Path) -> None:
    """A thousand damaged conversations: each is cut off or answered, the loop hears of no error."""

    @in_loop
    async def scenario() -> None:
        seed = random.SystemRandom().randrange(2**32)
        chance = random.Random(seed)
        async with serving(folder) as (stack, path), aio_channel(path) as other:
            for _ in range(1000):
                await send_damaged(path, chance)
            assert await echo(other)(b"on") == b"on", f"seed {seed}"
            await wait_until_async(lambda: stack.acceptor.connections == 1)

    scenario()


async def send_damaged(path: Path, chance: random.Random) -> None:
    async with raw_client(path) as client:
        for _ in range(3):
            client.request(chance.choice(["Echo", "Repeat", "Fail", "None"]), framed(b"3 5"))
        data = bytearray(client.http.data_to_send())
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(24, len(data))] = chance.randrange(256)
        with contextlib.suppress(ConnectionError):
            await client.send(bytes(data[: chance.randint(24, len(data))]))
            client.sock.shutdown(socket.SHUT_WR)
            await client.read_to_end()


@in_loop
async def test_many_streams_leave_nothing(folder: Path) -> None:
    """A connection that has served thousands of requests remembers none of them."""
    async with serving(folder) as (stack, path), aio_channel(path) as channel:
        for _ in range(20):
            await asyncio.gather(*(echo(channel)(os.urandom(8)) for _ in range(100)))
        (connection,) = stack.acceptor._connections.values()
        assert (connection._streams, connection._tasks) == ({}, set())
        assert connection._outbox is not None
        http = connection._outbox.http
        assert len(http.streams) + len(http._closed_streams) < 1000
