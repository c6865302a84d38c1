"""The installed daemon under a real user manager: activation, restarts, crashes, healing, logs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from tests.daemon.live import variant
from tests.programs import Result
from tests.servers import entry, faulty_server
from tests.service.manager import BIN, ROOT, UNPRIVILEGED, UserManager
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.systemd

ASKING = Path(__file__).with_name("asking.py")
SOCKET, SERVICE = "llm-mcp.socket", "llm-mcp.service"
# Most tests want any server, so one that starts quickly; and its mark in the list of processes.
SERVER, MARK = faulty_server("fine"), "faulty.py"
# A server whose tools write a line to stderr and end when there is the file `until`.
LASTING = variant("""
def run(self, tool, arguments):
    print(arguments["line"], file=sys.stderr, flush=True)
    while not pathlib.Path(arguments["until"]).exists():
        time.sleep(0.05)
    return "saw until"
""")
# Seconds in which a prompt says what is wrong with the unit.
PATIENCE = 10

# For tests that last long, and where root or not makes no difference.
as_one_user = pytest.mark.parametrize("manager", [UNPRIVILEGED], ids=["unprivileged"], indirect=True)


@pytest.fixture
def installed(manager: UserManager) -> UserManager:
    """A manager with the service installed by the command, and a config with one server. No daemon runs."""
    write_config(manager, entry(SERVER))
    manager.cli("service", "install", "--no-enable")  # else it is asked whether it answers
    manager.systemctl("enable", "--now", SOCKET)
    return manager


def write_config(manager: UserManager, server: dict[str, Any]) -> None:
    config = {"mcpServers": {"everything": server}}
    manager.write(manager.home / ".llm-tools-mcp" / "mcp.json", json.dumps(config))


def asking(manager: UserManager, *arguments: str, **options) -> Result:
    return manager.run(sys.executable, ASKING, *arguments, env={"PYTHONPATH": str(ROOT)}, **options)


def health(manager: UserManager) -> dict:
    return json.loads(asking(manager, "health").stdout)


def echo(manager: UserManager, text: str) -> str:
    return json.loads(asking(manager, "call", "echo", json.dumps({"text": text})).stdout)


def start_calling(manager: UserManager, until: Path) -> subprocess.Popen[str]:
    """A call that lasts until there is that file; returns once the daemon has it."""
    write_config(manager, LASTING)
    words = [sys.executable, ASKING, "call", "echo", json.dumps({"line": "begins", "until": str(until)})]
    argv = manager.argv(*words, env={"PYTHONPATH": str(ROOT)})
    caller = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_until(lambda: "1 calls in flight" in manager.show(SERVICE, "StatusText"))
    return caller


def drop_in(manager: UserManager, *lines: str, name: str = "test.conf") -> Path:
    text = "\n".join(["[Service]", *lines, ""])
    path = manager.write(manager.units / f"{SERVICE}.d" / name, text)
    manager.systemctl("daemon-reload")
    return path


def main_pid(manager: UserManager) -> int:
    return int(manager.show(SERVICE, "MainPID"))


def state(manager: UserManager) -> str:
    return manager.show(SERVICE, "ActiveState")


def log(manager: UserManager) -> str:
    which = ["--user", "-u", SERVICE] if manager.user != "root" else [f"--user-unit={SERVICE}"]
    return manager.run("journalctl", *which, "--no-pager").stdout


def processes(manager: UserManager, mark: str) -> list[str]:
    """The processes inside whose command line holds `mark`, without the one that looks."""
    lines = manager.run("ps", "-eo", "pid=,args=").stdout.splitlines()
    return [line for line in lines if mark in line and "ps -eo" not in line]


@contextmanager
def load(manager: UserManager, at_least: int) -> Iterator[tuple[IO[str], dict]]:
    """Eight callers without a pause; at the end the dictionary tells how many there were and what failed."""
    argv = manager.argv(sys.executable, ASKING, "load", "8", str(at_least), env={"PYTHONPATH": str(ROOT)})
    callers = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    outcome: dict = {}
    try:
        assert callers.stdout
        assert callers.stdout.readline() == "running\n"
        yield callers.stdout, outcome
        outcome.update(json.loads(callers.communicate(timeout=1200)[0].splitlines()[-1]))
    finally:
        if callers.poll() is None:
            callers.kill()
            callers.communicate()


def test_install_says_that_it_answers_and_how_to_undo_it(manager):
    """`service install` ends with an answer through the new socket."""
    said = manager.cli("service", "install").stdout
    assert "enabled and started llm-mcp.socket" in said
    assert f"answers on {manager.socket}" in said
    assert "started by systemd" in said
    assert "llm mcp service uninstall" in said
    assert f"path={BIN / 'llm-mcp'} " in manager.show(SERVICE, "ExecStart")


def test_first_connection_activates(installed):
    """A prompt finds the daemon that the manager started: its parent is the manager, nothing was spawned.

    `systemctl --user status` shows what it does.
    """
    assert state(installed) == "inactive"
    assert echo(installed, "hello") == "hello"
    answer = health(installed)
    assert answer["supervisor"] == "systemd"
    assert answer["log"] == "journal"
    assert state(installed) == "active"
    parent = installed.run("ps", "-o", "ppid=", "-p", str(main_pid(installed))).stdout
    manager_process = installed.run("ps", "-o", "args=", "-p", parent.strip()).stdout
    assert "systemd --user" in manager_process
    wait_until(lambda: "1 servers connected, 0 calls in flight" in installed.show(SERVICE, "StatusText"))


@as_one_user
def test_stopped_socket_is_started_by_the_prompt(installed):
    """The unit is there and its socket stopped: the prompt asks the manager, and does not spawn."""
    installed.systemctl("stop", SOCKET)
    assert health(installed)["supervisor"] == "systemd"


@as_one_user
def test_clients_queue_during_the_start(installed):
    """Ten clients that come while the daemon starts are all answered, by one daemon."""
    argv = installed.argv(sys.executable, ASKING, "health", env={"PYTHONPATH": str(ROOT)})
    clients = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    answers = [json.loads(client.communicate(timeout=SOON)[0]) for client in clients]
    assert {answer["pid"] for answer in answers} == {answers[0]["pid"]}
    assert installed.show(SERVICE, "NRestarts") == "0"


def restart_under_load(manager: UserManager, restarts: int, calls: int) -> None:
    with load(manager, at_least=calls) as (progress, outcome):
        for _ in range(restarts):
            for _ in range(calls // restarts // 1000):
                assert progress.readline() == "1000\n"
            before = main_pid(manager)
            manager.systemctl("restart", SERVICE)
            assert main_pid(manager) not in (0, before)
            wait_until(lambda: processes(manager, MARK))
    assert outcome["failures"] == []
    assert outcome["calls"] >= calls


@as_one_user
def test_restart_under_load_loses_nothing(installed):
    """Calls in flight finish, the others wait in the socket's queue: none fails."""
    restart_under_load(installed, restarts=3, calls=0)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_restarts_under_load_lose_nothing(installed):
    """The same over 20 restarts and 50,000 calls."""
    restart_under_load(installed, restarts=20, calls=50_000)


