"""The time limit of a call: what it cancels, what it leaves alone, and how progress starts it anew."""

from __future__ import annotations

import asyncio

import pytest

from llm_tools_mcp.daemon.pool.deadline import Deadline
from tests.daemon.stack import in_loop
from tests.waiting import Clock


@in_loop
async def test_work_in_time_is_not_touched() -> None:
    """The task goes on as if there had been no limit."""
    with Deadline(60) as deadline:
        await asyncio.sleep(0)
    assert not deadline.is_over
    await asyncio.sleep(0)


@in_loop
async def test_work_over_time_is_cancelled_and_the_task_goes_on() -> None:
    """Whoever set the limit goes on after it, and may be cancelled or limited again."""
    for _ in range(2):
        with Deadline(0.01) as deadline:
            await asyncio.Event().wait()
        assert deadline.is_over
    await asyncio.sleep(0)


@in_loop
async def test_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 seconds mean never."""
    clock = Clock(monkeypatch)
    with Deadline(0) as deadline:
        await clock.pass_by(10)
    assert not deadline.is_over


@in_loop
async def test_progress_starts_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is progress, the work may take many times the limit; then it is over."""
    clock = Clock(monkeypatch)
    with Deadline(2) as deadline:
        for _ in range(5):
            await clock.pass_by(1.5)
            deadline.restart()
        assert not deadline.is_over
        await clock.pass_by(3)
        raise AssertionError("it was not cancelled")
    assert deadline.is_over


@in_loop
async def test_cancellation_from_outside_passes() -> None:
    """A caller that gives up is not mistaken for the limit."""
    inside = asyncio.Event()

    async def work() -> None:
        with Deadline(60):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@in_loop
async def test_error_instead_of_the_cancellation_passes() -> None:
    """What the work makes of its cancellation is the caller's to know."""

    async def work() -> None:
        with Deadline(0.01):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        await work()
    await asyncio.sleep(0)
