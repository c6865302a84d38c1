"""demo, and the MCP server that it uses."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import run_in_terminal
from tests.home import Home
from tests.servers import entry
from tests.waiting import wait_until


def demo_folders() -> set[Path]:
    return set(Path("/tmp").glob("llm-mcp-demo-*"))


def test_demo_runs_a_real_prompt(home: Home) -> None:
    """It shows the tool's result and two times, and leaves nothing: no file, no process, no log of llm."""
    (home.work / "hello.txt").write_text("hi")
    before = demo_folders()
    done = home.run_cli("demo")
    assert "$ llm -m echo -T MCP " in done.stdout
    assert "  hello.txt" in done.stdout
    assert "UTC" in done.stdout
    assert "first prompt " in done.stdout
    wait_until(lambda: demo_folders() <= before)  # demos of other tests may run meanwhile
    assert home.processes() == []
    assert not home.config.exists()
    assert list((home.folder / "llm").iterdir()) == []
    assert [path.name for path in home.work.iterdir()] == ["hello.txt"]


def test_demo_without_the_model_says_so(home: Home) -> None:
    """Where llm-echo is missing the calls go to the daemon directly."""
    hide = home.folder / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'llm_echo': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    done = home.run_cli("demo", env={"PYTHONPATH": f"{hide}:{home.env.get('PYTHONPATH', '')}"})
    assert "llm-echo is not installed" in done.stdout
    assert "$ llm-mcp call demo list_files" in done.stdout


def test_demo_that_is_interrupted_cleans_up(home: Home) -> None:
    """Ctrl-C in the middle of a prompt."""
    before = demo_folders()
    seen = run_in_terminal(home, "demo", when=lambda written: "$ llm" in written, then=b"\x03")
    assert seen.code == 130
    assert "Traceback" not in seen.screen
    wait_until(lambda: demo_folders() <= before)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Its config has the demo's server, and its folder what that may show and what not."""
    home = Home(tmp_path_factory.mktemp("guest") / "home")
    home.write_config({"demo": entry([sys.executable, "-m", "llm_tools_mcp.cli.help.demo_server"])})
    (home.work / "folder").mkdir()
    (home.work / "folder" / "note.txt").write_text("a note")
    (home.work / ".hidden").write_text("s3cr3t")
    (home.work / "way-out").symlink_to("/etc")
    os.mkfifo(home.work / "pipe")
    yield home
    home.close()


def test_demo_server_lists_and_reads(guest: Home) -> None:
    """The files of the caller's folder, without the hidden ones."""
    listed = guest.run_here("call", "demo", "list_files").stdout.splitlines()
    assert "folder/" in listed
    assert ".hidden" not in listed
    assert guest.run_here("call", "demo", "read_file", "path=folder/note.txt").stdout == "a note\n"
    assert guest.run_here("call", "demo", "list_files", "folder=folder").stdout == "note.txt\n"


OUTSIDE = (
    "/etc/passwd",
    "../../etc/passwd",
    "way-out/passwd",
    ".hidden",
    "pipe",
    "folder",
    "nothing",
    "a\0b",
)


def test_demo_server_stays_inside(guest: Home) -> None:
    """Nothing outside the folder, nothing hidden, nothing that is no file."""
    for path in OUTSIDE:
        arguments = json.dumps({"path": path})
        refused = guest.run_here("call", "demo", "read_file", "--json-args", arguments, check=False)
        assert (refused.code, refused.stdout) == (1, ""), path
        assert "Traceback" not in refused.stderr


def test_demo_server_bounds_what_it_reads(guest: Home) -> None:
    """A long file is cut, and the cut is said."""
    (guest.work / "long.txt").write_text("x" * 1_000_000)
    text = guest.run_here("call", "demo", "read_file", "path=long.txt").stdout
    assert len(text) < 300_000
    assert text.endswith("(the first 262144 of 1000000 bytes)\n")


def test_demo_server_knows_time_zones(guest: Home) -> None:
    """And says of one that there is not how they are named."""
    assert "JST" in guest.run_here("call", "demo", "now", "timezone=Asia/Tokyo").stdout
    refused = guest.run_here("call", "demo", "now", "timezone=Mars", check=False)
    assert "names are like Europe/Paris" in refused.stderr
