"""The LaunchAgent and what launchctl is told, with a recording launchctl; no Mac was at hand."""

from __future__ import annotations

import json
import os
import plistlib
import sys
from pathlib import Path

import pytest

from llm_tools_mcp import service
from llm_tools_mcp.errors import ServiceError
from llm_tools_mcp.service import launchd, launchd_install
from llm_tools_mcp.service.launchd import LABEL, Launchctl, LaunchdService, find_service, plist_path
from llm_tools_mcp.service.launchd_install import LaunchdInstaller, check_agent, rendered_plist
from llm_tools_mcp.service.unit_files import Program

FAKE = Path(__file__).with_name("fake_launchctl.py")
DOMAIN = f"gui/{os.getuid()}"
TARGET = f"{DOMAIN}/{LABEL}"


class Recorder:
    """The fake launchctl's side: what it was told, and what it shall answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def calls(self) -> list[list[str]]:
        """All but `print`, which only looks."""
        path = self.folder / "calls"
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [call for call in calls if call[0] != "print"]

    def answer(self, verb: str, *statuses: int) -> None:
        (self.folder / verb).write_text("\n".join(map(str, statuses)))

    def describe_as(self, text: str) -> None:
        (self.folder / "more").write_text(text)


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    """HOME is empty, and the only program on the PATH is the fake launchctl."""
    programs = tmp_path / "bin"
    programs.mkdir()
    launchctl = programs / "launchctl"
    launchctl.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    launchctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FAKE_LAUNCHCTL", str(tmp_path / "state"))
    for name in ("LLM_MCP_SOCKET", "LLM_TOOLS_MCP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return Recorder(tmp_path / "state")


@pytest.fixture
def installer(recorder, tmp_path):
    return LaunchdInstaller(tmp_path / "s", Launchctl(pause=0))


def install(installer, *, program="/bin/true", enable=True, force=False):
    return installer.install(Program(Path(program)), enable=enable, force=force)


def agent(**changes):
    text = rendered_plist(Program(Path("/venv/bin/llm-mcp")), Path("/tmp/s"), "/usr/bin", Path("/tmp/log"))
    return {**plistlib.loads(text.encode()), **changes}


def test_rendered_plist_holds_literal_paths():
    """Launchd expands nothing, so program, PATH, socket and log are written out."""
    socket = Path("/Users/o'b & co/Library/Application Support/llm-mcp/llm-mcp.sock")
    text = rendered_plist(
        Program(Path("/opt/a <b>/llm-mcp")), socket, "/opt/x:/bin", Path("/Users/u/logs/launchd.log")
    )
    made = plistlib.loads(text.encode())
    assert made["ProgramArguments"] == ["/opt/a <b>/llm-mcp", "daemon"]
    assert made["EnvironmentVariables"]["PATH"] == "/opt/x:/bin"
    assert made["Sockets"] == {"Listener": {"SockPathName": str(socket), "SockPathMode": 0o600}}
    assert made["StandardErrorPath"] == "/Users/u/logs/launchd.log"
    assert made["RunAtLoad"] is False
    assert "KeepAlive" not in made


@pytest.mark.parametrize(
    "changes",
    [
        {"Label": 1},
        {"RunAtLoad": 0},
        {"ThrottleInterval": "1"},
        {"KeepAlive": True},
        {"ProgramArguments": ["llm-mcp", "daemon"]},
        {"StandardErrorPath": "~/log"},
        {"Sockets": {"Other": {}}},
        {"Sockets": {"Listener": {"SockPathName": "/tmp/s", "SockPathMode": 600}}},
        {"Sockets": {"Listener": {"SockPathName": "~/s", "SockPathMode": 384}}},
        {"Sockets": {"Listener": {"SockPathName": "/" + "s" * 103, "SockPathMode": 384}}},
    ],
    ids=str,
)
def test_agent_that_launchd_would_not_take_is_refused(changes):
    """Unknown keys, wrong types, relative or too long paths are errors before launchd sees them."""
    check_agent(agent())
    with pytest.raises(ServiceError):
        check_agent(agent(**changes))


def test_missing_key_is_refused():
    """A key that the packaged plist lost is noticed."""
    incomplete = agent()
    del incomplete["Sockets"]
    with pytest.raises(ServiceError, match="Sockets"):
        check_agent(incomplete)


def test_longest_socket_path_is_accepted():
    """103 bytes fit."""
    check_agent(agent(Sockets={"Listener": {"SockPathName": "/" + "s" * 102, "SockPathMode": 384}}))


def test_install_writes_and_bootstraps(recorder, installer, tmp_path):
    """The plist lies in LaunchAgents, the folders of socket and log are private, the agent is loaded."""
    said = install(installer)
    assert recorder.calls == [["bootstrap", DOMAIN, str(plist_path())]]
    assert plist_path() == tmp_path / "home/Library/LaunchAgents/io.github.llm-tools-mcp.plist"
    assert launchd.launchd_log().parent.stat().st_mode & 0o777 == 0o700
    assert said == [f"wrote {plist_path()}", f"loaded {LABEL}"]


def test_install_calls_before_start_before_launchd_listens(recorder, installer):
    """A spawned daemon is stopped before launchd binds the socket."""
    seen = []
    installer.install(
        Program(Path("/bin/true")), enable=True, force=False, before_start=lambda: seen.append(recorder.calls)
    )
    assert seen == [[]]


def test_no_enable_only_writes(recorder, installer):
    """With enable=False launchctl is told nothing."""
    said = install(installer, enable=False)
    assert recorder.calls == []
    assert f"launchctl bootstrap {DOMAIN}" in said[-1]


def test_install_again_reloads(recorder, installer):
    """Launchd keeps what it has read: a second install unloads and loads."""
    install(installer)
    install(installer, program="/bin/false")
    verbs = [call[0] for call in recorder.calls]
    assert verbs == ["bootstrap", "bootout", "bootstrap"]
    assert recorder.calls[1] == ["bootout", TARGET]


def test_bootstrap_is_tried_again_while_launchd_is_busy(recorder, installer):
    """The error "Bootstrap failed: 5" means that the old instance still drains."""
    recorder.answer("bootstrap", 5, 5)
    install(installer)
    assert [call[0] for call in recorder.calls] == ["bootstrap"] * 3


def test_load_is_the_fallback(recorder, installer):
    """Where bootstrap is refused, the older `load` is tried."""
    recorder.answer("bootstrap", 125)
    install(installer)
    assert recorder.calls[1:] == [["load", "-w", str(plist_path())]]


def test_failed_load_is_an_error_with_the_repair(recorder, installer):
    """When nothing loads the agent, the error holds launchctl's words and the commands that repair it."""
    recorder.answer("bootstrap", 125)
    recorder.answer("load", 1)
    with pytest.raises(ServiceError) as caught:
        install(installer)
    assert "Bootstrap failed: 125" in str(caught.value)
    assert f"launchctl bootout {TARGET}; launchctl bootstrap {DOMAIN}" in str(caught.value)


