"""The relay between real gRPC clients and a real gRPC server: bytes, accounting, uids, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import random
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from llm_tools_mcp.daemon import relay as relay_module
from tests.daemon.stack import Stack, aio_channel, connect, echo, hang, in_loop, listener, piped, repeat
from tests.waiting import wait_until_async

NOBODY = 65534


@contextlib.asynccontextmanager
async def serving(folder: Path, **options: frozenset[int]) -> AsyncIterator[tuple[Stack, Path]]:
    """A stack that listens on the yielded path; nothing may reach the loop's exception handler."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    path, stack = folder / "s.sock", Stack(folder, **options)
    with listener(path) as sock:
        await stack.start(sock)
        try:
            yield stack, path
        finally:
            await stack.close()
    assert stack.relay.connections == 0
    assert complaints == []


async def receive_all(sock: socket.socket) -> bytes:
    loop, parts = asyncio.get_running_loop(), []
    while part := await loop.sock_recv(sock, 65536):
        parts.append(part)
    return b"".join(parts)


@in_loop
async def test_calls_pass(folder: Path) -> None:
    """Unary calls and streams come back as they are, in messages small and big."""
    async with serving(folder) as (_, path), aio_channel(path) as channel:
        for size in (0, 1, 100_000, 10_000_000):
            message = random.randbytes(size)
            assert await echo(channel)(message) == message
        assert [len(part) async for part in repeat(channel)(b"50 20000")] == [20_000] * 50


@in_loop
async def test_two_hundred_clients_at_once(folder: Path) -> None:
    """Many connections are served side by side, counted, and forgotten."""
    async with serving(folder) as (stack, path):
        channels = [aio_channel(path) for _ in range(200)]
        answers = await asyncio.gather(*(echo(channel)(b"%d" % n) for n, channel in enumerate(channels)))
        assert answers == [b"%d" % n for n in range(200)]
        assert stack.relay.connections == 200
        for channel in channels:
            await channel.close()
        await asyncio.wait_for(stack.relay.wait_closed(), 60)
        assert stack.relay.connections == 0
        assert (max(stack.changes), stack.changes[-1]) == (200, 0)


@in_loop
async def test_cancellation_reaches_the_server(folder: Path) -> None:
    """A call that its client cancels is cancelled in the server, and the connection goes on."""
    async with serving(folder) as (stack, path), aio_channel(path) as channel:
        call = hang(channel)(b"")
        await wait_until_async(lambda: stack.hanging == 1)
        call.cancel()
        await wait_until_async(lambda: stack.cancelled == 1)
        assert await echo(channel)(b"on") == b"on"


@in_loop
async def test_killed_client_is_noticed_by_the_server(folder: Path) -> None:
    """The calls of a client that is no more are cancelled at once, and its connection is over."""
    async with serving(folder) as (stack, path):
        program = "import grpc, sys; grpc.insecure_channel(sys.argv[1]).unary_unary('/test.Test/Hang')(b'')"
        client = await asyncio.create_subprocess_exec(sys.executable, "-c", program, f"unix:{path}")
        try:
            await wait_until_async(lambda: stack.hanging == 1)
        finally:
            client.kill()
            await client.wait()
        await wait_until_async(lambda: stack.cancelled == 1)
        await asyncio.wait_for(stack.relay.wait_closed(), 60)


@in_loop
async def test_server_that_stops_ends_the_connections(folder: Path) -> None:
    """What the server closes is closed for the client, with its last words."""
    async with serving(folder) as (stack, path), aio_channel(path) as channel:
        await echo(channel)(b"")
        call = asyncio.ensure_future(hang(channel)(b""))
        await wait_until_async(lambda: stack.hanging == 1)
        await stack.stop_server()
        with pytest.raises(grpc.RpcError):
            await call
        await asyncio.wait_for(stack.relay.wait_closed(), 60)


