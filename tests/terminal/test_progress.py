"""Long work shows itself on a terminal, and is gone when done."""

from __future__ import annotations

from tests.cli.terminal import render, run_in_terminal
from tests.home import Home
from tests.servers import entry, everything_server, faulty_server


def test_progress_is_a_bar_that_is_gone_when_done(served: Home) -> None:
    """The server's own words beside it; afterwards the screen holds the result alone."""
    seen = run_in_terminal(served, "call", "every", "sleep", "seconds=2")
    assert "every: sleep" in seen.raw
    assert "━" in seen.raw
    assert "of 20" in seen.raw
    assert seen.screen == "slept 2 s"


def test_toolbox_shows_progress_too(served: Home) -> None:
    """A prompt is a terminal's guest as well."""
    prompt = '{"tool_calls": [{"name": "sleep", "arguments": {"seconds": 2}}]}'
    seen = run_in_terminal(served, "-m", "echo", "-T", "MCP", prompt, program="llm")
    assert "every: sleep" in seen.raw
    assert "slept 2 s" in seen.screen
    assert "every: sleep" not in seen.screen


def test_quiet_shows_no_progress(served: Home) -> None:
    """LLM_MCP_QUIET=1, and stderr that is no terminal."""
    seen = run_in_terminal(served, "call", "every", "sleep", "seconds=2", env={"LLM_MCP_QUIET": "1"})
    assert seen.raw == "slept 2 s\r\n"
    assert served.run_cli("call", "every", "sleep", "seconds=2").stderr == ""


def test_quick_work_draws_nothing(served: Home) -> None:
    """What is done within a second does not flicker."""
    assert run_in_terminal(served, "call", "every", "echo", "text=x").raw == "x\r\n"


def test_ascii_terminal_gets_ascii(served: Home) -> None:
    """Where the terminal knows no UTF-8 the bar is drawn without it."""
    env = {"LANG": "C", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    seen = run_in_terminal(served, "call", "every", "sleep", "seconds=2", env=env)
    assert seen.raw.isascii()
    assert seen.screen == "slept 2 s"


def test_waiting_for_servers_says_which(home: Home) -> None:
    """After a second; nothing of it stays."""
    home.write_config(
        {"every": entry(everything_server()), "slow": entry(faulty_server("hang"), connectTimeout=3)}
    )
    seen = run_in_terminal(home, "tools")
    assert "waiting for MCP servers: slow" in render(seen.raw.replace("\x1b[2K", "\n"))
    assert "waiting" not in seen.screen


def test_warnings_of_a_server_are_shown(served: Home) -> None:
    """From level `warning` up, on stderr, also without a terminal and when quiet; controls are gone."""
    loud = served.run_cli("call", "every", "log", "level=error", "text=a\x1b[2Jb", env={"LLM_MCP_QUIET": "1"})
    assert (loud.stdout, loud.stderr) == ("logged\n", "every: error: ab\n")
    assert served.run_cli("call", "every", "log", "level=info", "text=x").stderr == ""
