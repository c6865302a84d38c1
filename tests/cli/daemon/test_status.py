"""status: is it well, who runs it, what is it doing."""

from __future__ import annotations

import json
import subprocess

import psutil

from tests.cli.terminal import run_in_terminal
from tests.daemon.live import failing
from tests.home import BIN, Home
from tests.programs import end
from tests.servers import entry, faulty_server
from tests.waiting import wait_until

# What a watch ends with: the cursor and the terminal's first screen are back.
FIRST_SCREEN = "\x1b[?25h\x1b[?1049l"
SCREENS = (60, 80, 120)  # columns


def table(text: str) -> list[str]:
    """The lines of the table of servers, its titles first."""
    lines = text[text.index("SERVER ") :].splitlines()
    return [line.rstrip() for line in (lines[: lines.index("")] if "" in lines else lines)]


def table_of(text: str) -> dict[str, list[str]]:
    """The words of each server's line after its name."""
    return {words[0]: words[1:] for words in (line.split() for line in table(text)[1:])}


def test_status_without_a_daemon(home: Home) -> None:
    """Exit code 3, as systemctl's, and nothing is started."""
    absent = home.run_here("status", check=False)
    assert (absent.code, absent.stdout) == (3, "not running; the next prompt starts it\n")
    told = home.run_here("status", "--json", check=False)
    assert told.code == 3
    assert json.loads(told.stdout) == {
        "running": False,
        "socket": str(home.socket),
        "supervisor": "",
        "servers": [],
        "elsewhere": [],
    }
    assert home.processes() == []


def test_status_tells_what_runs(home: Home) -> None:
    """The daemon and its servers: who started it, where it listens, calls, errors, the last error."""
    home.write_config({"every": failing(), "broken": {"command": "no-such-command"}})
    home.run_here("tools")
    home.run_here("call", "every", "echo", "text=x")
    home.run_here("call", "every", "echo", "text=fail", check=False)
    text = home.run_here("status").stdout
    assert text.startswith("running  llm-mcp ")
    assert "itself (started on demand)" in text
    assert str(home.socket) in text
    every = table_of(text)["every"]
    assert every[:4] == ["ready", "2", "0", "0"]
    assert every[4] != "-"
    assert table_of(text)["broken"][0] in ("backing", "failed")
    assert "command 'no-such-command' was not found" in text
    status = json.loads(home.run_here("status", "--json").stdout)
    assert status["running"] is True
    assert {server["server"]: server["state"] for server in status["servers"]}["every"] == "ready"


def test_status_counts_errors_and_restarts(home: Home) -> None:
    """Beside the calls; a call that the server did not answer is an error, and so it was started again."""
    home.write_config({"every": failing()})
    home.run_here("call", "every", "echo", "text=crash", check=False)
    home.run_here("call", "every", "echo", "text=x")
    assert table_of(home.run_here("status").stdout)["every"][:4] == ["ready", "2", "1", "1"]
    (server,) = json.loads(home.run_here("status", "--json").stdout)["servers"]
    assert (server["calls"], server["errors"], server["restarts"]) == (2, 1, 1)
    assert 0 < server["latency_p50_seconds"] <= server["latency_p95_seconds"] < 60


def test_entries_that_mean_the_same_server_are_shown_together(home: Home) -> None:
    """They share it: `status` names both in one line, and `list` tells of both what became of it.

    Of entries that are others by now `list` tells nothing that it was, and that ends.
    """
    same = entry(faulty_server("fine"))
    home.write_config({"one": same, "two": same})
    for name in ("one", "two"):
        home.run_here("call", name, "echo", "text=x")
    (server,) = json.loads(home.run_here("status", "--json").stdout)["servers"]
    assert (server["server"], server["also_called"], server["calls"]) == ("one", ["two"], 2)
    assert "one, two  ready" in home.run_here("status").stdout
    rows = json.loads(home.run_here("list", "--json").stdout)["servers"]
    assert [(row["name"], row["state"]) for row in rows] == [("one", "ready"), ("two", "ready")]
    assert all(row["memory_bytes"] for row in rows)
    home.write_config({"one": same | {"env": {"OTHER": "1"}}, "two": {"command": "x", "args": 5}})
    one, two = json.loads(home.run_here("list", "--json").stdout)["servers"]
    assert one["state"] in ("stopping", "stopped")
    assert two["state"] == "failed"
    assert (one["memory_bytes"], two["memory_bytes"], two["copies"]) == (0, 0, 0)
    wait_until(lambda: not psutil.pid_exists(server["pid"]))


