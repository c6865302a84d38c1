"""When a server that failed is tried again, in words."""

from __future__ import annotations

import re

import pytest

from llm_tools_mcp.daemon.pool.backoff import Backoff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("failures", "allowed"), [(1, "less than a second"), (4, "[3-5] s"), (20, "(4[89]|[5-7].) s")]
)
def test_next_try_is_told_in_words(failures: int, allowed: str) -> None:
    """Never in tenths, nor as 0 s: half a second, some seconds, a minute."""
    backoff = Backoff(Clock())
    for _ in range(failures):
        backoff.note_failure()
    assert re.fullmatch(f"next try in {allowed}", backoff.next_try)


def test_next_try_that_is_due_is_not_0_s() -> None:
    """What is left of a pause is told, down to its last moment."""
    clock = Clock()
    backoff = Backoff(clock)
    backoff.note_failure()
    clock.now += 0.39999
    assert backoff.pause > 0
    assert backoff.next_try == "next try in less than a second"
