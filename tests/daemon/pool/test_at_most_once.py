"""A tool call runs once or not at all, whatever becomes of its server.

Row 13 of the failures in docs/architecture.md.
"""

from __future__ import annotations

from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from tests.daemon.live import Live, failure_of, with_live
from tests.waiting import wait_until_async


@pytest.mark.parametrize(
    ("then", "kind"),
    [
        ("die-before-answer", Kind.OUTCOME_UNKNOWN),
        ("close-stdout", Kind.OUTCOME_UNKNOWN),
        ("never-answer", Kind.TIMED_OUT),
        ("error", Kind.REJECTED),
    ],
)
@with_live
async def test_a_call_reaches_the_server_at_most_once(live: Live, then: str, kind: Any) -> None:
    """Whatever goes wrong after a call was sent, it is not sent again."""
    log = live.folder / "calls"
    env = {"CALL_LOG": str(log)}
    server = live.faulty("counting", env=env, timeout=1 if kind is Kind.TIMED_OUT else 0)
    await live.names(server)
    assert (await failure_of(live.call(server, "count", then=then))).kind == kind
    assert await live.call(live.faulty("counting", env=env), "count", then="answer") == "answer"
    assert [line.split()[1] for line in log.read_text().splitlines()] == [then, "answer"]


@with_live
async def test_calls_are_counted_under_random_kills(live: Live) -> None:
    """Of 40 calls to a server that dies again and again each ran at most once, each answered one once."""
    log = live.folder / "calls"
    server = live.faulty("counting", env={"CALL_LOG": str(log)})
    answered = unknown = refused = 0
    for number in range(40):
        then = ("answer", "die-before-answer", "die-after-answer")[number % 3]
        try:
            await live.call(server, "count", then=then)
            answered += 1
        except ServerFailure as failure:
            unknown += failure.kind == Kind.OUTCOME_UNKNOWN
            refused += failure.kind == Kind.START_FAILED
            live.forward += 100
    ran = len(log.read_text().splitlines())
    assert answered + unknown + refused == 40
    assert answered <= ran <= answered + unknown


@with_live
async def test_dead_before_sending_is_sent_again(live: Live) -> None:
    """A call that finds the connection dead certainly did not run: it goes to a new one."""
    log = live.folder / "calls"
    server = live.faulty("counting", env={"CALL_LOG": str(log)})
    await live.call(server, "count", then="die-after-answer")
    await wait_until_async(lambda: not live.is_ready(server))
    assert await live.call(server, "count", then="answer") == "answer"
    assert len(log.read_text().splitlines()) == 2
