"""When a connection may be ended so that no call is lost by it (RFC 9113, 6.8): the daemon drains."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .engine import goaway

# First all that the client may have opened by then are served, and at the end those that have come: what it
# opened after all it tries elsewhere. The ping between them says when it has heard of the first.
GOAWAY = goaway(2**31 - 1)
PING = b"goodbye!"

# A client that reads GOAWAY before it has taken the connection for ready spins on it until its deadline
# (seen with grpc 1.85). An answer to a call shows that it has; else it gets this many seconds.
SETTLING = 0.25


class Shutdown:
    """`announce` is called once, when the client can bear it: it sends GOAWAY and the ping after it."""

    def __init__(self, announce: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._announce = announce
        self._is_due = self._is_announced = self._has_answered = False
        self._settled_at: float | None = None  # on the loop's clock, from the client's first byte on
        self.is_heard = False  # the client has read the announcement: what it opens is opened elsewhere

    def begin(self) -> None:
        """Announce the end: now, or as soon as the client has settled."""
        self._is_due = True
        self._announce_if_settled()

    def note_first_byte(self) -> None:
        self._settled_at = self._loop.time() + SETTLING
        self._announce_if_settled()

    def note_answer(self) -> None:
        if not self._has_answered:
            self._has_answered = True
            self._announce_if_settled()

    def note_ping_answer(self, data: bytes) -> None:
        self.is_heard = self.is_heard or data == PING

    def _announce_if_settled(self) -> None:
        """Asked for when it is due, by the first answer, and by the clock."""
        if not self._is_due or self._is_announced or self._settled_at is None:
            return
        if not self._has_answered and self._loop.time() < self._settled_at:
            self._loop.call_at(self._settled_at, self._announce_if_settled)
            return
        self._is_announced = True
        self._announce()