@in_loop
async def test_probe_never_reaches_the_server(folder: Path) -> None:
    """Connecting to see whether somebody listens opens nothing behind the relay, and is over at once."""
    path, stack = folder / "s.sock", Stack(folder)
    with listener(path) as sock, socket.socket(socket.AF_UNIX) as upstream:
        upstream.bind(str(stack.upstream))
        upstream.listen()
        upstream.setblocking(False)
        stack.relay.start([sock])
        probe = await connect(path)
        await wait_until_async(lambda: stack.changes == [1])
        probe.close()
        await asyncio.wait_for(stack.relay.wait_closed(), 60)
        assert stack.changes == [1, 0]
        with pytest.raises(BlockingIOError):
            upstream.accept()
        await stack.close()


@in_loop
async def test_half_close_is_passed_on(folder: Path) -> None:
    """Either side may end its half first; the other half goes on until it ends, too."""
    loop, big = asyncio.get_running_loop(), random.randbytes(3_000_000)
    for first in (0, 1):
        (folder / str(first)).mkdir()
        async with piped(folder / str(first)) as (client, server, stack):
            ender, other = ((client, server), (server, client))[first]
            ender.shutdown(socket.SHUT_WR)
            assert await loop.sock_recv(other, 1) == b""
            sending = asyncio.ensure_future(loop.sock_sendall(other, big))
            sending.add_done_callback(lambda _, other=other: other.shutdown(socket.SHUT_WR))
            assert await receive_all(ender) == big
            await asyncio.wait_for(stack.relay.wait_closed(), 60)


@pytest.mark.parametrize("slow", ["client", "server"])
def test_slow_reader_holds_the_writer_up(folder: Path, slow: str) -> None:
    """What one side does not read stops the other from sending: the relay's memory stays bounded."""

    @in_loop
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with piped(folder) as (client, server, _):
            reader, writer = (client, server) if slow == "client" else (server, client)
            sent = 0
            while await _writable(writer):
                with contextlib.suppress(BlockingIOError):
                    sent += writer.send(bytes(65536))
            assert 500_000 < sent < 4_000_000
            received = 0
            while received < sent:
                received += len(await loop.sock_recv(reader, 1_000_000))
            assert received == sent
            assert await _writable(writer)

    scenario()


async def _readable(sock: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock.fileno(), ready.set)
    await ready.wait()
    loop.remove_reader(sock.fileno())


async def _writable(sock: socket.socket) -> bool:
    """Whether `sock` takes bytes before everything on the way stands still."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(sock.fileno(), ready.set)
    try:
        await asyncio.wait_for(ready.wait(), 0.5)
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_writer(sock.fileno())
    return True


@in_loop
async def test_slow_grpc_client_gets_everything(folder: Path) -> None:
    """A client that reads a long stream in bits is neither cut off nor does it hold others up."""
    async with serving(folder) as (_, path), aio_channel(path) as slow, aio_channel(path) as quick:
        sizes = []
        async for part in repeat(slow)(b"100 200000"):
            sizes.append(len(part))
            assert await echo(quick)(b"meanwhile") == b"meanwhile"
        assert sizes == [200_000] * 100


@pytest.mark.parametrize("reset", ["client", "server"])
def test_reset_of_one_side_ends_the_other(folder: Path, reset: str) -> None:
    """A side that closes with unread data resets its connection; nothing is left open on the other."""

    @in_loop
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with piped(folder) as (client, server, stack):
            gone, left = (client, server) if reset == "client" else (server, client)
            await loop.sock_sendall(left, b"unread")
            await _readable(gone)
            gone.close()
            with contextlib.suppress(ConnectionError):
                assert await receive_all(left) == b""
            left.close()
            await asyncio.wait_for(stack.relay.wait_closed(), 60)

    scenario()


@in_loop
async def test_server_that_is_not_there(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the gRPC server cannot be reached the client is let go, and the log says why."""
    stack = Stack(folder)
    with listener(folder / "s.sock") as front:
        stack.relay.start([front])
        with await connect(folder / "s.sock") as client:
            await asyncio.get_running_loop().sock_sendall(client, b"hello")
            with contextlib.suppress(ConnectionResetError):
                assert await receive_all(client) == b""
        await asyncio.wait_for(stack.relay.wait_closed(), 60)
        await stack.close()
    assert "cannot reach the gRPC server" in caplog.text


