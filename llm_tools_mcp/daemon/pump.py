"""One client's connection, pumped to the gRPC server and back: flow control, half-close, GOAWAY.

Plain transports and protocols: what arrives at one end is written to the other one, as it is.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from enum import Enum
from pathlib import Path
from typing import cast

from .frames import GOAWAY, FrameBoundaries

log = logging.getLogger(__name__)

# Bytes that may wait for a slow reader before whoever writes to it is paused.
WRITE_BUFFER = 1024 * 1024

# A client that reads GOAWAY before it has taken the connection for ready spins on it until its deadline
# (seen with grpc 1.85). An answer to a call shows that it has; else it gets this many seconds.
SETTLING = 0.25

# Bytes read at a time, into a buffer that stays: asyncio's own 256 KiB are mapped and unmapped at each read.
# One for all connections: a read is taken out of it in the same step that filled it.
_READ_BUFFER = memoryview(bytearray(64 * 1024))

# Seconds between two tries to connect to a gRPC server whose queue is full.
QUEUE_FULL_PAUSE = 0.01


class Connection:
    """From an accepted client to the gRPC server, which is connected to at the client's first byte.

    So whoever only tries whether somebody listens never reaches the server.
    """

    def __init__(self, sock: socket.socket, upstream: Path) -> None:
        self.since = asyncio.get_running_loop().time()
        self._sock = sock
        self._upstream = upstream
        self._client, self._server = _ClientEnd(), _ServerEnd()
        self._client.other, self._server.other = self._server, self._client

    @property
    def is_silent(self) -> bool:
        """The client has sent nothing yet; what it has sent may still be in the kernel's buffer."""
        return not self._client.first_byte.done() and not self._has_unread()

    def send_goaway(self) -> None:
        """Have the client open no more streams here: now, or as soon as the frames allow it."""
        self._server.send_goaway()

    def abort(self) -> None:
        """Cut off both sides. The transports close in a later turn of the loop, and run() returns then."""
        self._client.abort()
        self._server.abort()

    async def run(self) -> None:
        """Serve the connection until both sides are closed."""
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: self._client, self._sock)
            if await self._client.first_byte:
                await self._open_upstream()
            await self._client.lost
            if self._server.transport:
                await self._server.lost
        finally:
            self.abort()

    async def _open_upstream(self) -> None:
        try:
            sock = await self._connect()
            await asyncio.get_running_loop().create_unix_connection(lambda: self._server, sock=sock)
        except OSError as error:
            if not self._client.is_aborted:
                log.warning("cannot reach the gRPC server at %s: %s", self._upstream, error)
            self.abort()
        else:
            self._client.flow()

    async def _connect(self) -> socket.socket:
        # Not loop.sock_connect(): it waits after EAGAIN, which for a unix socket says that the queue is
        # full and that nothing was begun, and then takes the socket for connected.
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            while not (_connected(sock, self._upstream) or self._server.is_aborted):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(QUEUE_FULL_PAUSE)
        except BaseException:
            sock.close()
            raise
        return sock  # once aborted, its transport ends it at once

    def _has_unread(self) -> bool:
        try:
            return self._sock.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            return False


def _connected(sock: socket.socket, path: Path) -> bool:
    try:
        sock.connect(str(path))
    except BlockingIOError:
        return False
    return True


class _End(asyncio.BufferedProtocol):
    """One side of a connection; `lost` is done when its transport is closed."""

    other: _End

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.is_aborted = False
        self.has_ended = False  # it has sent EOF

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        if self.is_aborted:  # while the transport was being made
            self.transport.abort()

    def get_buffer(self, _size_hint: int) -> memoryview:
        return _READ_BUFFER

    def buffer_updated(self, size: int) -> None:
        self.data_received(bytes(_READ_BUFFER[:size]))

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def eof_received(self) -> bool:
        """Pass a half-close on; the second one ends the connection, after what is still to be written."""
        self.has_ended = True
        if self.other.has_ended or self.other.transport is None:
            self.other.close()
            return False
        self.other.transport.write_eof()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        if self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport:
            self.other.transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        if self.transport:
            self.transport.close()

    def abort(self) -> None:
        self.is_aborted = True
        if self.transport:
            self.transport.abort()


class _ClientEnd(_End):
    """Holds the first bytes back until the gRPC server is connected.

    `first_byte` becomes False when there never was one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first_byte: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._early = b""

    def data_received(self, data: bytes) -> None:
        if self.other.transport is None and self.transport:
            self.transport.pause_reading()
            self._early = data
            if not self.first_byte.done():
                self.first_byte.set_result(True)
            return
        self.other.write(data)

    def flow(self) -> None:
        """The server is connected. Reading goes on first: the write may pause it again."""
        if self.transport:
            self.transport.resume_reading()
        self.other.write(self._early)
        self._early = b""

    def connection_lost(self, error: Exception | None) -> None:
        if not self.first_byte.done():
            self.first_byte.set_result(False)
        if error:  # nobody is left to read: the server shall know at once, and cancel what it does
            self.other.abort()
        else:
            self.other.close()
        super().connection_lost(error)


class _Goaway(Enum):
    NOT_DUE = "not due"
    DUE = "due"
    SENT = "sent"


class _ServerEnd(_End):
    """Follows the frames of the server, to put a GOAWAY between two of them when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self._frames = FrameBoundaries()
        self._goaway = _Goaway.NOT_DUE
        self._settled_at: float | None = None  # on the loop's clock, from the server's first byte on

    def send_goaway(self) -> None:
        if self._goaway is _Goaway.SENT:
            return
        self._goaway = _Goaway.DUE
        if not self._is_settled():
            self._send_once_settled()
        elif self._frames.at_boundary and not self.has_ended:
            self._goaway = _Goaway.SENT
            self.other.write(GOAWAY)

    def data_received(self, data: bytes) -> None:
        if self._settled_at is None:
            self._settled_at = asyncio.get_running_loop().time() + SETTLING
            if self._goaway is _Goaway.DUE:
                self._send_once_settled()
        if self._goaway is not _Goaway.SENT:
            boundary = self._frames.feed(data)
            if self._goaway is _Goaway.DUE and boundary >= 0 and self._is_settled():
                self._goaway = _Goaway.SENT
                data = b"".join((data[:boundary], GOAWAY, data[boundary:]))
        self.other.write(data)

    def _is_settled(self) -> bool:
        if self._settled_at is None:
            return False
        return self._frames.has_answered or asyncio.get_running_loop().time() >= self._settled_at

    def _send_once_settled(self) -> None:
        if self._settled_at is not None:
            asyncio.get_running_loop().call_at(self._settled_at, self.send_goaway)

    def connection_lost(self, error: Exception | None) -> None:
        # What the server has said goes out first, the reason for its leaving with it.
        self.other.close()
        super().connection_lost(error)
