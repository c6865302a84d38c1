"""The packaged units and their installation, under a real user manager. No daemon is needed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.service.manager import ROOT, UserManager
from tests.waiting import wait_until

pytestmark = pytest.mark.systemd

PACKAGED = ROOT / "packaging" / "systemd"
SOCKET, SERVICE = "llm-mcp.socket", "llm-mcp.service"

INSTALL = """
from pathlib import Path
from llm_tools_mcp import errors, service
from llm_tools_mcp.service.unit_files import Program
try:
    print(*service.installer().install(Program(Path({program!r})), enable={enable}, force={force}), sep="\\n")
except errors.ServiceError as error:
    print("ServiceError:", error)
"""
UNINSTALL = "from llm_tools_mcp import service; print(*service.installer().uninstall(), sep='\\n')"
FOUND = "from llm_tools_mcp import service; found = service.installed_service(); print(found and found.kind)"
STATUS = "from llm_tools_mcp import service; print(service.installed_service().status())"
START = """
from llm_tools_mcp import errors, service
try:
    service.installed_service().start()
except errors.ServiceError as error:
    print("ServiceError:", error)
"""
DIAGNOSIS = "from llm_tools_mcp import service; print(service.installed_service().diagnosis())"
# Lets the manager accept a connection for the daemon, as a prompt does.
CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"


def install(
    manager: UserManager, program: str = "/bin/true", *, enable: bool = True, force: bool = False
) -> str:
    return manager.python(INSTALL.format(program=program, enable=enable, force=force))


def connect(manager: UserManager) -> None:
    manager.run(sys.executable, "-c", CONNECT, manager.socket)


def program(manager: UserManager, text: str, name: str = "bin/llm-mcp") -> Path:
    return manager.write(manager.home / name, f"#!/bin/sh\n{text}\n", 0o755)


def test_packaged_units_verify_in_silence(manager):
    """systemd-analyze has nothing to say about the packaged units, not even on stderr."""
    manager.run("cp", "/bin/true", "/usr/bin/llm-mcp", as_root=True)
    said = manager.run("systemd-analyze", "--user", "verify", PACKAGED / SOCKET, PACKAGED / SERVICE)
    assert (said.stdout, said.stderr) == ("", "")


def test_installed_units_verify_in_silence(manager):
    """Nor about what the installer makes of them."""
    install(manager, str(program(manager, "exit 0", "a b/100%/llm-mcp")))
    said = manager.run("systemd-analyze", "--user", "verify", manager.units / SOCKET, manager.units / SERVICE)
    assert (said.stdout, said.stderr) == ("", "")


def test_hardening_example_is_known_to_systemd(manager):
    """Every setting of the example is one that systemd knows."""
    manager.run("cp", "/bin/true", "/usr/bin/llm-mcp", as_root=True)
    example = (PACKAGED / "hardening.conf.example").read_text().splitlines()
    settings = [line.lstrip("#") for line in example if line.startswith("#") and "=" in line.split(" ")[0]]
    assert len(settings) > 5
    manager.write(manager.units / SERVICE, (PACKAGED / SERVICE).read_text())
    manager.write(manager.units / SOCKET, (PACKAGED / SOCKET).read_text())
    manager.write(manager.units / f"{SERVICE}.d" / "hardening.conf", "\n".join(["[Service]", *settings, ""]))
    said = manager.run("systemd-analyze", "--user", "verify", manager.units / SERVICE)
    assert (said.stdout, said.stderr) == ("", "")


def test_install_enables_and_listens(manager):
    """After install the socket is enabled and listening, private, and nothing has been started."""
    said = install(manager)
    assert f"wrote {manager.units / SERVICE}" in said
    assert "enabled and started" in said
    assert manager.systemctl("is-enabled", SOCKET).stdout == "enabled\n"
    assert manager.show(SOCKET, "ActiveState") == "active"
    assert manager.show(SERVICE, "ActiveState") == "inactive"
    assert manager.run("stat", "-c", "%a %F", manager.socket).stdout == "600 socket\n"
    assert manager.python(FOUND) == "systemd\n"
    assert "listening=True, active=False, enabled=True" in manager.python(STATUS)


def test_install_writes_program_and_path(manager):
    """The unit runs the given program, whatever characters its path has, with the PATH of the install."""
    odd = program(manager, 'echo "$PATH" > ~/path; echo "$0 $*" > ~/args', "we %n $HOME;é/llm-mcp")
    search = "/opt/a b/100%:/usr/bin:/bin"
    code = INSTALL.format(program=str(odd), enable=True, force=False)
    manager.run(sys.executable, "-c", code, env={"PYTHONPATH": str(ROOT), "PATH": f"{search}:relative:/bin"})
    manager.systemctl("start", SERVICE, check=False)  # it exits without READY: a failed start
    assert manager.read(manager.home / "args") == f"{odd} daemon\n"
    assert manager.read(manager.home / "path") == f"{search}\n"


def test_program_that_systemd_cannot_run_is_refused(manager):
    """Quotes in the program's path are an error of the install, and nothing is written."""
    said = install(manager, "/opt/it's/llm-mcp")
    assert "quotes or backslashes: /opt/it's/llm-mcp" in said
    assert not manager.exists(manager.units / SERVICE)