@in_loop
async def test_full_queue_of_the_server_is_waited_for(folder: Path) -> None:
    """More clients than the server's queue holds: nobody is dropped, all arrive when it accepts."""
    loop, stack = asyncio.get_running_loop(), Stack(folder)
    with listener(folder / "s.sock") as front, listener(stack.upstream) as back:
        back.listen(0)
        stack.relay.start([front])
        clients = [await connect(folder / "s.sock") for _ in range(5)]
        for number, client in enumerate(clients):
            await loop.sock_sendall(client, b"%d" % number)
        await wait_until_async(lambda: stack.relay.connections == 5)
        servers = [(await loop.sock_accept(back))[0] for _ in clients]
        for server in servers:
            server.setblocking(False)
        assert sorted([await loop.sock_recv(server, 9) for server in servers]) == [
            b"0",
            b"1",
            b"2",
            b"3",
            b"4",
        ]
        await stack.close()
        for sock in (*clients, *servers):
            sock.close()


@in_loop
async def test_aclose_does_not_wait_for_a_full_queue(folder: Path) -> None:
    """Clients that wait for a server that accepts nobody are cut off like the others."""
    loop, stack = asyncio.get_running_loop(), Stack(folder)
    with listener(folder / "s.sock") as front, listener(stack.upstream) as back:
        back.listen(0)
        stack.relay.start([front])
        clients = [await connect(folder / "s.sock") for _ in range(5)]
        for client in clients:
            await loop.sock_sendall(client, b"hello")
        await wait_until_async(lambda: stack.relay.connections == 5)
        await asyncio.wait_for(stack.close(), 30)
        assert stack.relay.connections == 0
        for client in clients:
            client.close()


@in_loop
async def test_aclose_cuts_off_what_is_left(folder: Path) -> None:
    """Connections in every state are gone after aclose(), which may be called again."""
    async with serving(folder) as (stack, path), aio_channel(path) as channel:
        call = asyncio.ensure_future(hang(channel)(b""))
        silent = [await connect(path) for _ in range(3)]
        await wait_until_async(lambda: stack.hanging == 1 and stack.relay.connections == 4)
        silent.append(await connect(path))
        await stack.relay.aclose()
        await stack.relay.aclose()
        assert stack.relay.connections == 0
        with pytest.raises(grpc.RpcError):
            await call
        for sock in silent:
            sock.close()


def open_to_all(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o666)


def _connect_as(uid: int, path: Path) -> int:
    """Fork a child of another uid, which exits with 0 when it was served, 1 when it was cut off, else 2."""
    if child := os.fork():
        return child
    code = 2
    try:
        os.setuid(uid)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(path))
            code = 1
            with contextlib.suppress(BrokenPipeError):
                sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            code = 0 if sock.recv(1) else 1
    except ConnectionResetError:
        code = 1
    finally:
        os._exit(code)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("allowed", "code"), [({0}, 1), ({0, NOBODY}, 0)])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the child only makes system calls
def test_client_of_another_user_is_refused(
    folder: Path, caplog: pytest.LogCaptureFixture, allowed: set[int], code: int
) -> None:
    """Even where the socket's mode lets them in, other users are cut off, and the log has their uid."""

    @in_loop
    async def scenario() -> None:
        async with serving(folder, allowed_uids=frozenset(allowed)) as (_, path):
            open_to_all(path)
            child = _connect_as(NOBODY, path)
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            assert os.waitstatus_to_exitcode(status) == code

    scenario()
    assert (f"runs as uid {NOBODY}" in caplog.text) == (code == 1)


@contextlib.contextmanager
def no_free_descriptor() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[0] + 1, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)


@in_loop
async def test_running_out_of_descriptors_is_survived(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without free descriptors clients wait in the queue; one warning is logged, and then they are served."""
    monkeypatch.setattr(relay_module, "ACCEPT_PAUSE", 0.01)
    async with serving(folder) as (stack, path):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        with no_free_descriptor():
            client.connect(str(path))
            await wait_until_async(lambda: "cannot accept clients" in caplog.text)
        await wait_until_async(lambda: stack.relay.connections == 1)
        client.close()
    assert [r.levelno for r in caplog.records if r.name == relay_module.__name__] == [logging.WARNING]
    assert os.strerror(errno.EMFILE) in caplog.text
