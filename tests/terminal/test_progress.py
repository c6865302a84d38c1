"""Long work shows itself on a terminal, and is gone when done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.cli.terminal import Seen, render, run_in_terminal
from tests.daemon.live import variant
from tests.home import Home
from tests.servers import entry, faulty_server
from tests.terminal.dialogue import converse, python

# Seconds of work that would be drawn: more than what is left alone.
LONG = 1.2


def call_until_drawn(home: Home, sign: str, until: Path, **options: Any) -> Seen:
    """What is seen of a call that lasts until `sign` was drawn."""
    words = ("call", "every", "hold", f"until={until}")
    return run_in_terminal(home, *words, when=lambda raw: sign in raw, then=until.touch, **options)


def test_progress_is_a_bar_that_is_gone_when_done(served: Home, tmp_path: Path) -> None:
    """The server's own words beside it; afterwards the screen holds the result alone."""
    seen = call_until_drawn(served, "of 100", tmp_path / "until")
    assert "every: hold" in seen.raw
    assert "━" in seen.raw
    assert seen.screen == "saw until"


def test_toolbox_shows_progress_too(served: Home, tmp_path: Path) -> None:
    """A prompt is a terminal's guest as well."""
    until = tmp_path / "until"
    prompt = json.dumps({"tool_calls": [{"name": "hold", "arguments": {"until": str(until)}}]})
    seen = run_in_terminal(
        served,
        *("-m", "echo", "-T", "MCP", prompt),
        program="llm",
        when=lambda raw: "every: hold" in raw,
        then=until.touch,
    )
    assert "saw until" in seen.screen
    assert "every: hold" not in seen.screen


def test_warning_begins_below_what_the_model_wrote() -> None:
    """Models leave lines unfinished; a second warning needs no further line."""
    script = (
        "import sys\nfrom llm_tools_mcp.terminal.progress import Display\n"
        "display = Display(); display.print('first'); sys.stdout.write('text'); sys.stdout.flush()\n"
        "display.note_text(); display.print('second'); display.print('third')"
    )
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    # A terminal of 50 columns begins a new line within these spaces, but not at the beginning of one.
    left = " " * 49 + "\r"
    assert converse(python(script), env=env, columns=50).raw == f"first\r\ntext{left}second\r\nthird\r\n"


def test_quiet_shows_no_progress(served: Home) -> None:
    """LLM_MCP_QUIET=1, and stderr that is no terminal."""
    words = ("call", "every", "sleep", f"seconds={LONG}")
    seen = run_in_terminal(served, *words, env={"LLM_MCP_QUIET": "1"})
    assert seen.raw == f"slept {LONG} s\r\n"
    assert served.run_here(*words).stderr == ""


def test_quick_work_draws_nothing(served: Home) -> None:
    """What is done within a second does not flicker."""
    assert run_in_terminal(served, "call", "every", "echo", "text=x").raw == "x\r\n"


def test_ascii_terminal_gets_ascii(served: Home, tmp_path: Path) -> None:
    """Where the terminal knows no UTF-8 the bar is drawn without it."""
    env = {"LANG": "C", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    seen = call_until_drawn(served, "of 100", tmp_path / "until", env=env)
    assert seen.raw.isascii()
    assert seen.screen == "saw until"


def test_waiting_for_servers_says_which(home: Home) -> None:
    """After a second; nothing of it stays."""
    until = home.work / "until"
    slow = variant(f"""
    def serve(self):
        while not os.path.exists({str(until)!r}):
            time.sleep(0.01)
        super().serve()
    """)
    home.write_config({"fine": entry(faulty_server("fine")), "slow": slow})
    line = "waiting for MCP servers: slow"
    seen = run_in_terminal(
        home, "tools", when=lambda raw: line in render(raw.replace("\x1b[2K", "\n")), then=until.touch
    )
    assert line in render(seen.raw.replace("\x1b[2K", "\n"))
    assert "waiting" not in seen.screen


def test_warnings_of_a_server_are_shown(served: Home) -> None:
    """From level `warning` up, on stderr, also without a terminal and when quiet; controls are gone."""
    loud = served.run_here(
        "call", "every", "log", "level=error", "text=a\x1b[2Jb", env={"LLM_MCP_QUIET": "1"}
    )
    assert (loud.stdout, loud.stderr) == ("logged\n", "every: error: ab\n")
    assert served.run_here("call", "every", "log", "level=info", "text=x").stderr == ""