def test_no_enable_only_writes(manager):
    """With enable=False the manager is not told, and the units do not count until it is."""
    said = install(manager, enable=False)
    assert "systemctl --user enable --now llm-mcp.socket" in said
    assert manager.exists(manager.units / SERVICE)
    assert manager.systemctl("is-enabled", SOCKET, check=False).stdout == "disabled\n"
    assert not manager.exists(manager.socket)


def test_install_again_moves_to_the_new_program(manager):
    """A second install replaces what the first wrote: a venv has moved."""
    install(manager, "/bin/false")
    said = install(manager, "/bin/true")
    assert f"wrote {manager.units / SERVICE}" in said
    assert f"{manager.units / SOCKET} is up to date" in said
    assert "path=/bin/true" in manager.show(SERVICE, "ExecStart")


def test_edited_unit_is_not_overwritten(manager):
    """What the user changed stays without --force, nothing else is written, and a drop-in is advised."""
    install(manager, "/bin/false")
    edited = manager.read(manager.units / SERVICE).replace("RestartSec=1", "RestartSec=5")
    manager.write(manager.units / SERVICE, edited)
    said = install(manager)
    assert "ServiceError" in said
    assert "was edited" in said
    assert "systemctl --user edit llm-mcp.service" in said
    assert manager.read(manager.units / SERVICE) == edited


def test_force_overwrites_and_keeps_a_copy(manager):
    """--force replaces an edited unit; the user's version is kept beside it."""
    manager.write(manager.units / SERVICE, "[Service]\nExecStart=/bin/false\n")
    said = install(manager, force=True)
    assert "llm-mcp.service.saved" in said
    assert manager.read(manager.units / f"{SERVICE}.saved") == "[Service]\nExecStart=/bin/false\n"
    assert "path=/bin/true" in manager.show(SERVICE, "ExecStart")


def test_drop_in_stays(manager):
    """Install and uninstall leave a drop-in of the user alone."""
    drop_in = manager.write(manager.units / f"{SERVICE}.d" / "mine.conf", "[Service]\nRestartSec=3\n")
    install(manager)
    assert manager.show(SERVICE, "RestartUSec") == "3s"
    said = manager.python(UNINSTALL)
    assert f"left alone, it was not installed by this command: {drop_in.parent}" in said
    assert manager.exists(drop_in)


def test_uninstall_leaves_nothing(manager):
    """Uninstall takes back all that install did."""
    before = manager.run(
        "find", manager.home, manager.runtime, "-not", "-path", "*/systemd/*", as_root=True
    ).stdout
    install(manager)
    said = manager.python(UNINSTALL)
    assert f"removed {manager.units / SERVICE}" in said
    left = manager.run("find", manager.home, manager.runtime, "-name", "*llm-mcp*", as_root=True).stdout
    assert left == ""
    assert manager.show(SOCKET, "LoadState") == "not-found"
    assert manager.python(FOUND) == "None\n"
    after = manager.run(
        "find", manager.home, manager.runtime, "-not", "-path", "*/systemd/*", as_root=True
    ).stdout
    assert set(after.split()) - set(before.split()) <= {
        str(manager.home / ".config"),
        str(manager.home / ".config/systemd"),
    }


def test_uninstall_touches_only_what_was_installed(manager):
    """Units that a person or a distribution put there stay, and go on working."""
    manager.write(manager.units / SOCKET, (PACKAGED / SOCKET).read_text())
    manager.write(manager.units / SERVICE, (PACKAGED / SERVICE).read_text())
    manager.systemctl("daemon-reload")
    manager.systemctl("start", SOCKET)
    assert "left alone" in manager.python(UNINSTALL)
    assert manager.show(SOCKET, "ActiveState") == "active"


def test_uninstall_after_no_enable(manager):
    """Units that were only written are removed as well."""
    install(manager, enable=False)
    manager.python(UNINSTALL)
    assert not manager.exists(manager.units / SERVICE)


def test_no_unit_does_not_count(manager):
    """Without a unit there is no service; nor with one whose socket variable is overridden."""
    assert manager.python(FOUND) == "None\n"
    install(manager)
    environment = {"PYTHONPATH": str(ROOT), "LLM_MCP_SOCKET": "/tmp/other.sock"}
    assert manager.run(sys.executable, "-c", FOUND, env=environment).stdout == "None\n"


