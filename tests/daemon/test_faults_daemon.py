"""What goes wrong around the servers of a whole daemon.

Rows 10 to 12, 14, 15, 19, 20 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from llm_tools_mcp import paths, v1
from llm_tools_mcp.client.caller import make_call
from llm_tools_mcp.daemon.server.orphans import MARK_VARIABLE
from llm_tools_mcp.errors import McpError, ToolCallError
from llm_tools_mcp.v1.mcp_daemon_pb2_grpc import McpDaemonStub
from tests.daemon.live import blocking, python
from tests.daemon.running import logs, running
from tests.home import Home
from tests.programs import GONE
from tests.servers import entry, faulty_server
from tests.waiting import SOON, wait_until


def fine(**keys: Any) -> dict[str, Any]:
    return entry(faulty_server("fine"), **keys)


def children(home: Home) -> list[int]:
    """The servers' processes: all that carries the mark of a daemon on this home's socket."""
    return [process.pid for process in psutil.process_iter() if mark_of(process).startswith(str(home.socket))]


def mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK_VARIABLE, "") if process.status() != psutil.STATUS_ZOMBIE else ""
    except GONE:
        return ""


def test_stop_is_bounded_and_leaves_nothing(home: Home) -> None:
    """SIGTERM with servers that ignore everything, hang at start or have children: gone in seconds."""
    servers = {
        "stubborn": entry(faulty_server("ignore-term")),
        "parent": entry(faulty_server("grandchild")),
        "hanging": entry(faulty_server("hang"), connectTimeout=0.5),
    }
    with running(home) as daemon:
        daemon.list(servers)
        assert len(children(home)) >= 4
        assert daemon.stop() == 0
        assert children(home) == []


def test_killed_daemon_leaves_servers_that_the_next_one_ends(home: Home) -> None:
    """After SIGKILL of the daemon, what ignores the end of its input is ended by the next daemon."""
    servers = {"stubborn": entry(faulty_server("ignore-term")), "parent": entry(faulty_server("grandchild"))}
    with running(home) as daemon:
        daemon.list(servers)
        daemon.stop(signal.SIGKILL)
    assert children(home)
    with running(home) as daemon:
        wait_until(lambda: children(home) == [])
        assert daemon.client.health().pid


def test_zombie_of_a_killed_daemon_is_dead(home: Home) -> None:
    """Where nobody waits for a daemon that was killed, as in `llm chat`, the next one sweeps nevertheless."""
    servers = {"stubborn": entry(faulty_server("ignore-term"))}
    with running(home) as killed:
        killed.list(servers)
        killed.process.send_signal(signal.SIGKILL)
        zombie = psutil.Process(killed.process.pid)
        wait_until(lambda: zombie.status() == psutil.STATUS_ZOMBIE)
        with running(home):
            wait_until(lambda: children(home) == [])


def test_thousands_of_requests_at_once_are_all_served(home: Home) -> None:
    """None is cancelled, which would look as if the daemon had stopped."""

    async def ask_all(socket: Path) -> int:
        async with grpc.aio.insecure_channel(paths.grpc_address(socket)) as channel:
            stub = McpDaemonStub(channel)
            answers = await asyncio.gather(*(stub.Health(v1.HealthRequest()) for _ in range(4000)))
            return len(answers)

    with running(home):
        assert asyncio.run(ask_all(home.socket)) == 4000


def test_listing_again_and_again_starts_one_process(home: Home) -> None:
    """Listings, refreshed or not, and calls use the pool: one process a server."""
    servers = {"one": fine(), "two": entry(faulty_server("many", "3"))}
    with running(home) as daemon:
        for _ in range(5):
            daemon.list(servers, refresh=True)
            daemon.list(servers)
            daemon.call(servers, "one", "pid")
        assert len(children(home)) == 2


def test_one_broken_server_breaks_no_other(home: Home) -> None:
    """Servers that fail in different ways are each reported; the good one is listed."""
    servers = {
        "gone": {"command": "no-such-command"},
        "exits": entry(faulty_server("exit")),
        "good": fine(),
        "unset": {"command": "${NOT_SET}"},
        "hangs": entry(faulty_server("hang"), connectTimeout=0.7),
        "refused": {"url": "http://127.0.0.1:1/mcp"},
    }
    with running(home) as daemon:
        answers = {answer.server: answer for answer in daemon.list(servers)}
        kinds = {name: v1.Failure.Kind.Name(answer.failure.kind) for name, answer in answers.items()}
        assert kinds == {
            "gone": "START_FAILED",
            "exits": "START_FAILED",
            "good": "KIND_UNSPECIFIED",
            "unset": "CONFIG",
            "hangs": "STILL_STARTING",
            "refused": "START_FAILED",
        }
        assert [tool.name for tool in answers["good"].tools] == ["echo", "pid"]


def test_restart_ends_only_the_named_server(home: Home) -> None:
    """`RestartServer` ends that server's processes; the next call starts it anew, others stay."""
    servers = {"one": fine(), "two": fine(env={"TWO": "2"})}
    with running(home) as daemon:
        one, two = (daemon.call(servers, name, "pid") for name in servers)
        assert daemon.client.restart_server("one") == 1
        assert daemon.client.restart_server("nobody") == 0
        assert daemon.call(servers, "two", "pid") == two
        assert daemon.call(servers, "one", "pid") != one