@as_one_user
def test_reload_keeps_the_daemon(installed):
    """`systemctl --user reload` re-reads in the same process."""
    before = health(installed)["pid"]
    installed.systemctl("reload", SERVICE)
    assert state(installed) == "active"
    assert main_pid(installed) == before
    wait_until(lambda: "reloading" in log(installed))


def test_stop_ends_the_servers(installed):
    """After a stop no MCP server is left, and the socket still listens."""
    echo(installed, "hello")
    assert processes(installed, MARK)
    installed.systemctl("stop", SERVICE)
    assert not processes(installed, MARK)
    assert installed.show(SERVICE, "Result") == "success"
    assert installed.show(SOCKET, "ActiveState") == "active"


@as_one_user
def test_stop_is_bounded_by_the_grace_period(installed):
    """A call that would last for minutes does not hold up the stop."""
    caller = start_calling(installed, until=installed.home / "never")
    installed.systemctl("stop", SERVICE)
    assert installed.show(SERVICE, "Result") == "success"  # not `timeout`, after systemd's own patience
    assert not processes(installed, "saw until")
    caller.communicate(timeout=SOON)
    assert caller.returncode


@as_one_user
def test_killed_daemon_is_back_for_the_next_prompt(installed):
    """After SIGKILL the manager ends the servers, and the next call works."""
    echo(installed, "hello")
    old_server = processes(installed, MARK)
    before = main_pid(installed)
    installed.systemctl("kill", "--kill-who=main", "--signal=KILL", SERVICE)
    assert echo(installed, "again") == "again"
    assert main_pid(installed) != before
    assert not set(old_server) & set(processes(installed, MARK))