@pytest.mark.parametrize("unit", [SOCKET, SERVICE])
def test_masked_unit_does_not_count(manager, unit):
    """A masked unit is a user's no: the daemon is spawned as if there were none."""
    install(manager)
    manager.run("rm", manager.units / unit)
    manager.systemctl("mask", unit)
    assert manager.python(FOUND) == "None\n"
    said = install(manager)
    assert "is masked" in said
    assert "unmask" in said


def test_unreachable_manager_does_not_count(manager):
    """A unit file without its manager, as under su or in a container, does not count and is not installed."""
    install(manager)
    elsewhere = manager.home / "elsewhere"
    manager.run("mkdir", "-m", "700", elsewhere)
    environment = {"PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(elsewhere)}
    assert manager.run(sys.executable, "-c", FOUND, env=environment).stdout == "None\n"
    code = INSTALL.format(program="/bin/true", enable=True, force=False)
    said = manager.run(sys.executable, "-c", code, env=environment).stdout
    assert "no systemd user manager" in said


def test_runtime_folder_is_found_without_the_variable(manager):
    """Under cron XDG_RUNTIME_DIR is not set: the manager is found all the same."""
    install(manager)
    words = ["env", "-u", "XDG_RUNTIME_DIR", f"PYTHONPATH={ROOT}", sys.executable, "-c", FOUND]
    assert manager.run(*words).stdout == "systemd\n"


def test_stopped_socket_is_started(manager):
    """start() makes the manager listen again."""
    install(manager)
    manager.systemctl("stop", SOCKET)
    assert not manager.exists(manager.socket)
    assert manager.python(START) == ""
    assert manager.show(SOCKET, "ActiveState") == "active"


def test_socket_that_cannot_start_is_explained(manager):
    """start() fails with the manager's reason and the commands that repair it."""
    install(manager)
    manager.systemctl("stop", SOCKET)
    manager.run("rm", manager.units / SERVICE)
    manager.systemctl("daemon-reload")
    said = manager.python(START)
    assert "ServiceError" in said
    assert "not-found" in said
    assert "llm mcp service install" in said
    assert "reset-failed" in said


def test_gone_program_is_diagnosed(manager):
    """Brew and pipx move the program on upgrade: the reason says so, and install is advised."""
    install(manager, "/nowhere/llm-mcp")
    connect(manager)
    wait_until(lambda: manager.show(SERVICE, "ExecMainStatus") == "203")
    said = manager.python(DIAGNOSIS)
    assert "its program /nowhere/llm-mcp is gone" in said
    assert "llm mcp service install" in said
    assert "systemctl --user reset-failed llm-mcp.service llm-mcp.socket" in said


def test_gone_program_is_not_started_for_ever(manager):
    """After `llm uninstall` the unit ends by itself, and the journal says how to remove or repair it."""
    installed = program(manager, "exit 0", "bin/it is 100% $HOME/llm-mcp")
    install(manager, str(installed))
    manager.run("rm", installed)
    connect(manager)
    wait_until(lambda: manager.show(SOCKET, "ActiveState") == "inactive")
    assert manager.show(SERVICE, "ActiveState") in ("inactive", "failed")
    log = (
        "from llm_tools_mcp import service; print(*service.installed_service().last_log_lines(20), sep='\\n')"
    )
    wait_until(lambda: "is gone" in manager.python(log))
    said = manager.python(log)
    assert f"{installed} is gone. To repair this: llm mcp service install." in said
    assert "systemctl --user disable --now llm-mcp.socket" in said
    assert f"its program {installed} is gone" in manager.python(STATUS)


def test_crash_at_start_is_diagnosed_with_its_log(manager):
    """A daemon that fails at start: its exit status and its last lines are in the diagnosis."""
    install(manager, str(program(manager, "echo no such module >&2; sleep 0.3; exit 7")))
    connect(manager)
    wait_until(lambda: manager.show(SERVICE, "NRestarts") not in ("0", ""))
    said = manager.python(DIAGNOSIS)
    assert "exit-code, status 7" in said
    assert "  no such module" in said
    assert "reset-failed" in said


def test_failing_start_keeps_the_socket_and_heals(manager):
    """However often the start fails, the socket listens on, and a mended program is started by itself."""
    broken = program(manager, "exit 1")
    install(manager, str(broken))
    connect(manager)
    wait_until(lambda: int(manager.show(SERVICE, "NRestarts")) >= 3)
    assert manager.show(SOCKET, "ActiveState") == "active"
    program(manager, "systemd-notify --ready; exec sleep 60")
    manager.write(manager.units / f"{SERVICE}.d" / "any.conf", "[Service]\nNotifyAccess=all\n")
    manager.systemctl("daemon-reload")
    wait_until(lambda: manager.show(SERVICE, "ActiveState") == "active")
    assert "failure=''" in manager.python(STATUS)
    manager.systemctl("kill", "--signal=KILL", SERVICE)
    manager.systemctl("stop", SERVICE)
