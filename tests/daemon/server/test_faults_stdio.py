"""Stdio servers that die, start badly or do not end: nothing else breaks.

Rows 11, 15, 17 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import psutil
import pytest

from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.pool.statistics import State
from tests.daemon.live import Live, failure_of, living, python, variant, with_live
from tests.servers import entry, everything_server, faulty_server
from tests.waiting import Clock, wait_until_async


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# --- killed ---------------------------------------------------------------------------------------


@with_live
async def test_killed_while_idle_next_call_works(live: Live) -> None:
    """A server that dies unused is started again by the next call, which does not fail."""
    server = live.faulty("fine")
    first = int(await live.call(server, "pid"))
    kill(first)
    await wait_until_async(lambda: not live.is_ready(server))
    assert int(await live.call(server, "pid")) != first


@with_live
async def test_killed_while_calling_fails_at_once(live: Live) -> None:
    """The pending call, which knows no timeout, fails as one whose outcome is unknown; the next one works."""
    log = live.folder / "calls"
    server = live.faulty("counting", env={"CALL_LOG": str(log)}, timeout=0)
    call = asyncio.create_task(live.call(server, "count", then="never-answer"))
    await wait_until_async(log.exists)
    kill(live.session(server).pid)
    failure = await failure_of(call)
    assert failure.kind == Kind.OUTCOME_UNKNOWN
    assert "killed by signal 9" in failure.text
    assert await live.call(server, "count", then="answer") == "answer"


@with_live
async def test_killed_while_listing_fails_at_once(live: Live) -> None:
    """A listing that was cut off says so, and quotes the server's last words; the next one works."""
    body = f"""
    def list_tools(self, params):
        flag = pathlib.Path({str(live.folder / "died")!r})
        if not flag.exists():
            flag.touch()
            os.write(2, b"panic: no license\\n")
            os._exit(9)
        return super().list_tools(params)
    """
    server = live.define({"dying": variant(body)})
    failure = await failure_of(live.names(server))
    assert "exited with code 9; its last lines were: panic: no license" in failure.text
    assert await live.names(server) == ["echo", "pid"]


@with_live
async def test_server_that_ends_at_once_says_how(live: Live) -> None:
    """Its pipes may be closed before anything was done with them; an interpreter that is gone is named."""
    orphaned = live.folder / "orphaned"
    orphaned.write_text("#!/no/such/interpreter\n")
    orphaned.chmod(0o755)
    foreign = live.folder / "foreign"
    foreign.write_bytes(b"#!/bin/sh\r\n")
    foreign.chmod(0o755)
    expected = {
        "true": "exited with code 0",
        "false": "exited with code 1",
        str(orphaned): "names an interpreter behind #! that does not exist",
        str(foreign): "does not exist: its lines end as on Windows",
        "/no/such/program": "command '/no/such/program' was not found",
        " /bin/sh ": "command '/bin/sh' was not found; there are spaces at its ends",
        "$HOME/x": "command '$HOME/x' was not found; a variable is written ${NAME}",
    }
    for command, said in expected.items():
        failure = await failure_of(live.names(live.define({"brief": {"command": command}})))
        assert said in failure.text
        assert "PATH" not in failure.text


@with_live
async def test_crash_of_one_server_leaves_others_alone(live: Live) -> None:
    """One broken server breaks nothing else: a call in flight elsewhere finishes."""
    other = live.define({"other": entry(everything_server())})
    crashing = live.define({"crashing": entry(everything_server(), env={"WHO": "crashing"})})
    await asyncio.gather(live.call(other, "pid"), live.call(crashing, "pid"))
    until = live.folder / "until"
    slow = asyncio.create_task(live.call(other, "hold", until=str(until)))
    failure = await failure_of(live.call(crashing, "crash"))
    assert "exited with code 7" in failure.text
    assert not slow.done()
    until.touch()
    assert await slow == "saw until"


# --- starting -------------------------------------------------------------------------------------


