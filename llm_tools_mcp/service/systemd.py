"""The daemon as a unit of the user's systemd: ask the manager, and put its answers into words."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from llm_tools_mcp.errors import ServiceError
from llm_tools_mcp.paths import SOCKET_NAME

from . import ServiceStatus
from .manager_command import ask

SOCKET = "llm-mcp.socket"
SERVICE = "llm-mcp.service"

RESET_AND_START = f"systemctl --user reset-failed {SERVICE} {SOCKET}; systemctl --user start {SOCKET}"
REINSTALL = "llm mcp service install"

# Seconds: for questions; and for jobs, which last as long as a drain (TimeoutStopSec) and a start.
ASK_TIMEOUT = 5.0
JOB_TIMEOUT = 120.0

_PROPERTIES = (
    "Id LoadState LoadError ActiveState SubState Result UnitFileState FragmentPath "
    "MainPID ExecMainStatus ExecStart NRestarts NeedDaemonReload"
)
_EXEC_FAILED = "203"  # systemd's own exit status: the program could not be executed
_LOG_LINES = 10


class Systemctl:
    """`systemctl --user` for the manager of one runtime folder, whatever the environment says."""

    def __init__(self, runtime: Path) -> None:
        self._environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "SYSTEMD_COLORS": "0"}
        self._private_socket = runtime / "systemd" / "private"
        self.socket = runtime / SOCKET_NAME

    def is_reachable(self) -> bool:
        """Without a fork: whether the manager's own socket is there."""
        return self._private_socket.is_socket()

    def run(self, *arguments: str, timeout: float = JOB_TIMEOUT) -> subprocess.CompletedProcess[str]:
        return self.command("systemctl", "--user", "--no-pager", *arguments, timeout=timeout)

    def check(self, *arguments: str) -> str:
        """Raises ServiceError with what systemctl said."""
        done = self.run(*arguments)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
            raise ServiceError(f"systemctl --user {' '.join(arguments)}: {said}", RESET_AND_START)
        return done.stdout

    def show(self, *units: str) -> dict[str, dict[str, str]]:
        """The properties of each unit, by name. Raises ServiceError when the manager does not answer."""
        done = self.run("show", "-p", _PROPERTIES.replace(" ", ","), *units, timeout=ASK_TIMEOUT)
        if done.returncode:
            raise ServiceError(f"the systemd user manager does not answer: {done.stderr.strip()}")
        blocks = (
            dict(line.split("=", 1) for line in block.splitlines()) for block in done.stdout.split("\n\n")
        )
        return {block["Id"]: block for block in blocks if "Id" in block}

    def command(self, *argv: str, timeout: float) -> subprocess.CompletedProcess[str]:
        return ask(argv, timeout=timeout, env=self._environment)


def find_service(runtime: Path) -> SystemdService | None:
    """The service, when the manager of this runtime folder can be reached and its units count."""
    systemctl = Systemctl(runtime)
    if not systemctl.is_reachable():
        return None
    try:
        units = systemctl.show(SOCKET, SERVICE)
    except ServiceError:
        return None  # a manager that does not answer owns nothing
    if units[SOCKET]["LoadState"] != "loaded" or units[SERVICE]["LoadState"] == "masked":
        return None
    return SystemdService(systemctl)


