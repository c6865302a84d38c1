"""Where HTTP/2 frames begin in a stream of bytes, and the one frame that the relay puts between them."""

from __future__ import annotations

import struct

# RFC 9113: 4.1 frame header, 6.8 GOAWAY, 6.10 header blocks, which no other frame may interrupt.
_HEADER = 9
_HEADER_BLOCK_TYPES = frozenset({1, 5, 9})  # HEADERS, PUSH_PROMISE, CONTINUATION
_END_HEADERS = 4
_LAST_STREAM, _NO_ERROR = 2**31 - 1, 0

# "Open no new stream here": length 8, type 7, no flags, stream 0; all that was opened is still served.
GOAWAY = struct.pack("!xHBBLLL", 8, 7, 0, 0, _LAST_STREAM, _NO_ERROR)


class FrameBoundaries:
    """Follows what a server sends, in chunks of any size, from its first byte.

    Payloads are skipped by their length, so that a chunk costs one step per frame in it.
    """

    __slots__ = ("_next", "_open", "_split", "has_answered")

    def __init__(self) -> None:
        self.has_answered = False  # a frame of a stream came by, and not only of the connection
        self._next = 0  # where the next header begins, from the end of what was fed; negative inside of one
        self._split = b""  # what there is of that header then
        self._open = False  # whether a frame of ours may stand there

    @property
    def at_boundary(self) -> bool:
        """Whether another frame may follow on what was fed so far."""
        return self._open and self._next == 0

    def feed(self, data: bytes) -> int:
        """The first offset in `data`, its end included, where another frame may stand; -1 if there is none.

        Never before the end of the server's first frame, which has to be its SETTINGS, nor in a header block.
        """
        at, size, found = self._next, len(data), -1
        while at + _HEADER <= size:
            if found < 0 <= at and self._open:
                found = at
            end = at + _HEADER
            header = data[at:end] if at >= 0 else self._split + data[:end]
            self.has_answered = self.has_answered or any(header[5:])
            self._open = header[3] not in _HEADER_BLOCK_TYPES or bool(header[4] & _END_HEADERS)
            at = end + (header[0] << 16 | header[1] << 8 | header[2])
        if found < 0 <= at <= size and self._open:
            found = at
        self._split = data[at:] if at >= 0 else self._split + data
        self._next = at - size
        return found
