"""Ctrl-C during a call: grpc is told to cancel it, instead of being broken off in the middle of a read.

A KeyboardInterrupt out of grpc's read leaves the call behind, and with it the connection (grpc 1.85): a
daemon that stops would wait for us until its grace period is over.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def cancelled_by_ctrl_c(cancel: Callable[[], object]) -> Iterator[None]:
    """Within, Ctrl-C calls `cancel`, and is raised once that has ended the block; a second one at once.

    Only where Python itself would raise it: in the main thread, and where nobody else handles it.
    """
    if not _raises_keyboard_interrupt():
        yield
        return
    is_interrupted = False

    def on_ctrl_c(number: int, frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if is_interrupted:
            signal.default_int_handler(number, frame)
        is_interrupted = True
        cancel()

    signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        yield
    except Exception:
        if is_interrupted:  # by what it does to the call
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if is_interrupted:
        raise KeyboardInterrupt


def _raises_keyboard_interrupt() -> bool:
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
