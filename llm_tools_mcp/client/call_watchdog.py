"""Gives up on calls of which nothing is heard: one thread for all of them, and only while there are any.

A timer of its own would be a thread of its own, and 0.1 ms of a call that takes one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

# Seconds: how much later than due a call may be given up.
_TICK = 0.25


class Watch:
    """One call that is waited for. `gave_up` says why it ended."""

    def __init__(self, give_up: Callable[[], object], due: float) -> None:
        self.gave_up = False
        self.due = due
        self._give_up: Callable[[], object] | None = give_up

    @property
    def is_over(self) -> bool:
        return self._give_up is None

    def end(self) -> None:
        """It was heard of."""
        self._give_up = None

    def expire(self) -> None:
        give_up = self._give_up
        if give_up is not None:
            self.gave_up = True
            with suppress(Exception):  # one call must not cost the others their watch
                give_up()


class CallWatchdog:
    """Calls `give_up` of each call that is not ended within `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watches: list[Watch] = []
        self._is_watching = False
        self._lock = threading.Lock()

    def watch(self, give_up: Callable[[], object]) -> Watch:
        watch = Watch(give_up, time.monotonic() + self._seconds)
        with self._lock:
            self._watches.append(watch)
            if not self._is_watching:
                self._is_watching = True
                threading.Thread(target=self._run, name="call watchdog", daemon=True).start()
        return watch

    def _run(self) -> None:
        while self._watch_on():
            time.sleep(_TICK)
            now = time.monotonic()
            for watch in [watch for watch in self._watches if watch.due <= now]:
                watch.expire()
                watch.end()

    def _watch_on(self) -> bool:
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.is_over]
            self._is_watching = bool(self._watches)
            return self._is_watching