def test_edited_plist_is_not_overwritten(recorder, installer):
    """Changes of the user's own stay without --force, which keeps a copy."""
    install(installer)
    edited = plist_path().read_text().replace("<integer>30<", "<integer>99<")
    plist_path().write_text(edited)
    with pytest.raises(ServiceError, match="was edited"):
        install(installer)
    assert plist_path().read_text() == edited
    install(installer, force=True)
    assert plist_path().with_name(plist_path().name + ".saved").read_text() == edited


def test_uninstall_unloads_and_removes(recorder, installer, tmp_path):
    """Plist and socket are gone, the agent is not loaded."""
    install(installer)
    (tmp_path / "s").touch()
    installer.uninstall()
    assert recorder.calls[-1] == ["bootout", TARGET]
    assert not plist_path().exists()
    assert not (tmp_path / "s").exists()


def test_uninstall_falls_back_to_unload(recorder, installer):
    """Where bootout is refused, the older `unload` is tried."""
    install(installer)
    recorder.answer("bootout", 125)
    installer.uninstall()
    assert recorder.calls[-1] == ["unload", "-w", str(plist_path())]


def test_uninstall_leaves_a_foreign_plist(recorder, installer):
    """A plist that somebody else wrote stays."""
    plist_path().parent.mkdir(parents=True)
    plist_path().write_text("<plist/>")
    assert installer.uninstall() == [f"left alone, it was not installed by this command: {plist_path()}"]
    assert plist_path().exists()


