"""One client's connection: HTTP/2 (RFC 9113) by h2, on a socket that was accepted.

A request is handed on when all of it has come. Its answer goes out as fast as the client takes it, and what
several answers have ready in the same moment goes out in one piece: that halves what a call costs both ends.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from .engine import Engine, goaway
from .shutdown import GOAWAY, PING, Shutdown
from .stream import ClientGone, Headers, Stream

_log = logging.getLogger(__name__)

# Bytes that may wait for a slow reader before its answers are held up, and how many are made at a time.
WRITE_BUFFER = 1024 * 1024
_BATCH = 256 * 1024

# Bytes read at a time, into a buffer that stays: asyncio's own 256 KiB are mapped and unmapped at each read.
# One for all connections: a read is taken out of it in the same step that filled it.
_READ_BUFFER = memoryview(bytearray(64 * 1024))

_ROOM = (WindowUpdated, RemoteSettingsChanged)

Handler = Callable[[Stream], Awaitable[None]]


class Connection(asyncio.BufferedProtocol):
    """Serves each request of one client by a task of its own, which is cancelled when the client gives it up.

    Nothing is sent before the client's first byte: whoever only tries whether somebody listens costs nothing.
    """

    def __init__(self, sock: socket.socket, handle: Handler, *, max_body: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        self._sock = sock
        self._handle = handle
        self._max_body = max_body
        self._http: Engine | None = None
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._is_aborted = False
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_writable = True
        self._room = asyncio.Event()  # rings when a window has grown or the transport writes again
        self._unsent = 0
        self._flushing: asyncio.Handle | None = None
        self._shutdown = Shutdown(self._announce_end)
        self._has_ended = False

    # --- for the acceptor ---------------------------------------------------------------------------

    @property
    def is_silent(self) -> bool:
        """The client has sent nothing yet; what it has sent may still be in the kernel's buffer."""
        return self._http is None and not self._lost.done() and not self._has_unread()

    async def run(self) -> None:
        """Serve the connection until it is closed and its tasks have ended."""
        try:
            await self._loop.connect_accepted_socket(lambda: self, self._sock)
            await self._lost
        finally:
            self.abort()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def send_goaway(self) -> None:
        """Have the client open no more streams here: now, or as soon as it can bear it."""
        self._shutdown.begin()

    def abort(self) -> None:
        """Cut the client off. The transport closes in a later turn of the loop, and run() returns then."""
        self._is_aborted = True
        if self._transport:
            self._transport.abort()

    def _has_unread(self) -> bool:
        try:
            return self._sock.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            return False

    # --- what comes in ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        if self._is_aborted:  # while the transport was being made
            self._transport.abort()

    def get_buffer(self, _size_hint: int) -> memoryview:
        return _READ_BUFFER

    def buffer_updated(self, size: int) -> None:
        data = bytes(_READ_BUFFER[:size])
        if self._has_ended:
            return
        http = self._http or self._begin()
        try:
            events = http.receive_data(data)
        except ProtocolError as error:
            _log.debug("a client does not speak HTTP/2: %s", error)
            self._close()
            return
        for event in events:
            self._on_event(http, event)
        if any(isinstance(event, _ROOM) for event in events):
            self._room_changed()
        self._flush_soon()
        self._end_if_done()

    def _begin(self) -> Engine:
        self._http = http = Engine()
        self._shutdown.note_first_byte()
        return http

    def _on_event(self, http: Engine, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._streams[event.stream_id] = Stream(self, event.stream_id, event.headers, self._max_body)
        elif isinstance(event, DataReceived):
            self._on_data(http, event)
        elif isinstance(event, StreamEnded):
            self._on_request_end(event.stream_id)
        elif isinstance(event, StreamReset):
            self._on_reset(event.stream_id)
        elif isinstance(event, PingAckReceived):
            self._shutdown.note_ping_answer(event.ping_data)

    def _on_data(self, http: Engine, event: DataReceived) -> None:
        http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._streams.get(event.stream_id)
        if stream is not None and stream.task is None:
            stream.receive(event.data)
            if stream.is_too_large:
                self._serve(stream)

    def _on_request_end(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.is_complete = True
        if stream.task is None:
            self._serve(stream)

    def _serve(self, stream: Stream) -> None:
        stream.task = task = self._loop.create_task(self._run(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream: Stream) -> None:
        try:
            await self._handle(stream)
        except ClientGone:
            _log.debug("a client has left before its answer")
        finally:
            self._release(stream)

    def _on_reset(self, stream_id: int) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        stream.is_open = False
        # A cancelled task keeps its error, and that the frames: a circle, if the stream kept the task.
        task, stream.task = stream.task, None
        if task is not None:
            task.cancel()

    def _give_up(self) -> None:
        """Nobody waits for any answer."""
        for stream_id in list(self._streams):
            self._on_reset(stream_id)

    def eof_received(self) -> None:
        """No client of gRPC ends its half only: it has gone, and what it wanted is cancelled."""
        self.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._give_up()
        if self._flushing:
            self._flushing.cancel()
        if not self._lost.done():
            self._lost.set_result(None)

    # --- what goes out ------------------------------------------------------------------------------

    def send_headers(self, stream: Stream, headers: Headers, *, end: bool) -> None:
        http = self._http_of(stream)
        http.send_headers(stream.id, headers, end_stream=end)
        stream.is_answered = end
        self._flush_soon()
        self._shutdown.note_answer()

    async def send_data(self, stream: Stream, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            http = self._http_of(stream)
            room = min(http.local_flow_control_window(stream.id), http.max_outbound_frame_size)
            if room > 0 and self._is_writable:
                http.send_data(stream.id, rest[:room])
                rest = rest[room:]
                self._flush_batch(room)
            else:
                await self._room.wait()

    def _http_of(self, stream: Stream) -> Engine:
        if self._http is None or not stream.is_open:
            raise ClientGone
        return self._http

    def _release(self, stream: Stream) -> None:
        """Its handler is done: a request that still comes is not wanted (8.1)."""
        if self._http is None or not stream.is_open:
            return
        del self._streams[stream.id]
        stream.is_open = False
        if not stream.is_answered:
            self._http.reset_stream(stream.id, ErrorCodes.INTERNAL_ERROR)
        elif not stream.is_complete:
            self._http.reset_stream(stream.id, ErrorCodes.NO_ERROR)
        self._flush_soon()
        self._end_if_done()

    def _flush_batch(self, size: int) -> None:
        """`size` more bytes wait: not too many of them at a time, since the client may not take them."""
        self._unsent += size
        if self._unsent >= _BATCH:
            self._flush()
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        """In the next turn of the loop, together with what other streams have ready by then."""
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing:
            self._flushing.cancel()
            self._flushing = None
        if self._http is None or self._transport is None or self._transport.is_closing() or self._has_ended:
            return
        self._unsent = 0
        if data := self._http.data_to_send():  # whole frames, and header blocks in one piece
            self._transport.write(data)

    def _announce_end(self) -> None:
        if self._http is None or self._transport is None or self._has_ended:
            return
        self._flush()
        self._transport.write(GOAWAY)
        self._http.ping(PING)
        self._flush_soon()

    def _end_if_done(self) -> None:
        """After the GOAWAY and the last answer. Our half only, and the client does the rest.

        A close would fail what it writes just now, and with that the answers that it has not read yet.
        """
        if not self._shutdown.is_heard or self._streams or self._has_ended:
            return
        self._flush()
        self._has_ended = True
        if self._transport and self._http:
            self._transport.write(goaway(self._http.highest_inbound_stream_id))
            self._transport.write_eof()

    def _close(self) -> None:
        """With h2's last word on what was wrong."""
        self._give_up()
        self._flush()
        self._has_ended = True
        if self._transport:
            self._transport.close()

    def pause_writing(self) -> None:
        """The client reads slowly. It is not read from either: each ping wants an answer."""
        self._is_writable = False
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_writable = True
        if self._transport:
            self._transport.resume_reading()
        self._room_changed()

    def _room_changed(self) -> None:
        """Whoever waits to send looks again."""
        self._room.set()
        self._room.clear()
