"""A changed mcp.json is honoured at the next prompt: exactly what changed is replaced.

Row 14 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import threading
from typing import Any

import psutil
import pytest

from llm_tools_mcp.errors import ConfigError
from tests.daemon.live import blocking
from tests.daemon.running import Running, running
from tests.home import Home
from tests.servers import entry, everything_server, faulty_server
from tests.waiting import wait_until


def config(number: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "steady": entry(faulty_server("fine")),
        "changing": blocking(env={"NUMBER": number}),
        **more,
    }


def pid(daemon: Running, servers: dict[str, Any], server: str) -> int:
    return int(daemon.call(servers, server, "pid"))


def test_exactly_the_changed_server_is_replaced(home: Home) -> None:
    """A nested change replaces its server: the old process ends, the call on it finishes, others stay."""
    with running(home) as daemon:
        daemon.list(config())
        steady, old = (pid(daemon, config(), name) for name in ("steady", "changing"))
        answers: list[str] = []
        go = home.folder / "go"
        slow = threading.Thread(
            target=lambda: answers.append(daemon.call(config(), "changing", "pid", until=str(go))),
            daemon=True,
        )
        slow.start()
        wait_until(lambda: daemon.client.status().calls_in_flight)
        daemon.list(config("2"))
        assert pid(daemon, config("2"), "changing") != old
        assert psutil.pid_exists(old)
        go.touch()
        slow.join(20)
        assert answers == [str(old)]
        wait_until(lambda: not psutil.pid_exists(old))
        assert pid(daemon, config("2"), "steady") == steady


def test_removed_server_ends(home: Home) -> None:
    """A server that the config has no more ends at the next prompt, unless another config has it."""
    servers = config()
    with running(home) as daemon:
        daemon.list(servers)
        steady, removed = (pid(daemon, servers, name) for name in ("steady", "changing"))
        daemon.list(servers, path="/other.json")
        del servers["changing"]
        daemon.list(servers)
        assert psutil.pid_exists(removed)
        daemon.list(servers, path="/other.json")
        wait_until(lambda: not psutil.pid_exists(removed))
        assert pid(daemon, servers, "steady") == steady
        wait_until(lambda: set(daemon.servers()) == {"steady"})


def test_server_of_two_names_logs_under_both(home: Home) -> None:
    """Identical entries share a process; whoever looks into the log of either finds what it wrote."""
    twins = {name: entry(everything_server()) for name in ("one", "other")}
    with running(home) as daemon:
        daemon.list(twins)
        daemon.call(twins, "one", "echo", text="x")
        daemon.call(twins, "other", "log", level="info", text="written once")
        for name in twins:
            log = daemon.log.with_name(f"{name}.log")
            wait_until(lambda log=log: log.exists() and "written once" in log.read_text())


def test_broken_edit_disturbs_nothing(home: Home) -> None:
    """An edit that is no JSON gives an error; servers and calls in flight go on."""
    with running(home) as daemon:
        daemon.list(config())
        before = pid(daemon, config(), "changing")
        caller = daemon.caller(config())
        caller.config = caller.config[:-5]
        with pytest.raises(ConfigError, match=r"/mcp\.json"):
            list(daemon.client.tools(caller))
        for steady, why in (
            ({"command": "x", "args": "not a list"}, "args"),
            ({"command": "${NOT_SET}"}, "command"),
        ):
            answers = daemon.list(config(steady=steady))
            (failed,) = [answer for answer in answers if answer.failure.message]
            assert failed.server == "steady"
            assert failed.failure.message.startswith(f"/mcp.json: key '{why}': ")
        assert pid(daemon, config(), "changing") == before


def test_other_timeouts_are_no_other_server(home: Home) -> None:
    """A change of what concerns only the calls takes effect without a restart."""
    with running(home) as daemon:
        daemon.list(config())
        before = pid(daemon, config(), "changing")
        narrowed = config()
        narrowed["changing"].update(timeout=7, excludeTools=["echo"])
        offered = {answer.server: [tool.name for tool in answer.tools] for answer in daemon.list(narrowed)}
        assert "echo" not in offered["changing"]
        assert "pid" in offered["changing"]
        assert pid(daemon, narrowed, "changing") == before