@with_live
async def test_hang_at_start_costs_its_connect_timeout(live: Live, monkeypatch: Any) -> None:
    """A prompt waits `connectTimeout` for a server that hangs, and the next one hardly at all."""
    server = live.faulty("hang", connectTimeout=100)
    clock = Clock(monkeypatch)
    first = asyncio.create_task(failure_of(live.names(server)))
    await wait_until_async(live.processes)
    await clock.pass_by(90)
    assert not first.done()
    await clock.pass_by(20)
    assert (await first).kind == Kind.STILL_STARTING
    assert (await failure_of(live.names(server))).kind == Kind.STILL_STARTING
    assert live.session(server).state is State.STARTING


@with_live
async def test_slow_start_goes_on_when_the_prompt_has_gone(live: Live) -> None:
    """The start continues after the prompt gave up, and the next prompt has its tools."""
    server = live.faulty("slow-start", 1.5, connectTimeout=0.3)
    failure = await failure_of(live.names(server))
    assert failure.kind == Kind.STILL_STARTING
    assert "the start goes on" in failure.text
    await wait_until_async(lambda: live.pool.known_tools(server))
    assert live.session(server).statistics.starts == 1
    assert await live.names(server) == ["echo", "pid"]


@with_live
async def test_exit_at_once_is_quoted_and_backs_off(live: Live) -> None:
    """The error has the exit code and the last words; then it says when the next try is."""
    server = live.faulty("exit")
    failure = await failure_of(live.names(server))
    assert failure.kind == Kind.START_FAILED
    assert "exited with code 3" in failure.text
    assert "cannot read my license key" in failure.text
    again = await failure_of(live.names(server))
    assert "(next try in less than a second)" in again.text
    assert "license key" in again.text
    assert live.session(server).state is State.BACKING_OFF


@with_live
async def test_refused_handshake_says_why(live: Live) -> None:
    """The server's own error is told, not that it left when we gave up; and it is started once."""
    answer = "def handle(self, message): self.refuse(message, 'the license has expired')"
    failure = await failure_of(live.names(live.define({"refusing": variant(answer)})))
    assert failure.text == "the license has expired"
    body = "def initialize(self, params): return {'protocolVersion': 5, 'token': 'sk-secret'}"
    failure = await failure_of(live.names(live.define({"odd": variant(body)})))
    assert failure.text.startswith("its answer does not follow the protocol")
    assert "sk-secret" not in failure.text
    assert [session.statistics.starts for session in live.pool.sessions.registry.all()] == [1, 1]


@with_live
async def test_backoff_doubles_up_to_a_minute(live: Live) -> None:
    """Repeated failures are tried again after 0.5 s, 1 s, … 60 s, a little more or less."""
    server = live.define({"no": python("raise SystemExit(1)")})
    pauses = []
    for _ in range(9):
        await failure_of(live.names(server))
        pauses.append(live.session(server).error_state.backoff.pause)
        live.forward += 120
    for pause, ideal in zip(pauses, (0.5, 1, 2, 4, 8, 16, 32, 60, 60), strict=True):
        assert 0.7 * ideal < pause < 1.25 * ideal


@with_live
async def test_restart_forgets_the_backoff(live: Live) -> None:
    """`restart` makes the next use try at once."""
    server = live.faulty("exit")
    await failure_of(live.names(server))
    live.pool.restart("faulty")
    assert "next try" not in (await failure_of(live.names(server))).text


@with_live
async def test_command_not_found_names_the_path(live: Live) -> None:
    """A missing command is told from a missing folder."""
    missing = live.define({"x": {"command": "no-such-command"}})
    assert "not found on the PATH of the caller" in (await failure_of(live.names(missing))).text
    elsewhere = live.define({"x": {"command": "npx.cmd", "env": {"PATH": "/no/such"}}})
    said = "was not found on the PATH in its `env`; write 'npx'"
    assert said in (await failure_of(live.names(elsewhere))).text
    crowded = live.define({"x": entry(faulty_server("fine"), env={"BIG": "x" * 2_000_000})})
    assert "its environment are too long" in (await failure_of(live.names(crowded))).text
    lost = live.define({"x": entry(faulty_server("fine"), cwd="/no/such/folder")})
    assert "/no/such/folder does not exist" in (await failure_of(live.names(lost))).text
    no_folder = live.define({"x": entry(faulty_server("fine"), cwd=__file__)})
    assert "test_faults_stdio.py is a file" in (await failure_of(live.names(no_folder))).text


