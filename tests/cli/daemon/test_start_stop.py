"""start, stop, restart, health and daemon, as they are typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import click
import psutil
import pytest

from llm_tools_mcp.cli.daemon.start_stop import _seconds, daemon_command
from tests.cli.terminal import run_in_terminal
from tests.daemon.live import blocking
from tests.home import BIN, Home
from tests.programs import end
from tests.servers import entry, faulty_server
from tests.waiting import SOON, wait_until


def daemon_pid(home: Home) -> int:
    return int(json.loads(home.run_here("health", "--json").stdout)["pid"])


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_start_starts_one_daemon(home: Home) -> None:
    """`start` says who runs; a second one finds it running."""
    first = home.run_cli("start")
    second = home.run_cli("start", "--json")
    assert first.stdout.startswith("started: llm-mcp ")
    health = json.loads(second.stdout)
    assert f"pid {health['pid']}" in first.stdout
    assert (health["state"], health["supervisor"]) == ("serving", "spawned")
    assert home.run_cli("start").stdout.startswith("already running: ")


def test_stop_waits_until_the_daemon_is_gone(home: Home) -> None:
    """After `stop` neither the daemon nor a server of its is left, and the socket is free."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    home.run_here("call", "fine", "pid")
    pid = daemon_pid(home)
    stopped = home.run_cli("stop")
    assert stopped.stdout == f"stopped (pid {pid})\n"
    assert home.processes() == []
    assert home.run_cli("stop").stdout == "not running\n"


def test_stop_lets_a_call_finish(home: Home) -> None:
    """A call in flight gets its answer; `stop` waits for it."""
    began, until = home.work / "began", home.work / "until"
    home.write_config({"slow": blocking()})
    home.run_here("tools")
    log = home.config_folder / "logs" / "daemon.log"
    arguments = {"text": "done", "began": str(began), "until": str(until)}
    argv = [BIN / "llm-mcp", "call", "slow", "echo", "--json-args", json.dumps(arguments)]
    with subprocess.Popen(argv, env=home.env, cwd=home.work, stdout=subprocess.PIPE, text=True) as call:
        wait_until(began.exists)
        with subprocess.Popen([BIN / "llm-mcp", "stop"], env=home.env, stdout=subprocess.PIPE) as stop:
            wait_until(lambda: "stopping" in log.read_text())
            assert (call.poll(), stop.poll()) == (None, None)
            until.touch()
            assert call.communicate(timeout=SOON)[0] == "done\n"
            stop.communicate(timeout=SOON)
    assert (call.returncode, stop.returncode) == (0, 0)


def test_restart_kills_a_hung_daemon_that_a_prompt_started(home: Home) -> None:
    """One that does not answer gets TERM, then KILL, as by `stop`; its servers go with it."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    home.run_here("call", "fine", "pid")
    pid = daemon_pid(home)
    os.kill(pid, signal.SIGSTOP)
    assert home.run_cli("restart").stdout.startswith("restarted: ")
    assert daemon_pid(home) != pid
    wait_until(lambda: len(home.processes()) == 1)  # the server has to notice that its input ended
    assert home.run_here("call", "fine", "echo", "text=again").stdout == "again\n"


def test_stop_does_not_kill_what_no_prompt_started(home: Home) -> None:
    """A hung daemon in the foreground is somebody's terminal: `stop` says how to end it."""
    argv = [BIN / "llm-mcp", "daemon"]
    with subprocess.Popen(argv, env=home.env, stderr=subprocess.DEVNULL) as daemon:
        try:
            wait_until(lambda: home.run_here("health", check=False).code == 0)
            daemon.send_signal(signal.SIGSTOP)
            refused = home.run_cli("stop", check=False)
            assert refused.code == 1
            assert f"kill -9 {daemon.pid}" in refused.stderr
            assert daemon.poll() is None
        finally:
            daemon.send_signal(signal.SIGCONT)
            end(daemon)


def test_pid_file_of_another_process_is_not_believed(home: Home) -> None:
    """A pid that was used again is not killed: the process has to be the daemon of this socket."""
    with subprocess.Popen(["sleep", "600"]) as innocent:
        (home.config_folder / "daemon.pid").write_text(f"{innocent.pid}\n")
        assert home.run_cli("stop").stdout == "not running\n"
        assert innocent.poll() is None
        end(innocent)


def test_restart_replaces_the_daemon(home: Home) -> None:
    """Another pid answers, and the old one is gone; without a daemon `restart` starts one."""
    assert home.run_cli("restart").stdout.startswith("restarted: ")
    before = daemon_pid(home)
    home.run_cli("restart")
    assert daemon_pid(home) != before
    assert is_gone(before)


