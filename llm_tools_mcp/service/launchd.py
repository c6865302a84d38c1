"""The daemon as a LaunchAgent. Written from launchd's documentation; never run on a real Mac."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from pathlib import Path

from llm_tools_mcp import paths
from llm_tools_mcp.errors import ServiceError

from . import ServiceStatus
from .manager_command import ask

LABEL = "io.github.llm-tools-mcp"
PLIST_NAME = f"{LABEL}.plist"

TIMEOUT = 90.0
# "Bootstrap failed: 5: Input/output error": an old instance still drains, or there is no GUI session yet.
_BUSY = 5
_BUSY_PATIENCE = 10.0
_LOG_LINES = 10


class Launchctl:
    """launchctl for the agent of this user. `pause` is the wait between tries, in seconds."""

    def __init__(self, pause: float = 0.5) -> None:
        self._pause = pause
        self.domain = f"gui/{os.getuid()}"
        self.target = f"{self.domain}/{LABEL}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return ask(["launchctl", *arguments], timeout=TIMEOUT)

    def check(self, *arguments: str) -> str:
        done = self.run(*arguments)
        if done.returncode:
            raise self._error(done, arguments)
        return done.stdout

    def describe(self) -> str:
        """What launchctl knows of the agent; empty when it is not loaded."""
        done = self.run("print", self.target)
        return "" if done.returncode else done.stdout

    def load(self, plist: Path) -> None:
        """`bootstrap`, again while launchd is busy, and at last the older `load`."""
        done = self.run("bootstrap", self.domain, str(plist))
        deadline = time.monotonic() + _BUSY_PATIENCE
        while done.returncode == _BUSY and time.monotonic() < deadline and not self.describe():
            time.sleep(self._pause)
            done = self.run("bootstrap", self.domain, str(plist))
        if done.returncode and not self.describe():
            self.run("load", "-w", str(plist))  # its exit status is 0 even when it fails
            if not self.describe():
                raise self._error(done, ("bootstrap", self.domain, str(plist)))

    def unload(self, plist: Path) -> None:
        if not self.describe():
            return
        done = self.run("bootout", self.target)
        if done.returncode and self.describe():
            self.run("unload", "-w", str(plist))
            if self.describe():
                raise self._error(done, ("bootout", self.target))

    def _error(self, done: subprocess.CompletedProcess[str], arguments: tuple[str, ...]) -> ServiceError:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit status {done.returncode}"
        return ServiceError(f"launchctl {shlex.join(arguments)}: {said}", repair_commands(self.domain))


def plist_path() -> Path:
    return Path.home() / "Library" / "LaunchAgents" / PLIST_NAME


def repair_commands(domain: str) -> str:
    plist = shlex.quote(str(plist_path()))
    return (
        f"launchctl bootout {domain}/{LABEL}; launchctl bootstrap {domain} {plist}\n  llm mcp service install"
    )


def find_service(launchctl: Launchctl | None = None) -> LaunchdService | None:
    """The agent counts when its plist lies in LaunchAgents, or launchd knows it from elsewhere."""
    launchctl = launchctl or Launchctl()
    try:
        counts = plist_path().is_file() or bool(launchctl.describe())
    except ServiceError:
        return None
    return LaunchdService(launchctl) if counts else None


class LaunchdService:
    kind = "launchd"

    def __init__(self, launchctl: Launchctl) -> None:
        self._launchctl = launchctl

    def start(self) -> None:
        """Listening is what launchd does while the agent is loaded."""
        if not self._launchctl.describe():
            self._launchctl.load(plist_path())

    def stop(self) -> None:
        if self.status().main_pid:
            self._launchctl.check("kill", "SIGTERM", self._launchctl.target)

    def restart(self) -> None:
        self.start()
        self._launchctl.check("kickstart", "-k", self._launchctl.target)

    def reload(self) -> None:
        self._launchctl.check("kill", "SIGHUP", self._launchctl.target)

    def status(self) -> ServiceStatus:
        text = self._launchctl.describe()
        pid = re.search(r"^\s*pid = (\d+)", text, re.MULTILINE)
        units = (plist_path(),) if plist_path().is_file() else ()
        return ServiceStatus(
            listening=bool(text),
            active=pid is not None,
            enabled=bool(units),
            main_pid=int(pid[1]) if pid else 0,
            failure=_failure(text, is_running=pid is not None),
            units=units,
            text=text.rstrip() or f"{self._launchctl.target} is not loaded",
        )

    def log_command(self, lines: int, *, follow: bool) -> list[str]:  # noqa: ARG002 - the protocol's
        return []  # launchd has no journal: the daemon writes files

    def last_log_lines(self, count: int) -> list[str]:
        """Of the file written last: the daemon's log, or what it said before it had one."""
        logs = [path for path in (paths.daemon_log(), launchd_log()) if path.is_file()]
        if not logs:
            return []
        newest = max(logs, key=lambda path: path.stat().st_mtime)
        return newest.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]

    def diagnosis(self) -> str:
        status, log = self.status(), self.last_log_lines(_LOG_LINES)
        lines = [f"launchd says: {status.failure or status.text.splitlines()[0]}"]
        if log:
            lines += ["Its last log lines:", *(f"  {line}" for line in log)]
        return "\n".join([*lines, "To repair it:", f"  {repair_commands(self._launchctl.domain)}"])


def launchd_log() -> Path:
    """Where launchd puts the daemon's stderr: only what comes before its log is open."""
    return paths.log_folder() / "launchd.log"


def _failure(text: str, *, is_running: bool) -> str:
    if not text:
        return f"the agent {LABEL} is not loaded"
    program = re.search(r"^\s*program = (.+)", text, re.MULTILINE)
    if program and not os.access(program[1], os.X_OK):
        return f"its program {program[1]} is gone"
    code = re.search(r"^\s*last exit code = (\d+)", text, re.MULTILINE)
    return f"last exit code {code[1]}" if code and code[1] != "0" and not is_running else ""
