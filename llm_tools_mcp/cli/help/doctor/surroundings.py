"""What `doctor` looks at around the config: versions, other plugins, the socket, the service, the daemon."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from llm_tools_mcp import __version__, paths
from llm_tools_mcp.cli.running_daemon import ask, describe, is_running
from llm_tools_mcp.errors import KeyringUnusable, LoginsUnusable, McpError
from llm_tools_mcp.service import idle_units, installed_service
from llm_tools_mcp.system import access

from .finding import BAD, NOTE, OK, Finding

if TYPE_CHECKING:
    from llm_tools_mcp.login.records import Login

# Toolboxes of the same name: llm renames the second one.
_RIVALS = ("llm-mcp-client", "llm-tools-mcp-client", "llm-mcp")
_LLM_SECONDS = 30.0
# NAME-UUID-DATE.log; the second one for find(1).
_OLD_LOG = re.compile(r".+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{4}(?:-\d\d){5}\.log")
_OLD_LOG_GLOB = "*-????????-????-????-????-????????????-????-??-??-??-??-??.log"
# A server takes three pipes and its connection; macOS begins with 256.
_FEW_FILES = 256


def look_around() -> Iterator[Finding]:
    looks: list[Callable[[], Iterator[Finding]]] = [
        *(_versions, _rivals, _toolbox, _limits, _socket, _folder, _kept),
        *(_service, _units, _daemon, _logins),
    ]
    for look in looks:
        try:
            yield from look()
        except McpError as error:
            yield Finding(BAD, str(error))
        except OSError as error:
            yield Finding(BAD, *access.obstacle(error))


def _logins() -> Iterator[Finding]:
    from llm_tools_mcp.cli.login.table import stored_logins

    try:
        usable = [login for login in stored_logins() if login.is_usable]
    except LoginsUnusable as error:
        yield Finding(BAD, f"the store of logins {error.path} {error.detail}", error.repair)
        return
    yield from _keyring(usable)
    if count := len(usable):
        yield Finding(OK, f"logged in to {count} server{'' if count == 1 else 's'}: llm mcp login --status")


def _keyring(logins: Iterable[Login]) -> Iterator[Finding]:
    """Where a login has its tokens there."""
    for login in logins:
        if login.in_keyring:
            from llm_tools_mcp.login import vault

            try:
                vault.opened(login)
            except KeyringUnusable as error:
                yield Finding(BAD, f"the keyring {error.detail}", error.repair)
                return


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    packages = ", ".join(
        f"{name} {_version(name) or '(missing)'}" for name in ("llm", "mcp", "grpcio", "protobuf", "h2")
    )
    yield Finding(OK, f"llm-tools-mcp {__version__} on Python {python} in {sys.prefix}; {packages}")
    if not _version("llm"):
        yield Finding(NOTE, "llm is not installed in this environment", "llm install llm-tools-mcp")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _rivals() -> Iterator[Finding]:
    """A second plugin with a toolbox `MCP`: llm calls whichever it loads later `MCP_1`."""
    entries = metadata.entry_points(group="llm")
    names = {entry.dist.name for entry in entries if entry.dist is not None}
    for rival in sorted(names.intersection(_RIVALS)):
        text = f"{rival} also has a toolbox called MCP: one of the two is renamed"
        yield Finding(BAD, text, f"llm uninstall {rival}")
    copies = sum(entry.name == "mcp" and entry.value == "llm_tools_mcp.plugin" for entry in entries)
    if copies > 1:
        text = f"llm-tools-mcp is installed {copies} times in this environment"
        yield Finding(NOTE, text, "llm install -U llm-tools-mcp")


def _toolbox() -> Iterator[Finding]:
    """What `llm` itself makes of its plugins, whoever wrote them."""
    if not _version("llm"):
        return
    argv = [sys.executable, "-m", "llm", "tools", "list", "--json"]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LLM_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(
            NOTE, f"llm could not be asked for its toolboxes: {type(error).__name__}", "llm plugins"
        )
        return
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        yield Finding(BAD, f"llm does not work in this environment: {said[-1]}", "llm plugins")
        return
    yield from _toolboxes(done.stdout)


def _toolboxes(text: bytes) -> Iterator[Finding]:
    try:
        names = {toolbox["name"] for toolbox in json.loads(text)["toolboxes"]}
    except (ValueError, LookupError, TypeError):  # a llm that says it otherwise
        return
    if "MCP_1" in names:
        rivals = _distributions_of_toolbox()
        who = f"{', '.join(rivals)} also has" if rivals else "another plugin has"
        what = f"{who} a toolbox called MCP, and one of them is MCP_1 now: which one may change at any run"
        yield Finding(BAD, what, "\n".join(f"llm uninstall {rival}" for rival in rivals) or "llm plugins")
    elif "MCP" in names:
        yield Finding(OK, "llm offers the toolbox MCP")
    elif "LLM_LOAD_PLUGINS" in os.environ:
        yield Finding(NOTE, "LLM_LOAD_PLUGINS is set and leaves out llm-tools-mcp", "unset LLM_LOAD_PLUGINS")
    else:
        yield Finding(BAD, "llm does not offer the toolbox MCP", "llm install -U llm-tools-mcp")


_RIVAL_SCRIPT = """
import json
from llm.plugins import load_plugins, pm
load_plugins()
distributions = {id(plugin): info.project_name for plugin, info in pm.list_plugin_distinfo()}
found = []
for plugin in pm.get_plugins():
    names = []
    register = getattr(plugin, "register_tools", None)
    if register:
        register(register=lambda tool, name=None: names.append(name or getattr(tool, "__name__", "")))
    if "MCP" in names:
        found.append(distributions.get(id(plugin)) or pm.get_name(plugin))
