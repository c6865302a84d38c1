"""Renders the LaunchAgent for this user, checks it, and loads it. Never run on a real Mac."""

from __future__ import annotations

import os
import plistlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.errors import ServiceError
from llm_tools_mcp.system import access

from . import Drift
from .launchd import LABEL, PLIST_NAME, Launchctl, launchd_log, plist_path
from .unit_files import (
    FileState,
    Program,
    captured_path,
    check_replaceable,
    differences,
    import_variables,
    remove,
    signed,
    state_of,
    template,
    write,
)

# Another shell has another PATH, and the agent is none the worse for it.
_SEARCH_PATH = re.compile(r"<key>PATH</key>\s*<string>[^<]*</string>")

SOCKET_NAME = "Listener"  # what the daemon asks launchd for
_PATH_LIMIT = 103  # bytes in sockaddr_un of macOS, whatever this machine allows

_KEYS: dict[str, type] = {
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "Sockets": dict,
    "RunAtLoad": bool,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "StandardErrorPath": str,
}


class LaunchdInstaller:
    def __init__(self, socket: Path, launchctl: Launchctl | None = None) -> None:
        self._socket = socket
        self._launchctl = launchctl or Launchctl()

    def install(
        self,
        program: Program,
        *,
        enable: bool,
        force: bool,
        before_start: Callable[[], None] = lambda: None,
    ) -> list[str]:
        plist = plist_path()
        text = rendered_plist(program, self._socket, captured_path(), launchd_log())
        if not force:
            check_replaceable(plist, "Changes of your own are not kept there.")
        for folder in (self._socket.parent, launchd_log().parent):
            access.make_private_folder(folder)
        done = [write(plist, text)]
        if not enable:
            return [*done, f"to use it: launchctl bootstrap {self._launchctl.domain} {plist}"]
        self._launchctl.unload(plist)  # or launchd would go on with what it read before
        before_start()
        self._launchctl.load(plist)
        return [*done, f"loaded {LABEL}"]

    def uninstall(self) -> list[str]:
        plist = plist_path()
        state = state_of(plist)
        if state is FileState.ABSENT:
            return ["nothing is installed"]
        if state not in (FileState.INSTALLED, FileState.EDITED):
            return [f"left alone, it was not installed by this command: {plist}"]
        self._launchctl.unload(plist)
        self._socket.unlink(missing_ok=True)  # launchd leaves it behind
        return [f"unloaded {LABEL}", remove(plist)]

    def idle(self) -> Drift | None:
        plist = plist_path()
        if state_of(plist) not in (FileState.INSTALLED, FileState.EDITED):
            return None
        return Drift(f"{plist} is written, but launchd does not use it")

    def drift(self, program: Program) -> list[Drift]:
        text = rendered_plist(program, self._socket, captured_path(), launchd_log())
        found = [Drift(text) for text in differences({plist_path(): text}, _SEARCH_PATH)]
        installed = _program_in(plist_path())
        if found and installed not in ("", str(program)):
            found.insert(0, Drift(f"{LABEL} starts {installed}, and this is {program}"))
        return found


def _program_in(plist: Path) -> str:
    """What the installed agent starts; empty where it cannot be read."""
    try:
        *command, _ = plistlib.loads(plist.read_bytes())["ProgramArguments"]
        return " ".join(command)
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def rendered_plist(program: Program, socket: Path, search_path: str, log: Path) -> str:
    """The packaged plist with this user's paths, checked. launchd expands nothing: all are literal."""
    agent: dict[str, Any] = plistlib.loads(template("launchd", PLIST_NAME).encode())
    agent["ProgramArguments"] = [str(program.path), *program.arguments, "daemon"]
    agent["EnvironmentVariables"] = _environment(search_path)
    agent["Sockets"][SOCKET_NAME]["SockPathName"] = str(socket)
    agent["StandardErrorPath"] = str(log)
    check_agent(agent)
    return signed(plistlib.dumps(agent, sort_keys=False).decode(), "<!-- {} -->", after_line=2)


def _environment(search_path: str) -> dict[str, str]:
    # The daemon's log lies in the config folder, so it has to be the same one.
    config = {"LLM_TOOLS_MCP_CONFIG_DIR": str(paths.config_folder())}
    moved = "LLM_TOOLS_MCP_CONFIG_DIR" in os.environ
    return {"PATH": search_path, **import_variables(), **(config if moved else {})}


def check_agent(agent: Mapping[str, Any]) -> None:
    """Raise ServiceError for what launchd would ignore or refuse: keys, types, paths."""
    for key in [*_KEYS, *agent]:
        if key not in agent or key not in _KEYS or type(agent[key]) is not _KEYS[key]:
            raise ServiceError(f"the LaunchAgent's key {key!r} is missing, unknown or of the wrong type")
    listener = agent["Sockets"].get(SOCKET_NAME, {})
    if listener.get("SockPathMode") != 0o600:
        raise ServiceError(f"the LaunchAgent's socket {SOCKET_NAME} must have the mode 384 (0600)")
    for path in (agent["ProgramArguments"][0], listener.get("SockPathName", ""), agent["StandardErrorPath"]):
        if not Path(path).is_absolute():
            raise ServiceError(f"the LaunchAgent needs absolute paths, not {path!r}")
    length = len(os.fsencode(listener["SockPathName"]))
    if length > _PATH_LIMIT:
        raise ServiceError(
            f"the socket's path {listener['SockPathName']} is {length} bytes long, "
            f"and macOS allows {_PATH_LIMIT}"
        )
