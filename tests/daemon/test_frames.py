"""Frame boundaries in what a server sends, and where a GOAWAY may stand."""

from __future__ import annotations

import struct
from itertools import accumulate

import pytest

from llm_tools_mcp.daemon.frames import GOAWAY, FrameBoundaries

SETTINGS, HEADERS, DATA, PUSH_PROMISE, CONTINUATION = 4, 1, 0, 5, 9
END_HEADERS = 4


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!L", stream) + payload


# Payloads that look like headers, empty ones, a header block in three parts, a frame over 64 KiB.
FRAMES = [
    frame(SETTINGS, b"\x00\x00\x06" * 4),
    frame(SETTINGS, flags=1),
    frame(HEADERS, b"h" * 20, END_HEADERS, 1),
    frame(DATA, b"\x00\x00\x00\x01\x00" * 30, 0, 1),
    frame(HEADERS, b"h" * 20, 0, 3),
    frame(CONTINUATION, b"", 0, 3),
    frame(CONTINUATION, b"c" * 9, END_HEADERS, 3),
    frame(DATA, b"x" * 70_000, 0, 3),
    frame(PUSH_PROMISE, b"p", 0, 3),
    frame(CONTINUATION, b"c", END_HEADERS, 3),
]
STREAM = b"".join(FRAMES)
ENDS = list(accumulate(len(one) for one in FRAMES))
IN_HEADER_BLOCK = {4, 5, 8}
ALLOWED = {end for number, end in enumerate(ENDS) if number not in IN_HEADER_BLOCK}


def chunks(size: int) -> list[tuple[int, bytes]]:
    return [(start, STREAM[start : start + size]) for start in range(0, len(STREAM), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 10, 11, 64, 1000, 65536, len(STREAM)])
def test_boundaries_are_found_in_chunks_of_any_size(size: int) -> None:
    """For each chunk the first place is found where another frame may stand: not in a header block."""
    boundaries = FrameBoundaries()
    for start, chunk in chunks(size):
        allowed = [place - start for place in sorted(ALLOWED) if start <= place <= start + len(chunk)]
        assert boundaries.feed(chunk) == (allowed[0] if allowed else -1)
        assert boundaries.at_boundary == (start + len(chunk) in ALLOWED)


def test_nothing_may_stand_before_the_first_frame() -> None:
    """A server's connection begins with its SETTINGS, whole."""
    boundaries = FrameBoundaries()
    assert not boundaries.at_boundary
    assert boundaries.feed(FRAMES[0][:-1]) == -1
    assert not boundaries.at_boundary
    assert boundaries.feed(FRAMES[0][-1:]) == 1
    assert boundaries.at_boundary


def test_goaway_is_as_the_rfc_says() -> None:
    """RFC 9113, 6.8: stream 0; last stream 2^31-1; NO_ERROR."""
    assert frame(7, struct.pack("!LL", 2**31 - 1, 0)) == GOAWAY