def test_status_shows_no_secret(home: Home) -> None:
    """Neither env, arguments, headers nor a url's password and query appear."""
    told = failing(env={"TOKEN": "s3cr3t-token"})
    told["args"] += ["--password", "s3cr3t-argument"]
    home.write_config(
        {
            "every": told,
            "web": {
                "url": "http://me:s3cr3t-password@127.0.0.1:9/mcp?key=s3cr3t-key",
                "headers": {"X": "s3cr3t-x"},
            },
        }
    )
    shown = [
        home.run_here(*words.split(), check=False) for words in ("tools", "status", "status --json", "logs")
    ]
    assert "echo" in shown[0].stdout
    assert "s3cr3t" not in "".join(str(one) for one in shown)


def test_watch_shows_it_again(home: Home) -> None:
    """Every second, on the same place, until Ctrl-C; also while no daemon runs."""
    home.run_here("start")
    seen = run_in_terminal(home, "status", "--watch", when=lambda raw: raw.count("running") > 1, then=b"\x03")
    assert seen.code == 130
    assert seen.screen.count("running") == 1
    assert seen.raw.endswith(FIRST_SCREEN)
    home.run_here("stop")
    gone = run_in_terminal(home, "status", "-w", when=lambda raw: raw.count("not running") > 1, then=b"\x03")
    assert gone.screen.count("not running") == 1


def test_watch_outlives_the_daemon(home: Home) -> None:
    """It shows that the daemon went, and that there is one again; Ctrl-C ends it under both names."""
    home.run_here("start")
    seen: list[str] = []

    def is_over(raw: str) -> bool:
        page = raw.rpartition("\x1b[H")[2]
        is_running = "llm-mcp 1" in page and "socket" in page
        if not seen and is_running:
            seen.append(home.run_here("stop").stdout)
        elif len(seen) == 1 and "not running" in page:
            seen.append(home.run_here("start").stdout)
        return len(seen) == 2 and is_running

    watched = run_in_terminal(
        home, "mcp", "status", "--watch", program="llm", when=is_over, then=b"\x03", columns=60
    )
    assert watched.code == 130
    assert watched.raw.endswith(FIRST_SCREEN)
    assert "Traceback" not in watched.raw


def test_watch_in_a_pipe(home: Home) -> None:
    """One below the other, without control sequences; whoever reads it may leave."""
    done = home.run("sh", "-c", "llm-mcp status --watch | head -3")
    assert done.stdout == "not running; the next prompt starts it\n\nnot running; the next prompt starts it\n"
    assert "Traceback" not in done.stderr


def test_narrow_terminal_leaves_columns_out(home: Home) -> None:
    """What does not fit is left out, not cut off; of a folder its end is kept."""
    home.write_config({"every": entry(faulty_server("fine"))})
    folder = home.work / "a-folder-with-a-long-name" / "and-one-below-it"
    folder.mkdir(parents=True)
    home.run_here("call", "every", "pid", cwd=folder)
    shown = {columns: table(run_in_terminal(home, "status", columns=columns).screen) for columns in SCREENS}
    for columns, lines in shown.items():
        assert {len(line) <= columns for line in lines} == {True}
    narrow, usual, wide = (lines[0].split() for lines in shown.values())
    # How many more there are depends on the figures: 9.9 ms is narrower than 10.1 ms.
    assert {"SERVER", "STATE", "CALLS", "PID", "WHERE"} <= set(narrow)
    assert {*narrow, "ERRORS", "P50"} <= set(usual) < set(wide)
    assert narrow == [column for column in wide if column in narrow]
    assert usual == [column for column in wide if column in usual]
    first = ["SERVER", "STATE", "CALLS", "ERRORS", "RESTARTS", "P50", "P95"]
    assert wide == [*first, "IDLE", "TOOLS", "TOKENS", "MEMORY", "PID", "WHERE"]
    assert shown[80][1].endswith("-below-it")


def test_list_on_a_narrow_terminal(home: Home) -> None:
    """The name is shortened, and the transport left out, before a number is."""
    home.write_config({"a-server-with-quite-a-long-name": {"command": "x"}, "short": {"url": "http://x"}})
    lines = run_in_terminal(home, "list", columns=55).screen.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "TOOLS", "MEMORY", "IDLE"]
    assert lines[1].startswith("a-server-with-")
    assert "…" in lines[1]
    assert {len(line) <= 55 for line in lines} == {True}