@as_one_user
def test_hung_daemon_is_killed_by_the_watchdog(installed):
    """A daemon whose loop stands still is replaced, with its servers."""
    drop_in(installed, "WatchdogSec=2")
    echo(installed, "hello")
    old_server = processes(installed, MARK)
    before = main_pid(installed)
    installed.run("kill", "-STOP", str(before))
    wait_until(lambda: main_pid(installed) not in (0, before))
    assert "watchdog" in log(installed).lower()
    assert echo(installed, "again") == "again"
    assert not set(old_server) & set(processes(installed, MARK))


@as_one_user
def test_watchdog_is_fed_during_the_drain(installed):
    """A drain that lasts longer than the watchdog's time is not a hang."""
    drop_in(installed, "WatchdogSec=1")
    until = installed.home / "until"
    caller = start_calling(installed, until)
    installed.systemctl("stop", "--no-block", SERVICE)
    wait_until(lambda: state(installed) == "deactivating")
    drained_until = time.monotonic() + 2.5
    wait_until(lambda: time.monotonic() > drained_until)
    installed.write(until, "")
    assert "saw until" in caller.communicate(timeout=SOON)[0]
    wait_until(lambda: state(installed) == "inactive")
    assert installed.show(SERVICE, "Result") == "success"


@as_one_user
def test_idle_exit_and_activation(installed):
    """An unused daemon exits cleanly, however often; the socket listens on, and the next call works."""
    drop_in(installed, "ExecStart=", f"ExecStart={BIN / 'llm-mcp'} daemon --idle-timeout 0.5")
    for _ in range(6):  # more than systemd's default limit of starts
        assert health(installed)["supervisor"] == "systemd"
        wait_until(lambda: state(installed) == "inactive")
    assert installed.show(SERVICE, "Result") == "success"
    assert installed.show(SERVICE, "NRestarts") == "0"
    assert installed.show(SOCKET, "ActiveState") == "active"


@as_one_user
@pytest.mark.parametrize(
    "fault", ["/nowhere/llm-mcp daemon", "/bin/sh -c 'echo no such module >&2; sleep 0.3; exit 7'"]
)
def test_failing_start_is_an_error_and_heals(installed, fault):
    """No hang and no spawn: the reason, the log, the repair. Mended, the next prompt works by itself."""
    broken = drop_in(installed, "ExecStart=", f"ExecStart={fault}")
    failed = installed.cli("tools", check=False, timeout=60)
    assert failed.code == 1
    assert failed.seconds < PATIENCE
    assert "reset-failed" in failed.stderr
    assert ("is gone" if "nowhere" in fault else "  no such module") in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not processes(installed, "llm_tools_mcp.daemon")
    installed.run("rm", broken)
    installed.systemctl("daemon-reload")
    assert echo(installed, "mended") == "mended"
    assert health(installed)["supervisor"] == "systemd"


