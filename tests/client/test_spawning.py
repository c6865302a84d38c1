"""What a start of the daemon leaves behind: nothing, also when its client is killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.home import BIN, Home
from tests.programs import GONE
from tests.servers import entry, faulty_server
from tests.waiting import wait_until

SPAWN = [sys.executable, "-c", "from llm_tools_mcp.client.activation import ensure_daemon; ensure_daemon()"]


@pytest.fixture
def temporary(home: Home) -> Path:
    """Where everything that starts here keeps temporary files."""
    folder = home.folder / "tmp"
    folder.mkdir()
    home.env["TMPDIR"] = str(folder)
    return folder


def notices(home: Home) -> list[Path]:
    return list(home.runtime.glob("*.n"))


def is_starting(home: Home) -> bool:
    """Whether there is a daemon's process besides its client's."""
    for process in home.processes():
        with suppress(*GONE):
            if "llm_tools_mcp.daemon" in process.cmdline():
                return True
    return False


def test_start_leaves_only_what_the_daemon_needs(home: Home, temporary: Path) -> None:
    """Where the daemon said that it is ready is gone, and nothing else was made."""
    home.run(*SPAWN)
    assert notices(home) == []
    assert list(temporary.iterdir()) == []


def test_killed_client_leaves_nothing_that_adds_up(home: Home, temporary: Path) -> None:
    """A client that is killed while the daemon starts leaves one socket, which the next start takes away."""
    for _ in range(2):
        client = subprocess.Popen(SPAWN, env=home.env, cwd=home.work)
        wait_until(lambda: is_starting(home))
        client.kill()
        client.wait()
        wait_until(lambda: home.run_cli("health", check=False).code == 0)
        home.run_cli("stop")
        assert len(notices(home)) <= 1
        assert list(temporary.iterdir()) == []
    home.run(*SPAWN)
    assert notices(home) == []
    assert list(temporary.iterdir()) == []


def test_low_limit_of_open_files_is_named(home: Home) -> None:
    """A shell that allows few open files gets the limit and the command that raises it, and no traceback."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    done = home.run("sh", "-c", 'ulimit -n 20; exec "$@"', "sh", BIN / "llm-mcp", "tools", check=False)
    assert done.code == 1
    assert "too many open files: only 20 are allowed here, and it needs 64" in done.stderr
    assert "ulimit -n 1024" in done.stderr
    assert "Traceback" not in done.stderr
