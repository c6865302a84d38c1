"""One at a time, among all processes of this user."""

from __future__ import annotations

import fcntl
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import access

# Seconds. Who holds such a lock writes one small file.
_PATIENCE, _POLL = 5.0, 0.02


class LockHeld(Exception):
    """By another process, for too long. `repair` is what to type."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(f"is held by another process for more than {seconds:g} s (its lock is {path})")
        self.repair = f"end that process; to see it: fuser -v {shlex.quote(str(path))}"


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Holds the lock, which is never unlinked: one on a removed file would exclude nobody.

    Raises LockHeld, OSError.
    """
    descriptor = access.open_private(path, os.O_RDWR)
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeld(path, _PATIENCE) from None
            time.sleep(_POLL)
        else:
            return
