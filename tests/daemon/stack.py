"""Our gRPC server behind a real acceptor, channels as the client makes them, and a client of bare HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.wrappers_pb2 import BytesValue
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event

from llm_tools_mcp.daemon.front.acceptor import Acceptor
from llm_tools_mcp.daemon.front.http2 import Connection, RequestMemory
from llm_tools_mcp.daemon.front.rpc import Code, Method, RpcError, Server, Write, unary

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
MAX_MESSAGE = 16 * 1024 * 1024
MAX_UNFINISHED = 32 * 1024 * 1024

E = TypeVar("E", bound=Event)
Frame = tuple[int, int, bytes]  # type, flags, payload


class Stack:
    """Serves Echo (bytes back), Repeat (a stream: "COUNT SIZE"), Hang (until it is cancelled) and Fail."""

    def __init__(self, *, allowed_uids: frozenset[int] | None = None) -> None:
        self.changes: list[int] = []
        self.hanging = self.cancelled = self.served = self.written = 0
        allowed = frozenset({os.geteuid()}) if allowed_uids is None else allowed_uids
        methods = {
            "/test.Test/Echo": Method(BytesValue, unary(self._echo)),
            "/test.Test/Repeat": Method(BytesValue, self._repeat),
            "/test.Test/Hang": Method(BytesValue, unary(self._hang)),
            "/test.Test/Fail": Method(BytesValue, self._fail),
        }
        self._server = Server(methods, max_message=MAX_MESSAGE)
        self.sizes: list[int] = []  # of the requests that are over
        self._request_memory = RequestMemory(MAX_UNFINISHED, self.sizes.append)
        self.acceptor = Acceptor(self._connect, allowed_uids=allowed, on_change=self._changed)

    def _connect(self, sock: socket.socket) -> Connection:
        return Connection(sock, self._server, self._request_memory)

    def start(self, *listeners: socket.socket) -> None:
        self.acceptor.start(listeners)

    async def drain(self) -> None:
        """End without loss, as the daemon does at SIGTERM with an inherited socket."""
        self.acceptor.stop_accepting()
        self.acceptor.send_goaway()
        await asyncio.wait_for(self.acceptor.wait_closed(), 60)

    async def close(self) -> None:
        await self.acceptor.aclose()

    def _changed(self) -> None:
        self.changes.append(self.acceptor.connections)

    async def _echo(self, request: BytesValue) -> BytesValue:
        self.served += 1
        return request

    async def _repeat(self, request: BytesValue, write: Write) -> None:
        count, size = map(int, request.value.split())
        for _ in range(count):
            await write(BytesValue(value=bytes(size)))
            self.written += size

    async def _hang(self, _request: BytesValue) -> BytesValue:
        self.hanging += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.hanging -= 1
            self.cancelled += 1
        raise AssertionError

    async def _fail(self, request: BytesValue, write: Write) -> None:
        """How is the request's text: "late" after a message, "bug" with an error of no RPC."""
        how = request.value.decode()
        if how.startswith("late"):
            await write(BytesValue(value=b"before"))
        if how.endswith("bug"):
            raise ZeroDivisionError("secret details")
        raise RpcError(Code.INVALID_ARGUMENT, f"50% of {how}\nare wröng")


def is_of_grpc(context: dict[str, object]) -> bool:
    """The client's poller, one for all loops of a process.

    It wakes a loop for an event that another one has taken (grpc/grpc#25364), or takes one that belongs to
    the loop of a test before, which is closed.
    """
    is_poller = "PollerCompletionQueue" in str(context.get("message"))
    return is_poller and isinstance(context.get("exception"), BlockingIOError | RuntimeError)


@contextlib.asynccontextmanager
async def serving(folder: Path, **options: frozenset[int]) -> AsyncIterator[tuple[Stack, Path]]:
    """A stack that listens on the yielded path; nothing may reach the loop's exception handler."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: None if is_of_grpc(context) else complaints.append(context)
    )
    path, stack = folder / "s.sock", Stack(**options)
    with listener(path) as sock:
        stack.start(sock)
        try:
            yield stack, path
        finally:
            await stack.close()
    assert stack.acceptor.connections == 0
    assert complaints == [], complaints


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


def _wrapped(value: bytes) -> bytes:
    return BytesValue(value=value).SerializeToString()


def _unwrapped(data: bytes) -> bytes:
    return BytesValue.FromString(data).value


def echo(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., Any]:
    return channel.unary_unary("/test.Test/Echo", _wrapped, _unwrapped)


def repeat(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., Any]:
    return channel.unary_stream("/test.Test/Repeat", _wrapped, _unwrapped)


def hang(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., Any]:
    return channel.unary_unary("/test.Test/Hang", _wrapped, _unwrapped)


def fail(channel: grpc.Channel | grpc.aio.Channel) -> Callable[..., Any]:
    return channel.unary_stream("/test.Test/Fail", _wrapped, _unwrapped)


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


class RawClient:
    """HTTP/2 by hand: `http` is h2's connection, `seen` what it made of the server's bytes in `received`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.http.initiate_connection()
        self.received = b""
        self.seen: list[Event] = []

    def request(self, method: str, body: bytes, *, end: bool = True, **headers: str) -> int:
        """Begin a request; the number of its stream."""
        stream = self.http.get_next_available_stream_id()
        pseudo = {":method": "POST", ":scheme": "http", ":path": f"/test.Test/{method}", ":authority": "x"}
        usual = {"content-type": "application/grpc", "te": "trailers"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.http.send_headers(stream, list({**pseudo, **usual, **named}.items()))
        self.http.send_data(stream, body, end_stream=end)
        return stream

    async def flush(self) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, self.http.data_to_send())

    async def send(self, data: bytes) -> None:
        await self.flush()
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def until(self, kind: type[E]) -> E:
        """Send what is due and read until there is such an event. Raises ConnectionResetError."""
        while not (found := [event for event in self.seen if isinstance(event, kind)]):
            await self.flush()
            if not (data := await asyncio.get_running_loop().sock_recv(self.sock, 65536)):
                raise ConnectionResetError
            self.received += data
            self.seen += self.http.receive_data(data)
        return found[0]

    async def frames_until(self, is_enough: Callable[[list[Frame]], bool]) -> list[Frame]:
        """Read frames without h2."""
        found: list[Frame] = []
        while not is_enough(found):
            size = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + size:
                self.received += await asyncio.get_running_loop().sock_recv(self.sock, 65536)
                continue
            found.append((self.received[3], self.received[4], self.received[9 : 9 + size]))
            self.received = self.received[9 + size :]
        return found

    async def read_to_end(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            while data := await asyncio.get_running_loop().sock_recv(self.sock, 65536):
                self.received += data


def framed(value: bytes) -> bytes:
    """A message as it goes over the wire."""
    message = _wrapped(value)
    return b"\0" + len(message).to_bytes(4, "big") + message


@contextlib.asynccontextmanager
async def raw_client(path: Path) -> AsyncIterator[RawClient]:
    with await connect(path) as sock:
        yield RawClient(sock)
