"""A time limit for a piece of work, which progress can start anew.

As asyncio.timeout, which Python 3.10 does not have. anyio's scopes are a tenth of a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


class Deadline:
    """Cancels the task that runs in it after `seconds`; 0 means never. `is_over` tells why it was left."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = 0
        self._left = seconds

    def restart(self) -> None:
        """The whole time again, from now on."""
        self._left = self._seconds
        self._run()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time within does not count: a person is asked. May be entered several times at once."""
        if not self._pauses and self._timer is not None:
            self._timer.cancel()
            self._left = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            self._run()

    def _run(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._seconds and not self.is_over and not self._pauses and self._task is not None:
            self._timer = asyncio.get_running_loop().call_later(self._left, self._end)

    def _end(self) -> None:
        self.is_over = True
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> Deadline:  # noqa: PYI034 - Self is Python 3.11
        self._task = asyncio.current_task()
        self._cancelled_before = _cancellations(self._task)
        self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """Whoever is cancelled by it goes on after it.

        Python 3.10 cannot tell when somebody else cancels, too, in the same moment: then that is lost.
        """
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if not self.is_over:
            return False
        if task is not None and hasattr(task, "uncancel"):
            task.uncancel()
        return kind is asyncio.CancelledError and _cancellations(task) <= self._cancelled_before


def _cancellations(task: asyncio.Task[object] | None) -> int:
    """How often it was asked to end; in Python 3.10 nobody knows."""
    return task.cancelling() if task is not None and hasattr(task, "cancelling") else 0
