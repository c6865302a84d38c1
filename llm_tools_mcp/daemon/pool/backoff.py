"""When a server that failed is tried again, and how long a prompt waits for it."""

from __future__ import annotations

import random
from collections.abc import Callable

# Seconds.
_FIRST, _MOST = 0.5, 60.0
# What is left of a pause for a person who wants it now. It is waited out, by all who want it, for one try.
_WAIVED = 0.25
# A connection that lived this long was a good one: its loss starts no pause.
_PROVEN = 10.0
# How long a start is waited for that failed a moment ago, or that was waited for at full length already.
_SECOND_PATIENCE, _LAST_PATIENCE = 5.0, 1.0


class Backoff:
    """0.5 s, doubling up to a minute, a little more or less: for prompts, which try servers unasked.

    A person who asks for the server itself may have mended what it lacked: see `waive`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0
        self._is_waived = False
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
        pause = min(_MOST, _FIRST * 2.0 ** min(failures - 1, 10))
        self._failed_at, self._is_waived = self._clock(), False
        self._next_try = self._failed_at + pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries only

    def note_start(self) -> None:
        self._start_failed = False

    def note_success(self) -> None:
        """A call was answered."""
        self._failures = 0

    def forget(self) -> None:
        self._failures, self._next_try, self._start_failed = 0, 0.0, False

    def waive(self) -> None:
        """A person wants it now: it is tried at once, and waited for at full length."""
        self._next_try = min(self._next_try, self._failed_at + _WAIVED)
        self._is_waived, self._start_failed = True, False

    @property
    def rest(self) -> float:
        """Seconds to wait out before a try that was waived for; 0 where the pause is to be respected."""
        return self.pause if self._is_waived else 0.0

    def patience(self, seconds: float, waited: float) -> float | None:
        """How long to wait for a start that began `waited` seconds ago. 0 asks for ever, which is None."""
        if not seconds:
            return None
        if self._start_failed:
            seconds = min(seconds, _SECOND_PATIENCE)
        return max(seconds - waited, min(seconds, _LAST_PATIENCE))