@with_live
async def test_exit_on_unknown_first_request_gets_the_older_handshake(live: Live) -> None:
    """A server that dies of the modern handshake is started again with the older one; that is remembered."""
    server = live.faulty("exit-on-unknown")
    assert await live.call(server, "echo", text="hi") == "hi"
    await wait_until_async(lambda: live.pool.known_tools(server))
    assert any("expected initialize" in line for line in live.logged["faulty"])
    async with living(live.folder) as later:  # another daemon, the same cache
        assert await later.call(server, "echo", text="hi") == "hi"
        assert later.logged["faulty"] == []


@with_live
async def test_remembered_era_that_is_wrong_is_forgotten(live: Live) -> None:
    """A server that was legacy and now knows only the modern handshake costs one failure, no more."""
    server = live.define({"e": entry(everything_server())})
    live.cache.put(server.cache_key, (), is_legacy=True)
    assert await live.call(server, "echo", text="hi") == "hi"  # it speaks both
    session = live.session(server)
    session.stop()
    session._note_failure(ServerFailure(Kind.START_FAILED, "unsupported protocol version"))
    assert not session.is_legacy


@with_live
async def test_no_answer_to_ping_is_no_reason_to_restart(live: Live) -> None:
    """A server that ignores `ping` keeps its process."""
    server = live.faulty("no-ping")
    pid = await live.call(server, "pid")
    connection = live.session(server).connection
    assert connection is not None
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(connection.ping(), 0.2)
    assert await live.call(server, "pid") == pid


# --- ending ---------------------------------------------------------------------------------------


@with_live
async def test_stop_during_a_start_ends_the_start(live: Live) -> None:
    """A start that hangs is broken off at once, and its process ends."""
    server = live.faulty("hang")
    waiting = asyncio.create_task(live.names(server))
    await wait_until_async(live.processes)
    await live.pool.aclose()
    assert (await failure_of(waiting)).kind == Kind.STOPPING
    assert live.processes() == []


@with_live
async def test_restart_during_a_start_is_waited_for(live: Live) -> None:
    """Who waits for a start that is replaced gets the new one's answer."""
    flag = live.folder / "hung"
    script = (
        f"import os, sys, signal; f = {str(flag)!r}\n"
        "if not os.path.exists(f): open(f, 'w').close(); signal.pause()\n"
        f"a = {faulty_server('fine')!r}; os.execv(a[0], a)\n"
    )
    server = live.define({"late": python(script)})
    waiting = asyncio.create_task(live.names(server))
    await wait_until_async(flag.exists)
    assert live.pool.restart("late") == 1
    assert await waiting == ["echo", "pid"]


@pytest.mark.parametrize("end", ["stop", "kill"])
@with_live
async def test_grandchildren_end_with_their_server(live: Live, end: str) -> None:
    """A server's own children do not survive it, whether it is stopped or dies."""
    server = live.faulty("grandchild")
    grandchild = int(await live.call(server, "grandchild"))
    pid = live.session(server).pid
    if end == "kill":
        kill(pid)
    else:
        live.session(server).stop()
    await wait_until_async(lambda: is_gone(grandchild) and is_gone(pid))


@with_live
async def test_children_that_left_the_group_end_too(live: Live) -> None:
    """A browser or daemon that a server started in a session of its own does not survive it."""
    note = live.folder / "stray"
    script = (
        "import os, subprocess\n"
        "p = subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=-3, stdout=-3, stderr=-3)\n"
        f"open({str(note)!r}, 'w').write(str(p.pid))\n"
        f"a = {faulty_server('fine')!r}; os.execv(a[0], a)\n"
    )
    server = live.define({"launcher": python(script)})
    await live.names(server)
    stray = int(note.read_text())
    assert not is_gone(stray)
    live.session(server).stop()
    await wait_until_async(lambda: is_gone(stray))
