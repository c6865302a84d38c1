"""When a server that failed is tried again, and how long a prompt waits for it."""

from __future__ import annotations

import random
from collections.abc import Callable

from llm_tools_mcp.config import ServerDefinition, Transport

# Seconds.
_FIRST, _MOST = 0.5, 60.0
# For what only has to be asked: a try costs a connect, and whoever calls wants to know if it is there now.
_REMOTE_MOST = 1.5
# A connection that lived this long was a good one: its loss starts no pause.
_PROVEN = 10.0
# How long a start is waited for that failed a moment ago, or that was waited for at full length already.
_SECOND_PATIENCE, _LAST_PATIENCE = 5.0, 1.0


class Backoff:
    """0.5 s, doubling up to `most` seconds, a little more or less."""

    def __init__(self, clock: Callable[[], float], most: float = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._failures = 0
        self._start_failed = False
        self._next_try = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next try; 0 when it may be now."""
        return max(0.0, self._next_try - self._clock())

    @property
    def next_try(self) -> str:
        """When the next try is, in words."""
        pause = self.pause
        return f"next try in {round(pause)} s" if pause >= 1 else "next try in less than a second"

    def note_failure(self) -> None:
        """A start failed."""
        self._start_failed = True
        self._failures += 1
        self._wait(self._failures)

    def note_loss(self, lived: float) -> None:
        """A connection ended by itself after so long. The first loss costs no pause, repeated ones do."""
        self._failures = 0 if lived > _PROVEN else self._failures + 1
        if self._failures > 1:
            self._wait(self._failures - 1)

    def _wait(self, failures: int) -> None:
        pause = min(self._most, _FIRST * 2.0 ** min(failures - 1, 10))
        self._next_try = self._clock() + pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries only

    def note_start(self) -> None:
        self._start_failed = False

    def note_success(self) -> None:
        """A call was answered."""
        self._failures = 0

    def forget(self) -> None:
        self._failures, self._next_try, self._start_failed = 0, 0.0, False

    def patience(self, seconds: float, waited: float) -> float | None:
        """How long to wait for a start that began `waited` seconds ago. 0 asks for ever, which is None."""
        if not seconds:
            return None
        if self._start_failed:
            seconds = min(seconds, _SECOND_PATIENCE)
        return max(seconds - waited, min(seconds, _LAST_PATIENCE))


def backoff_of(definition: ServerDefinition, clock: Callable[[], float]) -> Backoff:
    return Backoff(clock, _MOST if definition.transport is Transport.STDIO else _REMOTE_MOST)
