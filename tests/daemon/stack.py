"""A real grpc.aio server behind a real relay, and channels to it as the client makes them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc

from llm_tools_mcp.daemon.relay import Relay

CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # The time limit of one connect: a client in the queue waits that long for the next daemon.
    ("grpc.min_reconnect_backoff_ms", 20_000),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)
MESSAGE_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

_numbers = itertools.count()


class Stack:
    """Serves Echo (bytes back), Repeat (a stream: "COUNT SIZE") and Hang (until it is cancelled)."""

    def __init__(self, folder: Path, *, allowed_uids: frozenset[int] | None = None) -> None:
        self.upstream = folder / f"grpc-{next(_numbers)}.sock"
        self.changes: list[int] = []
        self.hanging = self.cancelled = self.served = 0
        allowed = frozenset({os.geteuid()}) if allowed_uids is None else allowed_uids
        self.relay = Relay(self.upstream, allowed_uids=allowed, on_change=self._changed)
        self.server: grpc.aio.Server | None = None

    async def start(self, *listeners: socket.socket) -> None:
        handlers = {
            "Echo": grpc.unary_unary_rpc_method_handler(self._echo),
            "Repeat": grpc.unary_stream_rpc_method_handler(self._repeat),
            "Hang": grpc.unary_unary_rpc_method_handler(self._hang),
        }
        self.server = grpc.aio.server(options=MESSAGE_OPTIONS)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
        self.server.add_insecure_port(f"unix:{self.upstream}")
        await self.server.start()
        self.relay.start(listeners)

    async def stop_server(self) -> None:
        if self.server:
            await self.server.stop(None)
        self.server = None  # its __del__ needs the running loop
        await asyncio.sleep(0)

    async def drain(self) -> None:
        """End without loss, as the daemon does at SIGTERM with an inherited socket."""
        self.relay.stop_accepting()
        self.relay.send_goaway()
        await asyncio.wait_for(self.relay.wait_closed(), 60)
        await self.stop_server()

    async def close(self) -> None:
        await self.relay.aclose()
        await self.stop_server()

    def _changed(self) -> None:
        self.changes.append(self.relay.connections)

    async def _echo(self, request: bytes, _context: object) -> bytes:
        self.served += 1
        return request

    async def _repeat(self, request: bytes, _context: object) -> AsyncIterator[bytes]:
        count, size = map(int, request.split())
        for _ in range(count):
            yield bytes(size)

    async def _hang(self, _request: bytes, _context: object) -> bytes:
        self.hanging += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.hanging -= 1
            self.cancelled += 1
        return b""


def listener(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(1024)
    sock.setblocking(False)
    return sock


def aio_channel(path: Path) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{path}", options=CHANNEL_OPTIONS)


def sync_channel(path: Path) -> grpc.Channel:
    return grpc.insecure_channel(f"unix:{path}", options=CHANNEL_OPTIONS)


def echo(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., object]:
    return channel.unary_unary("/test.Test/Echo")


def repeat(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., object]:
    return channel.unary_stream("/test.Test/Repeat")


def hang(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., object]:
    return channel.unary_unary("/test.Test/Hang")


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test in an event loop."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 100))

    return run


async def connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, str(path))
    return sock


@contextlib.asynccontextmanager
async def piped(folder: Path) -> AsyncIterator[tuple[socket.socket, socket.socket, Stack]]:
    """A raw client and the raw server's end of its connection, which has begun with the byte 0."""
    loop = asyncio.get_running_loop()
    stack = Stack(folder)
    with listener(folder / "s.sock") as front, listener(stack.upstream) as back:
        stack.relay.start([front])
        client = await connect(folder / "s.sock")
        await loop.sock_sendall(client, b"\0")
        server, _ = await loop.sock_accept(back)
        server.setblocking(False)
        assert await loop.sock_recv(server, 1) == b"\0"
        with client, server:
            try:
                yield client, server, stack
            finally:
                await stack.close()