def test_agent_counts_when_its_plist_lies_there(recorder, installer):
    """Written, though not loaded, the agent counts: nothing is spawned."""
    assert find_service() is None
    install(installer, enable=False)
    assert isinstance(find_service(), LaunchdService)


def test_agent_counts_when_launchd_knows_it(recorder, installer):
    """Loaded from elsewhere, it counts as well."""
    install(installer)
    plist_path().unlink()
    assert isinstance(find_service(), LaunchdService)


def test_discovery_finds_launchd(recorder, installer, monkeypatch):
    """Without systemctl on the PATH launchctl is asked; never when the socket is overridden."""
    install(installer)
    found = service.installed_service()
    assert found is not None
    assert found.kind == "launchd"
    assert isinstance(service.installer(), LaunchdInstaller)
    monkeypatch.setenv("LLM_MCP_SOCKET", "/tmp/other")
    assert service.installed_service() is None
    with pytest.raises(ServiceError, match="LLM_MCP_SOCKET"):
        service.installer()


def test_start_loads_the_agent(recorder, installer):
    """An agent that is not loaded is loaded; one that is, listens already."""
    install(installer, enable=False)
    agent_service = LaunchdService(Launchctl(pause=0))
    agent_service.start()
    agent_service.start()
    assert [call[0] for call in recorder.calls] == ["bootstrap"]


def test_verbs(recorder, installer):
    """Restart is kickstart -k, stop and reload are signals; a daemon that does not run is not stopped."""
    install(installer)
    agent_service = LaunchdService(Launchctl(pause=0))
    agent_service.stop()
    recorder.describe_as("\tpid = 4711\n")
    agent_service.restart()
    agent_service.reload()
    agent_service.stop()
    expected = [["kickstart", "-k", TARGET], ["kill", "SIGHUP", TARGET], ["kill", "SIGTERM", TARGET]]
    assert recorder.calls[1:] == expected


def test_status_reads_what_launchctl_prints(recorder, installer):
    """Loaded is listening; a pid is running; a program that is gone is the failure."""
    install(installer)
    recorder.describe_as("\tpid = 4711\n\tlast exit code = 0\n")
    status = LaunchdService(Launchctl()).status()
    assert (status.listening, status.active, status.main_pid, status.failure) == (True, True, 4711, "")


def test_diagnosis_of_a_crash(recorder, installer):
    """The diagnosis holds the exit code, the last lines of the newest log, and the repair."""
    install(installer)
    recorder.describe_as("\tlast exit code = 1\n")
    launchd.launchd_log().write_text("first\nno module named llm_tools_mcp\n")
    said = LaunchdService(Launchctl()).diagnosis()
    assert "launchd says: last exit code 1" in said
    assert "  no module named llm_tools_mcp" in said
    assert f"launchctl bootstrap {DOMAIN}" in said


def test_diagnosis_of_a_gone_program(recorder, installer):
    """A program that has moved is named, and install is advised."""
    install(installer, program="/nowhere/llm-mcp")
    said = LaunchdService(Launchctl()).diagnosis()
    assert "its program /nowhere/llm-mcp is gone" in said
    assert "llm mcp service install" in said


def test_config_folder_is_captured(recorder, monkeypatch):
    """The daemon's log lies in the config folder: one that was moved is told to the daemon."""
    monkeypatch.setenv("LLM_TOOLS_MCP_CONFIG_DIR", "/tmp/other")
    assert agent()["EnvironmentVariables"]["LLM_TOOLS_MCP_CONFIG_DIR"] == "/tmp/other"


def test_socket_name_is_the_one_the_daemon_asks_for():
    """The name in the plist and the one passed to launch_activate_socket are the same."""
    from llm_tools_mcp.daemon import listeners

    source = Path(listeners.__file__).read_text()
    assert f'"{launchd_install.SOCKET_NAME}"' in source


def test_drift_of_the_plist(recorder, installer, monkeypatch):
    """Another program is told; another PATH, as in another shell, is not."""
    assert installer.drift(Program(Path("/bin/true"))) == []
    install(installer)
    monkeypatch.setenv("PATH", f"/elsewhere:{os.environ['PATH']}")
    assert installer.drift(Program(Path("/bin/true"))) == []
    moved = installer.drift(Program(Path("/bin/false")))
    assert "starts /bin/true, and this is /bin/false" in moved[0].text
    assert moved[0].repair == "llm mcp service install"
