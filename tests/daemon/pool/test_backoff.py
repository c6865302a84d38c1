"""When a server that failed is tried again: by prompts, and by a person who asks for it."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import Any

import pytest

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.pool.backoff import Backoff
from llm_tools_mcp.daemon.pool.session import Session
from tests.daemon.live import Live, failure_of, text_of, with_live
from tests.servers import entry, faulty_server


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


def servers(live: Live, name: str = "s", **keys: Any) -> list[ServerDefinition]:
    """A program that fails until there is a file `works`, and a port where nobody listens."""
    script = f"test -e works && exec {shlex.join(faulty_server('fine'))}; exit 3"
    url = "http://127.0.0.1:1/mcp"
    return [
        live.define({name: entry(["sh", "-c", script], **keys)}),
        live.define({name: {"url": url, **keys}}),
    ]


async def fail_often(live: Live, server: ServerDefinition) -> Session:
    """Until the pause is one that nobody waits out."""
    await failure_of(live.names(server))
    backoff = live.session(server).error_state.backoff
    while (pause := backoff.pause) < 5:
        live.forward += pause
        await failure_of(live.names(server))
    return live.session(server)


@with_live
async def test_person_does_not_wait_for_the_next_try(live: Live) -> None:
    """Whatever a person asks for by hand tries a server at once; a prompt respects the pause."""
    for server in servers(live):
        session = await fail_often(live, server)
        starts = session.statistics.starts
        assert "next try in" in (await failure_of(live.names(server))).text
        assert session.statistics.starts == starts
        assert "next try" not in (await failure_of(live.pool.list_tools(server, at_once=True))).text
        assert session.statistics.starts == starts + 1
        assert "next try in" in (await failure_of(live.names(server))).text
    failed = await failure_of(live.pool.listed(server, "resources/list", at_once=True))
    assert "next try" not in failed.text
    program = servers(live)[0]
    (live.folder / "works").touch()
    assert "next try in" in (await failure_of(live.names(program))).text
    result = await live.pool.call(program, "echo", {"text": "hi"}, lambda _: None, at_once=True)
    assert text_of(result) == "hi"


@with_live
async def test_many_persons_share_one_try(live: Live) -> None:
    """However many ask for a server that has just failed, it is started once for all of them."""
    for server in servers(live):
        session = await fail_often(live, server)
        starts = session.statistics.starts
        asked = (failure_of(live.pool.list_tools(server, at_once=True)) for _ in range(20))
        assert len(await asyncio.gather(*asked)) == 20
        assert session.statistics.starts == starts + 1


@with_live
async def test_edited_entry_is_tried_at_once(live: Live) -> None:
    """Also where the edit does not change how the server is started; an entry beside it keeps its pause."""
    before, other = servers(live)[0], servers(live, "other", env={"A": "b"})[0]
    after = servers(live, timeout=5)[0]
    note = live.pool.sessions.note_config
    note("/mcp.json", {"s": {"command": "x"}, "other": {"command": "x"}}, [before, other])
    for server in (before, other):
        await fail_often(live, server)
    note("/mcp.json", {"s": {"command": "x", "timeout": 5}, "other": {"command": "x"}}, [after, other])
    (live.folder / "works").touch()
    assert await live.names(after) == ["echo", "pid"]
    assert "next try in" in (await failure_of(live.names(other))).text