class SystemdService:
    kind = "systemd"

    def __init__(self, systemctl: Systemctl) -> None:
        self._systemctl = systemctl

    def start(self) -> None:
        """Anew, where somebody has removed the socket's file: systemd would go on listening on nothing."""
        is_active = self._systemctl.show(SOCKET)[SOCKET]["ActiveState"] == "active"
        self._job("restart" if is_active and not self._systemctl.socket.exists() else "start", SOCKET)

    def stop(self) -> None:
        self._job("stop", SERVICE)

    def restart(self) -> None:
        self._job("restart", SERVICE)

    def reload(self) -> None:
        self._job("reload", SERVICE)

    def status(self) -> ServiceStatus:
        units = self._systemctl.show(SOCKET, SERVICE)
        socket, service = units[SOCKET], units[SERVICE]
        text = self._systemctl.run(
            "status", "--full", "--lines=0", SOCKET, SERVICE, timeout=ASK_TIMEOUT
        ).stdout
        return ServiceStatus(
            listening=socket["ActiveState"] == "active",
            active=service["ActiveState"] in ("active", "reloading"),
            enabled=socket["UnitFileState"].startswith("enabled"),
            main_pid=int(service["MainPID"]),
            failure=_failure(socket, service),
            units=tuple(Path(unit["FragmentPath"]) for unit in (socket, service) if unit["FragmentPath"]),
            text=text.rstrip(),
        )

    def log_command(self, lines: int, *, follow: bool) -> list[str]:
        # Root has no user journal: what its user units write is in the system's.
        which = ["--user", "-u", SERVICE] if os.geteuid() else [f"--user-unit={SERVICE}"]
        return ["journalctl", *which, "-n", str(lines), *(["-f"] if follow else [])]

    def last_log_lines(self, count: int) -> list[str]:
        """Oldest first; none when the journal cannot be read."""
        argv = [*self.log_command(count, follow=False), "-q", "-o", "cat", "--no-pager"]
        try:
            return self._systemctl.command(*argv, timeout=ASK_TIMEOUT).stdout.splitlines()
        except ServiceError:
            return []

    def diagnosis(self) -> str:
        reason, commands = self._settled_failure()
        log = self.last_log_lines(_LOG_LINES)
        lines = [f"systemd says: {reason}"]
        if log:
            lines += ["Its last log lines:", *(f"  {line}" for line in log)]
        return "\n".join([*lines, "To repair it:", *(f"  {command}" for command in commands)])

    def _settled_failure(self) -> tuple[str, list[str]]:
        """Between two tries of a failing start the reason is blank for a moment: wait for it."""
        deadline = time.monotonic() + 2
        while True:
            units = self._systemctl.show(SOCKET, SERVICE)
            socket, service = units[SOCKET], units[SERVICE]
            reason = _failure(socket, service)
            if reason or service["ActiveState"] != "activating" or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        if not reason:
            reason = f"{_described(socket)}, {_described(service)}"
        return reason, _repair(service)

    def _job(self, verb: str, unit: str) -> None:
        done = self._systemctl.run(verb, unit)
        if done.returncode == 0:
            return
        units = self._systemctl.show(SOCKET, SERVICE)
        reason = _failure(units[SOCKET], units[SERVICE]) or " ".join(done.stderr.split())
        repair = "\n  ".join(_repair(units[SERVICE]))
        raise ServiceError(f"systemd could not {verb} {unit}: {reason}", repair)


def _described(unit: Mapping[str, str]) -> str:
    return f"{unit['Id']} is {unit['ActiveState']} ({unit['SubState']})"


def _failure(socket: Mapping[str, str], service: Mapping[str, str]) -> str:
    """Why it does not work, in words; empty when nothing is wrong."""
    for unit in (socket, service):
        if unit["LoadState"] != "loaded":
            return f"{unit['Id']} is {unit['LoadState']} {unit.get('LoadError', '')}".rstrip().rstrip('" ')
    return _service_failure(service) or _unit_failure(socket)


def _unit_failure(unit: Mapping[str, str]) -> str:
    return f"{unit['Id']} failed ({unit['Result']})" if unit["ActiveState"] == "failed" else ""


def _service_failure(service: Mapping[str, str]) -> str:
    program = program_of(service)
    is_gone = not os.access(program, os.X_OK)
    if service["ActiveState"] == "active" or (service["Result"] == "success" and not is_gone):
        return ""
    if is_gone or service["ExecMainStatus"] == _EXEC_FAILED:
        what = f"its program {program} {'cannot be run' if Path(program).exists() else 'is gone'}"
    else:
        what = f"{service['Result']}, status {service['ExecMainStatus']}"
    tries = f", tried {int(service['NRestarts']) + 1} times" if service["NRestarts"] != "0" else ""
    return f"{SERVICE} failed: {what}{tries}"


def program_of(service: Mapping[str, str]) -> str:
    """The unit's program, from `ExecStart={ path=/usr/bin/llm-mcp ; argv[]=… }`."""
    found = re.search(r"path=(.*?) ; argv\[\]=", service.get("ExecStart", ""))
    return found[1] if found else ""


def _repair(service: Mapping[str, str]) -> list[str]:
    gone = service["ExecMainStatus"] == _EXEC_FAILED or not os.access(program_of(service), os.X_OK)
    return [REINSTALL, RESET_AND_START] if gone or service["LoadState"] != "loaded" else [RESET_AND_START]
