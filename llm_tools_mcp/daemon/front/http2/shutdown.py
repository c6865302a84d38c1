"""When a connection may be ended so that no call is lost by it (RFC 9113, 6.8): the daemon drains."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .outbox import PING

# A client that reads GOAWAY before it has taken the connection for ready spins on it until its deadline
# (seen with grpc 1.85). An answer to a call shows that it has; else it gets this many seconds.
SETTLING = 0.25

# Seconds that a client without a request gets to hear of the end and to leave. One that was stopped (Ctrl-Z)
# does neither; when it goes on it finds the GOAWAY and the end behind it, and calls the next daemon.
PATIENCE = 1.0


class Ending(Protocol):
    """What a connection does at the three steps of its end."""

    def announce_end(self) -> None: ...

    def end(self) -> None: ...

    def close_if_sent(self) -> bool: ...


class Shutdown:
    """Announces the end when the client can bear it, ends when it has heard, and closes if it never does."""

    def __init__(self, connection: Ending) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._is_due = self._is_announced = self._has_answered = self._is_heard = False
        self._settled_at: float | None = None  # on the loop's clock, from the client's first byte on
        self._timer: asyncio.TimerHandle | None = None

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
        """Of the announcement's ping: what the client opens from now on, it opens elsewhere."""
        self._is_heard = self._is_heard or (self._is_announced and data == PING)

    def note_requests(self, count: int) -> None:
        """So many are open now."""
        if not self._is_announced:
            return
        if count:
            self.cancel()
            return
        if self._is_heard:
            self._connection.end()
            self.cancel()  # from now on it gets the time to leave
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._lose_patience)

    def cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _announce_if_settled(self) -> None:
        """Asked for when it is due, by the first answer, and by the clock."""
        if not self._is_due or self._is_announced or self._settled_at is None:
            return
        if not self._has_answered and self._loop.time() < self._settled_at:
            self._loop.call_at(self._settled_at, self._announce_if_settled)
            return
        self._is_announced = True
        self._connection.announce_end()

    def _lose_patience(self) -> None:
        self._timer = None
        if not self._connection.close_if_sent():  # it reads an answer, slowly
            self._timer = self._loop.call_later(PATIENCE, self._lose_patience)
