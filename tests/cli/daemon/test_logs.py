"""logs: from files here; the journal is asked in tests/service."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import run_in_terminal
from tests.daemon.live import variant
from tests.home import BIN, Home
from tests.waiting import SOON, wait_until


def test_log_of_the_daemon(home: Home) -> None:
    """The last lines, also after the daemon has stopped."""
    home.run_here("start")
    assert f"serves on {home.socket}" in home.run_here("logs").stdout
    home.run_here("stop")
    assert home.run_here("logs", "-n", "1").stdout.endswith("stopping: asked to stop\n")
    assert home.run_here("logs", "-n", "0").stdout == ""


def test_log_of_a_server(home: Home) -> None:
    """What it wrote to its stderr."""
    body = """
    def run(self, tool, arguments):
        print("written to stderr", file=sys.stderr, flush=True)
        return tool
    """
    home.write_config({"every": variant(body)})
    home.run_here("call", "every", "pid")
    wait_until(lambda: "written to stderr" in home.run_here("logs", "every", check=False).stdout)


def test_no_log_yet(home: Home) -> None:
    """A clear error, exit code 1, that names the place; near misses are suggested."""
    absent = home.run_here("logs", check=False)
    assert (absent.code, absent.stderr) == (
        1,
        f"Error: there is no log yet: {home.config_folder}/logs/daemon.log\n",
    )
    logs = home.config_folder / "logs"
    logs.mkdir()
    (logs / "filesystem.log").write_text("x\n")
    assert "did you mean 'filesystem'?" in home.run_here("logs", "filesytem", check=False).stderr


def test_server_that_wrote_nothing(home: Home) -> None:
    """One that the config has could not write: its last error is said. One that it has not is misspelt."""
    mute = {"command": "sleep", "args": ["60"], "connectTimeout": 0.1}
    others = {"broken": {"command": "no-such-command"}, "unset": {"command": "${UNSET_1}"}}
    home.write_config({"mute": mute, **others})
    home.run_here("tools", check=False)
    broken = home.run_here("logs", "broken", check=False)
    assert (broken.code, broken.stdout) == (1, "")
    assert "'broken' has written nothing to its log yet\n" in broken.stderr
    assert "its last error: command 'no-such-command' was not found" in broken.stderr
    assert "llm mcp doctor" in broken.stderr
    assert "to see what is started: llm mcp get mute" in home.run_here("logs", "mute", check=False).stderr
    assert "UNSET_1 is not set" in home.run_here("logs", "unset", check=False).stderr
    misspelt = home.run_here("logs", "brokn", check=False).stderr
    assert "no MCP server is called 'brokn'" in misspelt
    assert "did you mean 'broken'?" in misspelt


@pytest.mark.parametrize("program", ["llm", "llm-mcp"])
def test_ctrl_c_ends_following(home: Home, program: str) -> None:
    """As it is meant to be ended: a shell's exit code, and nothing is said."""
    logs = home.config_folder / "logs"
    logs.mkdir()
    (logs / "daemon.log").write_text("before\n")
    words = ["mcp", "logs", "-f"] if program == "llm" else ["logs", "-f"]
    seen = run_in_terminal(home, *words, program=program, when=lambda raw: "before" in raw, then=b"\x03")
    assert (seen.code, seen.screen.splitlines()) == (130, ["before", "^C"])


def test_log_is_where_the_daemon_writes(home: Home) -> None:
    """A shell with another config folder sees the log of the daemon that runs."""
    home.run_here("start")
    other = {"LLM_TOOLS_MCP_CONFIG_DIR": str(home.folder / "elsewhere")}
    assert "serves on" in home.run_here("logs", env=other).stdout


def test_lines_before_a_rotation_count(home: Home) -> None:
    """Where the file was just rotated, the last lines of the former one are shown too."""
    logs = home.config_folder / "logs"
    logs.mkdir()
    (logs / "daemon.log.1").write_text("one\ntwo\n")
    (logs / "daemon.log").write_text("three\n")
    assert home.run_here("logs", "-n", "2").stdout == "two\nthree\n"


def test_escape_sequences_do_not_reach_the_terminal(home: Home) -> None:
    """A log may hold what a server wrote: nothing of it drives the terminal."""
    logs = home.config_folder / "logs"
    logs.mkdir()
    (logs / "daemon.log").write_text("a\x1b]0;title\x07b\x1b[2Jc\n")
    assert home.run_here("logs").stdout == "abc\n"


def test_follow_goes_on_after_a_rotation(home: Home, tmp_path: Path) -> None:
    """-f shows what is written from now on, also to the file that takes the place of a rotated one."""
    logs = home.config_folder / "logs"
    logs.mkdir()
    log, shown = logs / "daemon.log", tmp_path / "shown"
    log.write_text("before\n")
    with shown.open("w") as output:
        argv = [BIN / "llm-mcp", "logs", "-f"]
        follower = subprocess.Popen(argv, env={**home.env, "PYTHONUNBUFFERED": "1"}, stdout=output)
    try:
        wait_until(lambda: shown.read_text() == "before\n")
        with log.open("a") as file:
            file.write("appended\n")
        wait_until(lambda: shown.read_text().endswith("appended\n"))
        log.rename(logs / "daemon.log.1")
        log.write_text("in the new file\n")
        wait_until(lambda: shown.read_text() == "before\nappended\nin the new file\n")
    finally:
        follower.terminate()
        follower.wait(SOON)
