"""status: is it well, who runs it, what is it doing."""

from __future__ import annotations

import json

from tests.cli.terminal import run_in_terminal
from tests.home import Home
from tests.servers import entry, everything_server


def test_status_without_a_daemon(home: Home) -> None:
    """Exit code 3, as systemctl's, and nothing is started."""
    absent = home.run_cli("status", check=False)
    assert (absent.code, absent.stdout) == (3, "not running; the next prompt starts it\n")
    told = home.run_cli("status", "--json", check=False)
    assert told.code == 3
    assert json.loads(told.stdout) == {"running": False, "socket": str(home.socket), "supervisor": ""}
    assert home.processes() == []


def test_status_tells_what_runs(home: Home) -> None:
    """The daemon and its servers: who started it, where it listens, calls, errors, the last error."""
    home.write_config({"every": entry(everything_server()), "broken": {"command": "no-such-command"}})
    home.run_cli("tools")
    home.run_cli("call", "every", "echo", "text=x")
    home.run_cli("call", "every", "fail", "message=no", check=False)
    text = home.run_cli("status").stdout
    assert text.startswith("running  llm-mcp ")
    assert "itself (a prompt started it)" in text
    assert str(home.socket) in text
    every = next(line for line in text.splitlines() if line.startswith("every")).split()
    assert every[1] == "ready"
    assert every[3] == "2"
    assert "command 'no-such-command' was not found" in text
    status = json.loads(home.run_cli("status", "--json").stdout)
    assert status["running"] is True
    assert {server["server"]: server["state"] for server in status["servers"]}["every"] == "ready"


def test_status_shows_no_secret(home: Home) -> None:
    """Neither env, arguments, headers nor a url's password and query appear."""
    home.write_config(
        {
            "every": entry(everything_server("--password", "s3cr3t-argument"), env={"TOKEN": "s3cr3t-token"}),
            "web": {
                "url": "http://me:s3cr3t-password@127.0.0.1:9/mcp?key=s3cr3t-key",
                "headers": {"X": "s3cr3t-x"},
            },
        }
    )
    shown = [
        home.run_cli(*words.split(), check=False) for words in ("tools", "status", "status --json", "logs")
    ]
    assert "s3cr3t" not in "".join(str(one) for one in shown)


def test_watch_shows_it_again(home: Home) -> None:
    """Every second, on the same place, until Ctrl-C; also while no daemon runs."""
    home.run_cli("start")
    seen = run_in_terminal(home, "status", "--watch", when=lambda raw: raw.count("running") > 1, then=b"\x03")
    assert seen.code == 130
    assert seen.screen.count("running") == 1
    home.run_cli("stop")
    gone = run_in_terminal(home, "status", "-w", when=lambda raw: raw.count("not running") > 1, then=b"\x03")
    assert gone.screen.count("not running") == 1


def test_status_on_a_terminal(home: Home) -> None:
    """A table in colour that keeps to the width; without colour where NO_COLOR asks for that."""
    home.write_config({"every": entry(everything_server())})
    home.run_cli("call", "every", "pid")
    seen = run_in_terminal(home, "status", columns=80)
    assert "\x1b[32m" in seen.raw
    assert all(
        len(line) <= 80 for line in seen.screen.splitlines() if "socket" not in line and "log" not in line
    )
    assert "every" in seen.screen
    plain = run_in_terminal(home, "status", env={"NO_COLOR": "1"})
    assert "\x1b[3" not in plain.raw
    assert "every" in plain.screen


def test_output_without_utf8(home: Home) -> None:
    """What cannot be shown is replaced, and is no traceback."""
    home.write_config({"every": entry(everything_server())})
    for words in (["doctor"], ["status"], ["list"], ["tools"], ["call", "every", "add"]):
        done = home.run_cli(*words, env={"PYTHONIOENCODING": "latin-1"}, check=False)
        assert done.stdout.isascii()
        assert "Traceback" not in done.stderr
