"""Upgrades: the daemon's own distribution on disk changes, or a client of another one comes by."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from importlib import metadata
from pathlib import Path

import pytest

import llm_tools_mcp
from tests.home import BIN, Home
from tests.servers import entry, everything_server, faulty_server
from tests.waiting import SOON, wait_until

NEWER = "99.0.0"


class Installation:
    """A copy of the package and its metadata in a folder, as pip would install it there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = llm_tools_mcp.__version__
        shutil.copytree(Path(llm_tools_mcp.__file__).parent, folder / "llm_tools_mcp")
        self._write_metadata()

    @property
    def env(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder)}

    def upgrade(self, version: str) -> None:
        """In pip's order: the old metadata goes, the code is replaced, the new metadata comes."""
        shutil.rmtree(self._metadata)
        module = self.folder / "llm_tools_mcp" / "__init__.py"
        module.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', module.read_text()))
        self.version = version
        self._write_metadata()

    @property
    def _metadata(self) -> Path:
        return self.folder / f"llm_tools_mcp-{self.version}.dist-info"

    def _write_metadata(self) -> None:
        self._metadata.mkdir()
        entry_points = metadata.distribution("llm-tools-mcp").read_text("entry_points.txt") or ""
        (self._metadata / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: llm-tools-mcp\nVersion: {self.version}\n"
        )
        (self._metadata / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "site")


def health(home: Home) -> dict[str, object]:
    answer: dict[str, object] = json.loads(home.run_cli("health", "--json").stdout)
    return answer


def listed(home: Home, env: dict[str, str] | None = None) -> str:
    return home.run_cli("tools", "--json", env=env).stdout


def test_upgrade_gives_the_next_prompt_the_new_daemon(home: Home, installation: Installation) -> None:
    """After an upgrade in the daemon's own environment the next prompt is served by the new version."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    listed(home, installation.env)
    before = health(home)
    installation.upgrade(NEWER)
    assert "echo" in listed(home, installation.env)
    after = health(home)
    assert (before["version"], after["version"]) == (llm_tools_mcp.__version__, NEWER)
    assert after["pid"] != before["pid"]


def test_upgrade_lets_calls_in_flight_finish(home: Home, installation: Installation) -> None:
    """A call that the old daemon runs while it is replaced gets its result."""
    began, until = home.folder / "began", home.folder / "until"
    home.write_config({"every": entry(everything_server(), env={"CALL_LOG": str(began)})})
    listed(home, installation.env)
    before = health(home)
    call = subprocess.Popen(
        [BIN / "llm-mcp", "call", "every", "hold", f"until={until}"],
        env={**home.env, **installation.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(began.exists)
    installation.upgrade(NEWER)
    listed(home, installation.env)
    assert call.poll() is None
    until.touch()
    output, errors = call.communicate(timeout=SOON)
    assert (call.returncode, output) == (0, "saw until\n"), errors
    assert health(home)["pid"] != before["pid"]


def test_clients_of_other_environments_never_restart_it(home: Home, installation: Installation) -> None:
    """Older and newer clients, with environments of their own, use the daemon that runs, and take turns."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    listed(home)
    before = health(home)
    installation.upgrade(NEWER)
    for env in (installation.env, None, installation.env):
        assert "echo" in listed(home, env)
    assert health(home)["pid"] == before["pid"]


def test_half_done_upgrade_disturbs_nobody(home: Home, installation: Installation) -> None:
    """While pip has removed the old metadata and not yet written the new, the daemon serves on."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    listed(home, installation.env)
    before = health(home)
    (installation.folder / f"llm_tools_mcp-{installation.version}.dist-info").rename(
        installation.folder / "away"
    )
    assert "echo" in listed(home)
    assert health(home)["pid"] == before["pid"]


def test_racing_prompts_after_an_upgrade_all_succeed(home: Home, installation: Installation) -> None:
    """Several prompts at the moment of the handover: each is served."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    listed(home, installation.env)
    installation.upgrade(NEWER)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(listed(home, installation.env))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(threads)
    assert all("echo" in answer for answer in answers)
    assert health(home)["version"] == NEWER
