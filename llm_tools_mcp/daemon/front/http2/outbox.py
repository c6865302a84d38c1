"""Bytes on their way to a client: as fast as it takes them, and those of one moment in one piece."""

from __future__ import annotations

import asyncio

from .engine import Engine, goaway

# First all that the client may have opened by then are served, and at the end those that have come: what it
# opened after all it tries elsewhere. The ping between them says when it has heard of the first.
GOAWAY = goaway(2**31 - 1)
PING = b"goodbye!"

# Bytes that may wait for a slow reader before its answers are held up, and how many are made at a time.
WRITE_BUFFER = 1024 * 1024
_BATCH = 256 * 1024


class Outbox:
    """Sends what the engine has ready. What several answers have in the same moment goes out together."""

    def __init__(self, http: Engine, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self.http = http
        self._transport = transport
        self._room = asyncio.Event()  # rings when a window has grown or the transport writes again
        self._unsent = 0
        self._flushing: asyncio.Handle | None = None
        self.is_writable = True

    def room_for(self, stream_id: int) -> int:
        """Bytes of an answer that may go out now."""
        if not self.is_writable:
            return 0
        return min(self.http.local_flow_control_window(stream_id), self.http.max_outbound_frame_size)

    async def wait_for_room(self) -> None:
        await self._room.wait()

    def note_room(self) -> None:
        """Whoever waits to send looks again."""
        self._room.set()
        self._room.clear()

    def flush_batch(self, size: int) -> None:
        """`size` more bytes wait: not too many of them at a time, since the client may not take them."""
        self._unsent += size
        if self._unsent >= _BATCH:
            self.flush()
        else:
            self.flush_soon()

    def flush_soon(self) -> None:
        """In the next turn of the loop, together with what other streams have ready by then."""
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self.flush)

    def flush(self) -> None:
        self.cancel()
        self._unsent = 0
        if self._transport.is_closing():
            return
        if data := self.http.data_to_send():  # whole frames, and header blocks in one piece
            self._transport.write(data)

    def announce_end(self) -> None:
        """All that the client may have opened by now is served; the ping's answer says that it has heard."""
        self.flush()
        self._transport.write(GOAWAY)
        self.http.ping(PING)
        self.flush_soon()

    def write_end(self) -> None:
        """What has come was served. Nothing may follow."""
        self.flush()
        self._transport.write(goaway(self.http.highest_inbound_stream_id))

    def cancel(self) -> None:
        """What is to come of it is not sent."""
        if self._flushing:
            self._flushing.cancel()
        self._flushing = None