def test_restart_of_a_server_that_the_config_does_not_have(home: Home) -> None:
    """With --config nothing is ended but a server of that config."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    pid = home.run_here("call", "fine", "pid").stdout
    absent = home.run_cli("restart", "--config", "/nope", "fine", check=False)
    assert (absent.code, "there is no MCP config at /nope" in absent.stderr) == (1, True)
    other = str(home.write_config({"fini": {"command": "x"}}, home.work / "other.json"))
    unknown = home.run_cli("restart", "--config", other, "fine", check=False)
    assert (unknown.code, "did you mean 'fini'?" in unknown.stderr) == (1, True)
    assert home.run_here("call", "fine", "pid").stdout == pid


def test_health_is_1_when_nobody_answers(home: Home) -> None:
    """Exit code 1, the reason on stderr, as JSON on stdout; and no daemon is started."""
    unhealthy = home.run_here("health", check=False)
    assert (unhealthy.code, unhealthy.stdout) == (1, "")
    assert unhealthy.stderr == f"unhealthy: no llm-mcp daemon answers on {home.socket}\n"
    told = home.run_here("health", "--json", check=False)
    assert told.code == 1
    assert json.loads(told.stdout)["healthy"] is False
    assert home.processes() == []


def test_health_of_a_hung_daemon(home: Home) -> None:
    """A socket that accepts is no health: the answer counts, and its absence has a deadline."""
    home.run_cli("start")
    pid = daemon_pid(home)
    os.kill(pid, signal.SIGSTOP)
    unhealthy = home.run_here("health", check=False)
    assert unhealthy.code == 1
    assert "accepts connections, but no llm-mcp daemon answered" in unhealthy.stderr
    assert unhealthy.seconds < 10
    os.kill(pid, signal.SIGCONT)


def test_daemon_exits_when_unused(home: Home) -> None:
    """After its `--idle-timeout` the daemon ends by itself with 0 and says why."""
    assert "unused for 0.6 s" in home.run_cli("daemon", "--idle-timeout", "0.01m").stderr


@pytest.mark.parametrize(
    ("written", "seconds"), [("0.3", 0.3), ("90S", 90), (" 30 min ", 1800), ("1h", 3600)]
)
def test_times_have_units(written: str, seconds: float) -> None:
    """Without one they are seconds."""
    assert _seconds(click.Context(daemon_command), daemon_command.params[0], written) == seconds


def test_daemon_logs_to_a_file(home: Home, tmp_path: Path) -> None:
    """`--log-file` takes the place of stderr, `--socket` that of the user's own."""
    log, socket = tmp_path / "d.log", home.runtime / "other"
    done = home.run_cli("daemon", "--socket", str(socket), "--log-file", str(log), "--idle-timeout", "0.2")
    assert done.stderr == ""
    assert f"serves on {socket}" in log.read_text()


def test_daemon_refuses_a_time_that_is_none(home: Home) -> None:
    """What cannot be read as a time is a usage error that shows how times are written."""
    refused = home.run_cli("daemon", "--idle-timeout", "soon", check=False)
    assert refused.code == 2
    assert "'soon' is no time: write seconds, or 90s, 30m, 1h; 0 = never" in refused.stderr


def test_foreground_daemon_ends_with_ctrl_c(home: Home) -> None:
    """In a terminal Ctrl-C drains it: exit code 0, no traceback."""
    seen = run_in_terminal(
        home, "daemon", when=lambda _: home.run_here("health", check=False).code == 0, then=b"\x03"
    )
    assert seen.code == 0
    assert "stopping: SIGINT" in seen.screen
    assert "Traceback" not in seen.screen


def test_foreground_daemon_refuses_when_one_runs(home: Home) -> None:
    """Two daemons never share a socket: the second one names the first."""
    home.run_cli("start")
    refused = home.run_cli("daemon", check=False)
    assert refused.code == 1
    assert f"already running, pid {daemon_pid(home)}" in refused.stderr


def test_daemon_at_another_place_is_known(home: Home) -> None:
    """One that cron started, where XDG_RUNTIME_DIR is another: `status` names it, `stop` ends it, too."""
    other = home.runtime / "other"
    other.mkdir(mode=0o700)
    here = {"LLM_MCP_SOCKET": ""}
    home.run_cli("start", env={**here, "XDG_RUNTIME_DIR": str(other)})
    seen = home.run_here("status", env=here, check=False)
    assert (seen.code, f"listens on {other}/llm-mcp.sock" in seen.stdout) == (3, True), seen
    told = json.loads(home.run_here("status", "--json", env=here, check=False).stdout)
    assert [place["socket"] for place in told["elsewhere"]] == [f"{other}/llm-mcp.sock"]
    stopped = home.run_cli("stop", env=here).stdout.splitlines()
    assert stopped[0] == "not running"
    assert stopped[1].startswith(f"stopped the one on {other}/llm-mcp.sock, too")
    assert home.processes() == []
