"""Waiting for what a test expects: a condition with a deadline, never a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

STEP = 0.02  # seconds between two looks


def wait_until(predicate: Callable[[], T], timeout: float = 20, what: str = "") -> T:
    """Return what `predicate` answers once it is true; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(predicate, timeout, what, answer))
        time.sleep(STEP)
    return answer


async def wait_until_async(predicate: Callable[[], T], timeout: float = 20, what: str = "") -> T:
    """The same, for tests inside a loop."""
    deadline = time.monotonic() + timeout
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(predicate, timeout, what, answer))
        await asyncio.sleep(STEP)
    return answer


def _complaint(predicate: Callable[[], object], timeout: float, what: str, answer: object) -> str:
    return f"not within {timeout:g} s: {what or predicate.__qualname__}; the last answer was {answer!r}"