print(json.dumps(found))
"""


def _distributions_of_toolbox() -> list[str]:
    """All others that register an `MCP`; none where llm cannot be asked."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RIVAL_SCRIPT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LLM_SECONDS,
            check=True,
        )
        return sorted({str(name) for name in json.loads(done.stdout)} - {"llm-tools-mcp"})
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _limits() -> Iterator[Finding]:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)  # the daemon raises its own to that
    if files != resource.RLIM_INFINITY and files < _FEW_FILES:
        text = f"only {files} files may be open at a time, and every server takes several"
        yield Finding(NOTE, text, "ulimit -n 1024; llm mcp restart")


def _socket() -> Iterator[Finding]:
    socket = paths.socket_path()
    if paths.socket_is_overridden():
        yield Finding(NOTE, f"LLM_MCP_SOCKET is set: the socket is {socket}, and no installed service counts")
    elif _is_ignored(os.environ.get("XDG_RUNTIME_DIR"), socket):
        given = os.environ["XDG_RUNTIME_DIR"]
        is_own = Path(given).is_absolute() and access.is_own_folder(Path(given).resolve())
        why = "is too long for a socket" if is_own else "is not a folder of yours"
        yield Finding(NOTE, f"XDG_RUNTIME_DIR={given} {why} and is ignored; the socket is {socket}")
    try:
        status = socket.stat()
    except FileNotFoundError:
        return
    if status.st_uid != os.geteuid():
        yield Finding(BAD, f"{socket} belongs to another user (uid {status.st_uid})", f"sudo rm {socket}")
    elif stat.S_IMODE(status.st_mode) & 0o077:
        yield Finding(
            NOTE, f"{socket} can be opened by others (they are refused by their uid)", f"chmod 600 {socket}"
        )


def _is_ignored(given: str | None, socket: Path) -> bool:
    return bool(given) and sys.platform != "darwin" and socket.parent != Path(given or "")


def _folder() -> Iterator[Finding]:
    """Who can write the folder can replace mcp.json, whatever the mode of that."""
    folder = paths.config_folder()
    if not folder.is_dir():
        return
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        yield Finding(
            BAD, f"{folder} belongs to another user (uid {status.st_uid})", f"sudo chown -R $(id -u) {folder}"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding(
            NOTE, f"{folder} can be written by others, who could replace mcp.json", f"chmod go-w {folder}"
        )


def _kept() -> Iterator[Finding]:
    """Where logs and lists go, and what llm-tools-mcp 0.4 has left there: a file for each connection."""
    for name, folder in (("logs", paths.log_folder()), ("cached lists", paths.cache_folder())):
        if folder.exists() and not folder.is_dir():
            moved = shlex.join(["mv", str(folder), f"{folder}.old"])
            yield Finding(BAD, f"{folder} is a file, and the {name} belong into a folder there", moved)
    old = [path for path in paths.log_folder().glob("*.log") if _OLD_LOG.fullmatch(path.name)]
    if old:
        remove = ["find", str(paths.log_folder()), "-maxdepth", "1", "-name", _OLD_LOG_GLOB, "-delete"]
        yield Finding(NOTE, f"{len(old)} log files of llm-tools-mcp 0.4 are left", shlex.join(remove))


def _service() -> Iterator[Finding]:
    service = installed_service()
    if service is None:
        idle = idle_units()
        if idle:
            yield Finding(NOTE, f"{idle.text}: the first prompt starts the daemon", idle.repair)
        else:
            yield Finding(OK, "no service is installed: the first prompt starts the daemon")
        return
    status = service.status()
    if status.failure:
        yield Finding(
            BAD, f"{service.kind}: {status.failure}", "llm mcp service status\nllm mcp service install"
        )
    elif not status.listening:
        yield Finding(BAD, f"{service.kind} has the unit, but does not listen", "llm mcp start")
    else:
        enabled = "" if status.enabled else ", but not after the next login"
        repair = "" if status.enabled else "llm mcp service install"
        yield Finding(OK if status.enabled else NOTE, f"{service.kind} listens{enabled}", repair)


def _units() -> Iterator[Finding]:
    if installed_service() is None:
        return
    from llm_tools_mcp.service import installer
    from llm_tools_mcp.service.unit_files import current_program

    for drift in installer().drift(current_program()):
        yield Finding(NOTE, drift.text, drift.repair)


def _daemon() -> Iterator[Finding]:
    from llm_tools_mcp.cli.daemon.other_daemons import daemons_elsewhere

    for other in daemons_elsewhere():
        yield Finding(NOTE, str(other), "llm mcp stop    # both")
    service = installed_service()
    if not is_running(service):
        if service is not None and service.status().failure:
            return  # told of the service: the next prompt could not start it
        yield Finding(OK, "the daemon does not run; the next prompt starts it")
        return
    try:
        health = ask(paths.socket_path())
    except McpError as error:
        yield Finding(BAD, str(error), "llm mcp restart")
        return
    yield Finding(OK, f"the daemon answers: {describe(health)}")
    if not health.installed_version:
        text = "the environment that it runs in was deleted: it goes on with what it had loaded"
        yield Finding(BAD, text, "llm mcp restart")
    elif health.installed_version not in ("", health.version):
        new = health.installed_version
        text = f"it runs version {health.version}; {new} is installed, and takes over when the calls are done"
        yield Finding(NOTE, text, "llm mcp restart    # now")
    elif health.version != __version__:
        text = f"it runs version {health.version} from another environment, and here is {__version__}"
        yield Finding(NOTE, text, "llm mcp restart    # to use this one")
