"""Gives memory back: after large messages what glibc keeps of what Python has freed, and garbage."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

# Bytes of a message after which it is worth it: smaller ones leave nothing that the next would not use.
_LARGE = 4 * 1024 * 1024
# Seconds until the answer has been sent on and its copies are gone, once for all that come meanwhile; and
# again for those that took longer: a client that is slow, a machine that is busy.
_PAUSES = (2.0, 20.0)

# Collections of garbage among what is young until all objects are looked through, which nobody can interrupt
# and which takes half a second after 5,000 servers that have failed.
ROUNDS_UNTIL_ALL = 100


class Trimmer:
    """`note` each message; the work is done later, by a thread."""

    def __init__(self) -> None:
        self._is_due = False

    def note(self, size: int) -> None:
        if size >= _LARGE and not self._is_due:
            self._is_due = True
            for pause in _PAUSES:
                asyncio.get_running_loop().call_later(pause, self._trim)

    def _trim(self) -> None:
        self._is_due = False
        asyncio.get_running_loop().run_in_executor(None, trim)


def trim() -> None:
    """malloc_trim(3), where there is one. It takes milliseconds, without the interpreter's lock."""
    import ctypes  # only a daemon that needs it pays

    with suppress(AttributeError, OSError):  # macOS, musl
        ctypes.CDLL(None).malloc_trim(0)


def collect_if_due() -> None:
    """For a moment in which nobody works."""
    if gc.get_count()[2] >= ROUNDS_UNTIL_ALL:
        gc.collect()
