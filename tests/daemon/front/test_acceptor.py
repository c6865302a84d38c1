"""The acceptor: who is let in, who is counted, and what becomes of clients that cannot be taken."""

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
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from llm_tools_mcp.daemon.front import acceptor as acceptor_module
from tests.daemon.stack import aio_channel, connect, echo, hang, in_loop, repeat, serving
from tests.waiting import wait_until_async

NOBODY = 65534


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
        assert stack.acceptor.connections == 200
        for channel in channels:
            await channel.close()
        await asyncio.wait_for(stack.acceptor.wait_closed(), 60)
        assert stack.acceptor.connections == 0
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
        await asyncio.wait_for(stack.acceptor.wait_closed(), 60)


@in_loop
async def test_aclose_cuts_off_what_is_left(folder: Path) -> None:
    """Connections in every state are gone after aclose(), which may be called again."""
    async with serving(folder) as (stack, path), aio_channel(path) as channel:
        call = asyncio.ensure_future(hang(channel)(b""))
        silent = [await connect(path) for _ in range(3)]
        await wait_until_async(lambda: stack.hanging == 1 and stack.acceptor.connections == 4)
        silent.append(await connect(path))
        await stack.acceptor.aclose()
        await stack.acceptor.aclose()
        assert stack.acceptor.connections == 0
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
    monkeypatch.setattr(acceptor_module, "ACCEPT_PAUSE", 0.01)
    async with serving(folder) as (stack, path):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        with no_free_descriptor():
            client.connect(str(path))
            await wait_until_async(lambda: "cannot accept clients" in caplog.text)
        await wait_until_async(lambda: stack.acceptor.connections == 1)
        client.close()
    assert [r.levelno for r in caplog.records if r.name == acceptor_module.__name__] == [logging.WARNING]
    assert os.strerror(errno.EMFILE) in caplog.text
