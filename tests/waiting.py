"""Waiting for what a test expects: a condition with a deadline, never a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds between two looks. Where a look takes long (it runs a command, say) the pause is so many times
# longer: waiting must not slow down what is waited for.
STEP, TIMES = 0.02, 4


def wait_until(predicate: Callable[[], T], timeout: float = 20, what: str = "") -> T:
    """Return what `predicate` answers once it is true; fail after `timeout` seconds."""
    began = looked = time.monotonic()
    while not (answer := predicate()):
        now = time.monotonic()
        if now > began + timeout:
            raise AssertionError(_complaint(predicate, timeout, what, answer))
        time.sleep(_pause(now - looked))
        looked = time.monotonic()
    return answer


async def wait_until_async(predicate: Callable[[], T], timeout: float = 20, what: str = "") -> T:
    """The same, for tests inside a loop."""
    began = looked = time.monotonic()
    while not (answer := predicate()):
        now = time.monotonic()
        if now > began + timeout:
            raise AssertionError(_complaint(predicate, timeout, what, answer))
        await asyncio.sleep(_pause(now - looked))
        looked = time.monotonic()
    return answer


def _pause(look: float) -> float:
    return min(max(STEP, TIMES * look), 1.0)


def _complaint(predicate: Callable[[], object], timeout: float, what: str, answer: object) -> str:
    return f"not within {timeout:g} s: {what or predicate.__qualname__}; the last answer was {answer!r}"
