"""When the next unused server is to end: one timer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .session import Session

_SHORTEST = 0.05  # seconds


class Expiry:
    """It may ring early, when a session was used since, and is set anew then."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def expect(self, session: Session) -> None:
        """Ring no later than when this one has been unused for its `idleTimeout`."""
        limit = session.definition.idle_timeout
        if not limit or self._closed or not session.is_live:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(_SHORTEST, limit - session.idle_seconds)
        if self._timer is None or due < self._timer.when():
            self.cancel()
            self._timer = loop.call_at(due, self._ring)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """For good."""
        self._closed = True
        self.cancel()