def test_status_tells_each_server(home: Home) -> None:
    """State, pid, memory, tools, calls, errors, restarts and latency are told by server."""
    counting = entry(faulty_server("counting"), env={"CALL_LOG": str(home.folder / "calls")})
    servers = {"c": counting, "exits": entry(faulty_server("exit"))}
    with running(home) as daemon:
        daemon.list(servers)
        daemon.call(servers, "c", "count", then="answer")
        with pytest.raises(McpError):
            daemon.call(servers, "c", "count", then="die-before-answer")
        daemon.call(servers, "c", "count", then="answer")
        good, bad = (daemon.servers()[name] for name in ("c", "exits"))
        assert good.state == v1.ServerStatus.READY
        assert psutil.pid_exists(good.pid)
        assert (good.calls, good.errors, good.restarts, good.calls_in_flight) == (3, 1, 1, 0)
        assert good.memory_bytes > 1e6
        assert good.tools == 1
        assert 0 < good.latency_p50_seconds <= good.latency_p95_seconds
        assert bad.state in (v1.ServerStatus.BACKING_OFF, v1.ServerStatus.STOPPED)
        assert "license key" in bad.last_error


def test_log_of_a_server_that_floods_is_bounded(home: Home) -> None:
    """Tens of megabytes on stderr leave a small, private, clean log of that server's own."""
    servers = {"flood": entry(faulty_server("flood-stderr"))}
    with running(home) as daemon:
        for _ in range(3):
            assert daemon.call(servers, "flood", "echo", text="hi") == "hi"
        path = daemon.log.parent / "flood.log"
        wait_until(lambda: path.exists() and "lines skipped" in path.read_text())
        assert path.stat().st_size < 2_000_000
        assert path.stat().st_mode & 0o777 == 0o600
        assert "\x1b" not in path.read_text()


def test_secrets_stand_in_no_log(home: Home) -> None:
    """Tokens of env, headers and urls are in no log, status or failure, whatever repeats them."""
    leak = "import os, sys; t = os.environ['T']; print(t, file=sys.stderr); print(t); sys.exit(t)"
    servers = {
        "env": python(leak) | {"env": {"T": "sk-very-secret"}},
        "http": {
            "url": "http://user:sk-very-secret@127.0.0.1:1/mcp?key=sk-very-secret",
            "headers": {"Authorization": "Bearer sk-very-secret"},
        },
    }
    with running(home) as daemon:
        answers = daemon.list(servers)
        assert len(answers) == 2
        shown = f"{answers}{daemon.client.status()}"
    assert "sk-very-secret" not in shown
    assert "sk-very-secret" not in logs(daemon.log.parent)


def test_calls_in_flight_finish_when_the_daemon_stops(home: Home) -> None:
    """A call that runs when SIGTERM comes is answered before the daemon exits 0."""
    servers = {"b": blocking()}
    go = home.folder / "go"
    with running(home) as daemon:
        daemon.list(servers)
        answers: list[str] = []
        arguments = {"text": "late", "until": str(go)}
        caller = threading.Thread(
            target=lambda: answers.append(daemon.call(servers, "b", "echo", **arguments)), daemon=True
        )
        caller.start()
        wait_until(lambda: daemon.client.status().calls_in_flight)
        daemon.process.terminate()
        wait_until(lambda: "stopping" in daemon.log.read_text())
        go.touch()
        assert daemon.process.wait(SOON) == 0
        caller.join(SOON)
        assert answers == ["late"]


def test_server_killed_in_a_call_is_told_to_the_client(home: Home) -> None:
    """Through the daemon too: the error comes at once, the outcome is unknown, the next call works."""
    servers = {"c": entry(faulty_server("counting"), env={"CALL_LOG": str(home.folder / "calls")}, timeout=0)}
    with running(home) as daemon:
        daemon.list(servers)
        request = make_call(daemon.caller(servers), "c", "count", {"then": "never-answer"})
        errors: list[ToolCallError] = []

        def call() -> None:
            try:
                daemon.client.call(request, lambda _: None)
            except ToolCallError as error:
                errors.append(error)

        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        wait_until((home.folder / "calls").exists)
        os.kill(daemon.servers()["c"].pid, signal.SIGKILL)
        caller.join(SOON)
        (error,) = errors
        assert "killed by signal 9; it may or may not have run" in str(error)
        assert daemon.call(servers, "c", "count", then="answer") == "answer"
