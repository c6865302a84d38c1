"""One client's connection: HTTP/2 (RFC 9113) by h2, on a socket that was accepted."""

from __future__ import annotations

import asyncio
import logging
import socket
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

from .engine import Engine
from .outbox import WRITE_BUFFER, Outbox
from .read_size import READ_BUFFER, next_buffer
from .request_memory import RequestMemory
from .shutdown import Shutdown
from .stream import ClientGone, Handler, Headers, Stream

_log = logging.getLogger(__name__)

_ROOM = (WindowUpdated, RemoteSettingsChanged)


class Connection(asyncio.BufferedProtocol):
    """Serves each request of one client by a task of its own, which is cancelled when the client gives it up.

    Nothing is sent before the client's first byte: whoever only tries whether somebody listens costs nothing.
    """

    def __init__(self, sock: socket.socket, handler: Handler, request_memory: RequestMemory) -> None:
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        self._sock = sock
        self._handler = handler
        self._request_memory = request_memory
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None  # from the client's first byte until the connection is lost
        self._buffer = READ_BUFFER
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._shutdown = Shutdown(self)
        self._has_ended = self._is_aborted = False
        self._lost: asyncio.Future[None] = self._loop.create_future()

    # --- for the acceptor ---------------------------------------------------------------------------

    @property
    def is_silent(self) -> bool:
        """The client has sent nothing yet; what it has sent may still be in the kernel's buffer."""
        return self._outbox is None and not self._lost.done() and not self._has_unread()

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
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        data = bytes(READ_BUFFER[:size])
        if self._has_ended:
            return
        outbox = self._outbox or self._begin()
        try:
            events = outbox.http.receive_data(data)
        except ProtocolError as error:
            _log.debug("a client does not speak HTTP/2: %s", error)
            self._close()
            return
        self._buffer = next_buffer(self._buffer, len(events))
        for event in events:
            self._on_event(outbox.http, event)
        if any(isinstance(event, _ROOM) for event in events):
            outbox.note_room()
        outbox.flush_soon()
        self._shutdown.note_requests(len(self._streams))

    def _begin(self) -> Outbox:
        assert self._transport is not None
        self._outbox = outbox = Outbox(Engine(), self._transport)
        self._shutdown.note_first_byte()
        return outbox

    def _on_event(self, http: Engine, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._on_request(event)
        elif isinstance(event, DataReceived):
            self._on_data(http, event)
        elif isinstance(event, StreamEnded):
            self._on_request_end(event.stream_id)
        elif isinstance(event, StreamReset):
            self._on_reset(event.stream_id)
        elif isinstance(event, PingAckReceived):
            self._shutdown.note_ping_answer(event.ping_data)

    def _on_request(self, event: RequestReceived) -> None:
        self._streams[event.stream_id] = stream = Stream(self, event.stream_id, event.headers)
        if self._handler.is_ready(stream):
            self.serve(stream)

    def _on_data(self, http: Engine, event: DataReceived) -> None:
        http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._streams.get(event.stream_id)
        if stream is None or stream.task is not None:
            return
        stream.receive(event.data)
        if self._handler.is_ready(stream):
            self.serve(stream)
        else:
            self._request_memory.grow(stream, len(event.data))

    def _on_request_end(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.is_complete = True
        if stream.task is None:
            self.serve(stream)

    def serve(self, stream: Stream) -> None:
        """Begin to answer a request, however much of it has come."""
        self._request_memory.leave(stream)
        stream.task = task = self._loop.create_task(self._run(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream: Stream) -> None:
        try:
            await self._handler.handle(stream)
        except ClientGone:
            _log.debug("a client has left before its answer")
        finally:
            self._release(stream)

    def _on_reset(self, stream_id: int) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        stream.is_open = False
        self._request_memory.forget(stream)
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
        self._shutdown.cancel()
        if self._outbox:
            self._outbox.cancel()
            self._outbox.http.clear()
            self._outbox = None
        if not self._lost.done():
            self._lost.set_result(None)

    # --- what goes out ------------------------------------------------------------------------------

    def send_headers(self, stream: Stream, headers: Headers, *, end: bool) -> None:
        outbox = self._outbox_of(stream)
        outbox.http.send_headers(stream.id, headers, end_stream=end)
        stream.is_answered = end
        outbox.flush_soon()
        self._shutdown.note_answer()

    async def send_data(self, stream: Stream, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            outbox = self._outbox_of(stream)
            room = outbox.room_for(stream.id)
            if room > 0:
                outbox.http.send_data(stream.id, rest[:room])
                rest = rest[room:]
                outbox.flush_batch(room)
            else:
                await outbox.wait_for_room()

    def _outbox_of(self, stream: Stream) -> Outbox:
        if self._outbox is None or not stream.is_open:
            raise ClientGone
        return self._outbox

    def _release(self, stream: Stream) -> None:
        """Its handler is done: a request that still comes is not wanted (8.1)."""
        if self._outbox is None or not stream.is_open:
            return
        del self._streams[stream.id]
        stream.is_open = False
        self._request_memory.forget(stream)
        if not stream.is_answered:
            self._outbox.http.reset_stream(stream.id, ErrorCodes.INTERNAL_ERROR)
        elif not stream.is_complete:
            self._outbox.http.reset_stream(stream.id, ErrorCodes.NO_ERROR)
        self._outbox.flush_soon()
        self._shutdown.note_requests(len(self._streams))

    def pause_writing(self) -> None:
        """The client reads slowly. It is not read from either: each ping wants an answer."""
        if self._transport and self._outbox:
            self._outbox.is_writable = False
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport and self._outbox:
            self._outbox.is_writable = True
            self._transport.resume_reading()
            self._outbox.note_room()

    # --- the end ------------------------------------------------------------------------------------

    def announce_end(self) -> None:
        """For `Shutdown`, as all here."""
        if self._outbox is None or self._has_ended:
            return
        self._outbox.announce_end()
        self._shutdown.note_requests(len(self._streams))

    def end(self) -> None:
        """After the last answer. Our half only, and the client does the rest.

        A close would fail what it writes just now, and with that the answers that it has not read yet.
        """
        if self._transport and self._write_end():
            self._transport.write_eof()

    def close_if_sent(self) -> bool:
        """Unless a part of the last answer still waits for the client to read. False then."""
        if self._transport is None or self._transport.get_write_buffer_size():
            return False
        self._write_end()
        self._transport.close()
        return True

    def _write_end(self) -> bool:
        """False if it was written before."""
        if self._outbox is None or self._has_ended:
            return False
        self._outbox.write_end()
        self._has_ended = True
        return True

    def _close(self) -> None:
        """With h2's last word on what was wrong."""
        self._give_up()
        if self._outbox:
            self._outbox.flush()
        self._has_ended = True
        if self._transport:
            self._transport.close()