@as_one_user
def test_failed_socket_is_an_error_with_the_repair(installed):
    """A socket that cannot start is explained; nothing is spawned instead."""
    installed.systemctl("stop", SOCKET)
    installed.run("mkdir", "-p", installed.units / f"{SOCKET}.d")
    bad = installed.write(
        installed.units / f"{SOCKET}.d" / "bad.conf", "[Socket]\nListenStream=/proc/no/such\n"
    )
    installed.systemctl("daemon-reload")
    failed = installed.cli("tools", check=False)
    assert failed.code == 1
    assert failed.seconds < PATIENCE
    assert "reset-failed" in failed.stderr
    installed.run("rm", bad)
    installed.systemctl("daemon-reload")
    assert health(installed)["supervisor"] == "systemd"


def test_packaged_units_work_as_they_are(manager):
    """Dropped into the unit folder, with the program at /usr/bin/llm-mcp, the packaged units do."""
    manager.run("ln", "-s", BIN / "llm-mcp", "/usr/bin/llm-mcp", as_root=True)
    write_config(manager, entry(SERVER))
    for name in (SOCKET, SERVICE):
        manager.write(manager.units / name, (ROOT / "packaging" / "systemd" / name).read_text())
    manager.systemctl("daemon-reload")
    manager.systemctl("enable", "--now", SERVICE.replace("service", "socket"))
    assert echo(manager, "hello") == "hello"
    assert health(manager)["supervisor"] == "systemd"


@as_one_user
def test_install_replaces_a_spawned_daemon(manager):
    """A daemon that a prompt spawned makes room: nothing of it is left, and systemd's answers."""
    write_config(manager, entry(SERVER))
    assert echo(manager, "hello") == "hello"
    assert health(manager)["supervisor"] == "spawned"
    manager.cli("service", "install")
    assert health(manager)["supervisor"] == "systemd"
    wait_until(lambda: not processes(manager, "-m llm_tools_mcp.daemon"))


def test_after_uninstall_the_prompt_spawns(installed):
    """Uninstall leaves nothing running and nothing behind, and prompts go on to work."""
    echo(installed, "hello")
    said = installed.cli("service", "uninstall").stdout
    assert "stopped and disabled" in said
    assert not processes(installed, MARK)
    assert not processes(installed, "llm-mcp daemon")
    left = installed.run(
        "find", installed.home / ".config", installed.runtime, "-name", "*llm-mcp*", as_root=True
    )
    assert left.stdout == ""
    assert health(installed)["supervisor"] == "spawned"
    installed.cli("stop")


@as_one_user
def test_install_without_enable_is_not_used(manager):
    """`--no-enable` only writes; the daemon is started as before."""
    said = manager.cli("service", "install", "--no-enable").stdout
    assert "systemctl --user enable --now llm-mcp.socket" in said
    assert not manager.exists(manager.socket)


def test_service_status_shows_manager_and_log(installed):
    """`service status` shows what the manager says, and the last lines of the log."""
    health(installed)
    shown = installed.cli("service", "status").stdout
    assert "llm-mcp.socket - MCP servers for llm (socket)" in shown
    assert "Active: active (listening)" in shown or "Active: active (running)" in shown
    assert "Started llm-mcp.service" in shown


@as_one_user
def test_service_status_without_a_service(manager):
    """It says that there is none, and how to get one; the exit code is systemctl's."""
    shown = manager.cli("service", "status", check=False)
    assert shown.code == 3
    assert "llm mcp service install" in shown.stdout


def test_journal_names_the_server(installed):
    """What a server writes to its stderr is a line of the unit's log that names the server."""
    write_config(installed, LASTING)
    asking(installed, "call", "echo", json.dumps({"line": "a line of the server", "until": "/"}))
    wait_until(lambda: "a line of the server" in log(installed))
    line = next(line for line in log(installed).splitlines() if "a line of the server" in line)
    assert "llm-mcp[" in line
    assert "everything" in line
    assert "<6>" not in line


@as_one_user
def test_grandchildren_do_not_survive(installed):
    """A server's own child, left behind when the server ends, is gone after the stop."""
    write_config(installed, entry(faulty_server("grandchild")))
    asking(installed, "call", "grandchild", "{}")
    assert processes(installed, "sleep 1000")
    installed.systemctl("stop", SERVICE)
    assert not processes(installed, "sleep 1000")
