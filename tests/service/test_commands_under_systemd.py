"""The commands for the daemon where systemd owns it: through the manager, and never past it."""

from __future__ import annotations

import json

import pytest

from tests.daemon.live import variant
from tests.service.manager import UNPRIVILEGED, UserManager
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.systemd,
    pytest.mark.parametrize("manager", [UNPRIVILEGED], ids=["unprivileged"], indirect=True),
]

TALKING = variant("""
def run(self, tool, arguments):
    print("written by the server", file=sys.stderr, flush=True)
    return tool
""")


@pytest.fixture
def installed(manager: UserManager) -> UserManager:
    config = {"mcpServers": {"every": TALKING}}
    manager.write(manager.home / ".llm-tools-mcp" / "mcp.json", json.dumps(config))
    manager.cli("service", "install", "--no-enable")  # else a daemon is asked whether it answers
    manager.systemctl("enable", "--now", "llm-mcp.socket")
    return manager


def test_life_of_the_daemon(installed: UserManager) -> None:
    """start, restart and stop ask systemd; status starts nothing, health does."""
    assert "systemd" in installed.cli("start").stdout
    before = json.loads(installed.cli("status", "--json").stdout)
    assert before["supervisor"] == "systemd"
    assert "restarted" in installed.cli("restart").stdout
    after = json.loads(installed.cli("status", "--json").stdout)
    assert after["pid"] != before["pid"]
    assert installed.cli("stop").stdout.startswith("stopped; systemd starts it again at the next prompt\n")
    absent = installed.cli("status", check=False)
    assert (absent.code, absent.stdout) == (3, "not running; the next prompt starts it (through systemd)\n")
    assert installed.cli("stop").stdout == "not running; systemd starts it at the next prompt\n"
    assert installed.cli("list").stdout.splitlines()[1].split()[:3] == ["every", "stdio", "stopped"]
    assert json.loads(installed.cli("status", "--json", check=False).stdout)["running"] is False
    assert json.loads(installed.cli("health", "--json").stdout)["supervisor"] == "systemd"


def test_logs_are_the_journal(installed: UserManager) -> None:
    """Of the daemon, and of one server the lines that it wrote."""
    installed.cli("call", "every", "echo", "text=x")
    wait_until(lambda: "serves on" in installed.cli("logs").stdout)
    wait_until(lambda: "written by the server" in installed.cli("logs", "every", check=False).stdout)
    lines = installed.cli("logs", "every", "-n", "1").stdout.splitlines()
    assert len(lines) == 1
    assert "serves on" not in lines[0]


def test_doctor_knows_the_service(installed: UserManager) -> None:
    """That it listens, and what to type when it does not."""
    assert "✓ systemd listens" in installed.cli("doctor", env={"LANG": "C.UTF-8"}).stdout
    installed.systemctl("stop", "llm-mcp.socket", "llm-mcp.service")
    found = installed.cli("doctor", "--no-connect", check=False)
    assert found.code == 1
    assert "does not listen" in found.stdout
    assert "llm mcp start" in found.stdout


def test_units_that_are_not_current(installed: UserManager) -> None:
    """Of another program, or not read by systemd since they changed: doctor and `service status` say so."""
    assert json.loads(installed.cli("service", "status", "--json").stdout)["outdated"] == []
    install = (
        "from pathlib import Path; from llm_tools_mcp import service; "
        "from llm_tools_mcp.service.unit_files import Program; service.installer().install"
    )
    installed.python(f"{install}(Program(Path('/bin/true')), enable=False, force=False)")
    outdated = json.loads(installed.cli("service", "status", "--json").stdout)["outdated"]
    assert any("starts /bin/true, and this is " in text for text in outdated)
    assert any("systemd has not read llm-mcp.service" in text for text in outdated)
    assert "llm mcp service install" in installed.cli("service", "status").stdout
    shown = installed.cli("doctor", "--no-connect", check=False).stdout
    assert "starts /bin/true, and this is " in shown
    assert "systemctl --user daemon-reload" in shown
    installed.cli("service", "install")
    assert json.loads(installed.cli("service", "status", "--json").stdout)["outdated"] == []


def test_service_status_as_json(installed: UserManager) -> None:
    """The same keys whether or not there is a service; exit code 3 where none listens."""
    installed.cli("start")
    status = json.loads(installed.cli("service", "status", "--json").stdout)
    assert (status["kind"], status["listening"], status["enabled"]) == ("systemd", True, True)
    assert status["pid"] == json.loads(installed.cli("status", "--json").stdout)["pid"]
    assert [path.rsplit("/", 1)[1] for path in status["units"]] == ["llm-mcp.socket", "llm-mcp.service"]
    assert "no service is left" in installed.cli("service", "uninstall").stdout
    absent = installed.cli("service", "status", "--json", check=False)
    assert absent.code == 3
    assert json.loads(absent.stdout).keys() == status.keys()
    assert json.loads(absent.stdout)["installed"] is False
    assert "nothing is installed" in installed.cli("service", "uninstall").stdout
