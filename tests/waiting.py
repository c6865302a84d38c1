"""Waiting for what a test expects: a condition with a deadline, never a fixed time; or a clock to move on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

# Seconds between two looks. Where a look takes long (it runs a command, say) the pause is so many times
# longer: waiting must not slow down what is waited for.
STEP, TIMES = 0.02, 4
# Seconds for what should be over at once: on a machine that is busy with other things it is not.
SOON = 60


def wait_until(predicate: Callable[[], T], timeout: float = SOON, what: str = "") -> T:
    """Return what `predicate` answers once it is true; fail after `timeout` seconds."""
    began = looked = time.monotonic()
    while not (answer := predicate()):
        now = time.monotonic()
        if now > began + timeout:
            raise AssertionError(_complaint(predicate, timeout, what, answer))
        time.sleep(_pause(now - looked))
        looked = time.monotonic()
    return answer


async def wait_until_async(predicate: Callable[[], T], timeout: float = SOON, what: str = "") -> T:
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


class Clock:
    """The running loop's clock, which `pass_by` moves on; timers that are due by then ring."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._ahead, usual = 0.0, loop.time
        monkeypatch.setattr(loop, "time", lambda: usual() + self._ahead)

    async def pass_by(self, seconds: float) -> None:
        self._ahead += seconds
        for _ in range(10):
            await asyncio.sleep(0)
