"""Writes the units into the user's own unit folder, and takes them away again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from llm_tools_mcp.errors import ServiceError

from . import Drift
from .systemd import SERVICE, SOCKET, Systemctl
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

_DROP_IN = f"Own settings belong in a drop-in, which stays: systemctl --user edit {SERVICE}"
_NO_MANAGER = "this login has no systemd user manager (a container, su or cron?)"
# The first version that has Type=notify-reload, and so knows when a reload is done.
_NOTIFY_RELOAD = 253
# Another shell has another PATH, and the unit is none the worse for it.
_SEARCH_PATH = re.compile(r'^Environment="PATH=.*\n', re.MULTILINE)


class SystemdInstaller:
    """`runtime` is the user's runtime folder; `folder` the user's unit folder."""

    def __init__(self, runtime: Path, folder: Path | None = None) -> None:
        self._systemctl = Systemctl(runtime)
        self._folder = folder or unit_folder()

    def install(
        self,
        program: Program,
        *,
        enable: bool,
        force: bool,
        before_start: Callable[[], None] = lambda: None,
    ) -> list[str]:
        if enable and not self._systemctl.is_reachable():
            raise ServiceError(
                f"{_NO_MANAGER}, and needs none: the first prompt starts the daemon.\n"
                "To write the units all the same, for another login: llm mcp service install --no-enable"
            )
        texts = self._rendered(program)
        if not force:
            for path in texts:
                check_replaceable(path, _DROP_IN)
        done = [write(path, text) for path, text in texts.items()]
        return done + (self._enable(before_start) if enable else [self._how_to_enable()])

    def uninstall(self) -> list[str]:
        mine = self._written()
        if not mine:
            return self._left() or ["nothing is installed"]
        reachable = self._systemctl.is_reachable()
        done = self._disable(mine) if reachable else _unlink_wants(self._folder)
        done += [remove(path) for path in mine]
        if reachable:
            self._systemctl.check("daemon-reload")
            self._systemctl.run("reset-failed", SOCKET, SERVICE)  # nothing may have failed: no matter
        return done + self._left()

    def idle(self) -> Drift | None:
        if not self._written():
            return None
        if not self._systemctl.is_reachable():
            return Drift(f"there are units in {self._folder}, but {_NO_MANAGER}", "llm mcp service uninstall")
        return Drift(f"there are units in {self._folder}, but systemd does not use them")

    def drift(self, program: Program) -> list[Drift]:
        found = [Drift(text) for text in differences(self._rendered(program), _SEARCH_PATH)]
        installed = _program_in(self._folder / SERVICE)
        if found and installed not in ("", str(program)):
            found.insert(0, Drift(f"{SERVICE} starts {installed}, and this is {program}"))
        return found + self._unread()

    def _unread(self) -> list[Drift]:
        if not self._systemctl.is_reachable():
            return []
        units = self._systemctl.show(SOCKET, SERVICE)
        changed = [name for name, unit in units.items() if unit["NeedDaemonReload"] == "yes"]
        repair = "systemctl --user daemon-reload"
        return [Drift(f"systemd has not read {name} since it was changed", repair) for name in changed]

    def _paths(self) -> tuple[Path, Path]:
        return self._folder / SOCKET, self._folder / SERVICE

    def _written(self) -> list[Path]:
        return [path for path in self._paths() if state_of(path) in (FileState.INSTALLED, FileState.EDITED)]

    def _rendered(self, program: Program) -> dict[Path, str]:
        socket, service = self._paths()
        text = rendered_service(template("systemd", SERVICE), program, captured_path(), self._version())
        return {
            socket: signed(template("systemd", SOCKET), "# {}"),
            service: signed(text, "# {}"),
        }

    def _version(self) -> int:
        """Of the manager, as a number such as 252; 0 where it cannot be asked."""
        if not self._systemctl.is_reachable():
            return 0
        found = re.search(r"\d+", self._systemctl.check("show", "-p", "Version", "--value"))
        return int(found[0]) if found else 0

    def _enable(self, before_start: Callable[[], None]) -> list[str]:
        self._systemctl.check("daemon-reload")
        self._check_loaded()
        before_start()
        self._systemctl.run("reset-failed", SOCKET, SERVICE)  # nothing may have failed: no matter
        self._systemctl.check("enable", SOCKET)
        self._systemctl.check("start", SOCKET)
        self._systemctl.check("try-restart", SERVICE)  # a running daemon goes over to the new program
        return [f"enabled and started {SOCKET}"]

    def _how_to_enable(self) -> str:
        commands = f"systemctl --user daemon-reload; systemctl --user enable --now {SOCKET}"
        if self._systemctl.is_reachable():
            return f"to use them: {commands}"
        return f"{_NO_MANAGER}; to use them in one that has: {commands}"

    def _check_loaded(self) -> None:
        for path, unit in zip(self._paths(), self._systemctl.show(SOCKET, SERVICE).values(), strict=True):
            if unit["FragmentPath"] != str(path):
                found = unit["FragmentPath"] or f"nothing ({unit['LoadState']})"
                raise ServiceError(f"the systemd user manager does not use {path}: it found {found}")

    def _disable(self, units: list[Path]) -> list[str]:
        names = [path.name for path in units]
        self._systemctl.check("daemon-reload")  # units written with --no-enable are not known yet
        self._systemctl.check("stop", *names)
        self._systemctl.check("disable", *names)
        return [f"stopped and disabled {', '.join(names)}"]

    def _left(self) -> list[str]:
        """What stays, because somebody else put it there."""
        drop_ins = (path.with_name(path.name + ".d") for path in self._paths())
        kept = [path for path in (*self._paths(), *drop_ins) if os.path.lexists(path)]
        return [f"left alone, it was not installed by this command: {path}" for path in kept]


def _program_in(path: Path) -> str:
    """What the installed service starts; empty where it cannot be read."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = re.search(r'^ExecStart="([^"]*)"(.*) daemon$', text, re.MULTILINE)
    return "".join(found.groups()).replace("%%", "%") if found else ""


def unit_folder() -> Path:
    """Where the user's own units go; the manager is asked afterwards whether it looks there."""
    config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (config if config.is_absolute() else Path.home() / ".config") / "systemd" / "user"


def rendered_service(text: str, program: Program, search_path: str, version: int) -> str:
    """The packaged service with this program and PATH, for this version of systemd."""
    command = " ".join([_quoted(_checked_program(program.path)), *program.arguments, "daemon"])
    start = f"ExecStart={command}"
    variables = {"PATH": search_path, **import_variables()}
    environment = [f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()]
    text = _replaced(text, "ExecStart=/usr/bin/llm-mcp daemon", "\n".join([start, *environment]))
    text = _replaced(text, "}' /usr/bin/llm-mcp\n", f"}}' {_quoted(str(program.path)).replace('$', '$$')}\n")
    if program.arguments:  # the interpreter stays where we are uninstalled
        text = _replaced(text, 'test -x "$$0"', f'"$$0" -c "import {program.arguments[-1]}" 2>/dev/null')
        text = _replaced(text, 'echo "$$0 is gone', 'echo "llm-tools-mcp is gone')
    if version >= _NOTIFY_RELOAD:
        text = _replaced(text, "Type=notify", "Type=notify-reload")
        text = _replaced(text, "ExecReload=kill -HUP $MAINPID\n", "")
    return text


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ServiceError(f"the packaged {SERVICE} does not have the one line {old!r}")
    return text.replace(old, new)


def _checked_program(program: Path) -> str:
    if any(character in "\"'\\" for character in str(program)):
        raise ServiceError(f"systemd runs no program whose path holds quotes or backslashes: {program}")
    return str(program)


def _quoted(text: str) -> str:
    if any(ord(character) < 32 for character in text):
        raise ServiceError(f"a unit cannot hold control characters: {text!r}")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _unlink_wants(folder: Path) -> list[str]:
    """What `systemctl disable` does, where no manager can be reached."""
    link = folder / "sockets.target.wants" / SOCKET
    if not link.is_symlink():
        return []
    link.unlink()
    return [f"removed {link}"]
