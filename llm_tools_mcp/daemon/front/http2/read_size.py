"""How much is read from a client at a time: little, while it floods us with tiny frames."""

from __future__ import annotations

# Bytes read at a time, into a buffer that stays: asyncio's own 256 KiB are mapped and unmapped at each read.
# One for all connections: a read is taken out of it in the same step that filled it.
READ_BUFFER = memoryview(bytearray(64 * 1024))
# A flood of tiny frames makes 64 KiB a step of 0.1 s, in which nobody else is served: it is read in sips, for
# as long as they are full of such frames. A hundred honest callers at once come to 300 events.
_SIP = READ_BUFFER[: 2 * 1024]
_FLOOD, _FLOOD_OF_A_SIP = 512, 32  # events


def next_buffer(former: memoryview, events: int) -> memoryview:
    """`former` is what was read into, and `events` how many that came to."""
    is_flood = events > (_FLOOD_OF_A_SIP if former is _SIP else _FLOOD)
    return _SIP if is_flood else READ_BUFFER