def test_list_tells_copies_in_folders_from_instances(home: Home) -> None:
    """A `cwd` is advised where folders are the reason for several processes; `instances` are as wanted."""
    home.write_config({"every": entry(faulty_server("fine"))})
    home.run_here("call", "every", "pid")
    assert "one process for each folder" not in home.run_here("list").stdout
    home.run_here("call", "every", "pid", cwd=home.folder)
    assert "\nevery: one process for each folder" in home.run_here("list").stdout
    (listed,) = json.loads(home.run_here("list", "--json").stdout)["servers"]
    assert listed["folders"] == [str(home.folder), str(home.work)]
    home.run_here("call", "every", "pid", env={"PATH": f"{home.env['PATH']}:/sbin"})
    for command in ("list", "status"):
        assert "\nevery: 3 processes in 2 folders. One is shared" in home.run_here(command).stdout
    home.run_here("disable", "every")
    # At once, without a prompt.
    wait_until(lambda: "every" not in home.run_here("status").stdout)


def test_status_on_a_terminal(home: Home) -> None:
    """A table in colour that keeps to the width; without colour where NO_COLOR asks for that."""
    home.write_config({"every": entry(faulty_server("fine"))})
    home.run_here("call", "every", "pid")
    seen = run_in_terminal(home, "status", columns=80)
    assert "\x1b[32m" in seen.raw
    assert all(
        len(line) <= 80 for line in seen.screen.splitlines() if "socket" not in line and "log" not in line
    )
    assert "every" in seen.screen
    plain = run_in_terminal(home, "status", env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.raw
    assert "every" in plain.screen


def test_no_escape_sequences_where_none_are_wanted(home: Home) -> None:
    """Neither bold nor dim, in any table: with NO_COLOR, and on a terminal that knows none."""
    home.write_config({"every": entry(faulty_server("fine")), "off": {"command": "x", "disabled": True}})
    home.run_here("call", "every", "pid")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        for words in (["list"], ["status"], ["tools", "every"]):
            assert "\x1b" not in run_in_terminal(home, *words, env=env).raw


def test_list_puts_several_errors_on_one_line(home: Home) -> None:
    """With something between them."""
    home.write_config({"two": {"command": "${UNSET_1}", "args": ["${UNSET_2}"]}})
    (line,) = [line for line in home.run_here("list").stdout.splitlines() if line.startswith("two: ")]
    assert line.startswith("two: 2 errors: key 'command': ")
    assert "; key 'args[0]': " in line


def test_facts_are_aligned_on_a_narrow_terminal(home: Home) -> None:
    """What does not fit goes on below, under its beginning; a path stays whole. So when it is watched."""
    home.run_here("start")
    log = f"     log  {home.config_folder}/logs/daemon.log"
    for watch in ([], ["--watch"]):
        seen = run_in_terminal(
            home, "status", *watch, columns=len(log) + 2, when=lambda raw: "mcp logs" in raw, then=b"\x03"
        )
        lines = seen.raw.replace("\x1b[K", "").replace("\x1b[2m", "").replace("\x1b[0m", "").splitlines()
        assert lines[lines.index(log) + 1] == f"{'':10}(llm mcp logs)"


def test_log_of_a_daemon_in_the_foreground(home: Home) -> None:
    """It is on its terminal, where `logs` cannot read it."""
    argv = [BIN / "llm-mcp", "daemon"]
    with subprocess.Popen(argv, env=home.env, stderr=subprocess.DEVNULL) as daemon:
        try:
            wait_until(lambda: home.run_here("health", check=False).code == 0)
            assert "log  its terminal (stderr)\n" in home.run_here("status").stdout
        finally:
            end(daemon)


def test_output_without_utf8(home: Home) -> None:
    """What cannot be shown is replaced, and is no traceback."""
    home.write_config({"every": entry(faulty_server("fine"))})
    for words in (["doctor"], ["status"], ["list"], ["tools"], ["call", "every", "echo"]):
        done = home.run_cli(*words, env={"PYTHONIOENCODING": "latin-1"}, check=False)
        assert done.stdout.isascii()
        assert "Traceback" not in done.stderr
