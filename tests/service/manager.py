"""A throwaway systemd user manager to run commands under; see tests/systemd/with-user-systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.programs import Result, run

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "systemd" / "with-user-systemd"
BIN = Path(sys.executable).parent
UNPRIVILEGED = "llm-mcp-tester"  # made inside, where the machine has no such user
NEEDED = ("unshare", "nsenter", "setpriv", "systemctl", "systemd-analyze", "journalctl")


class Unavailable(Exception):
    """Why no manager can be made here."""


def check_available() -> None:
    """Raises Unavailable with the reason."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Unavailable("a throwaway systemd user manager needs Linux and root")
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        raise Unavailable(f"a throwaway systemd user manager needs {', '.join(missing)}")


class UserManager:
    """Runs commands as `user` in the manager's namespaces. HOME is new and empty."""

    def __init__(self, user: str) -> None:
        readable = [word for path in (ROOT, sys.prefix, sys.base_prefix) for word in ("-r", str(path))]
        self.user = user
        self._script = subprocess.Popen(
            [SCRIPT, "-u", user, *readable, "sh", "-c", "echo ready; read -r end", "held-open-by-test"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._script.stdout
        if self._script.stdout.readline() != "ready\n":
            raise Unavailable(f"{SCRIPT.name}: {self._script.communicate()[1]}")
        inside = self._held_process()
        self._pid, self._uid, self._gid = inside.pid, inside.uids().real, inside.gids().real
        self.env = inside.environ()
        self.home, self.runtime = Path(self.env["HOME"]), Path(self.env["XDG_RUNTIME_DIR"])
        self.socket = self.runtime / "llm-mcp.sock"
        self.units = self.home / ".config" / "systemd" / "user"

    def _held_process(self) -> psutil.Process:
        below = psutil.Process(self._script.pid).children(recursive=True)
        return next(
            process
            for process in below
            if process.cmdline()[-1:] == ["held-open-by-test"] and _is_sh(process)
        )

    def argv(
        self, *words: str | Path, env: Mapping[str, str] | None = None, as_root: bool = False
    ) -> list[str]:
        """The command line that runs `words` inside, in HOME."""
        enter = ["nsenter", f"--target={self._pid}", "--mount", "--pid"]
        uid, gid = (0, 0) if as_root else (self._uid, self._gid)
        become = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "env", "-i"]
        variables = [f"{name}={value}" for name, value in {**self.env, **(env or {})}.items()]
        command = ["sh", "-c", 'cd && exec "$@"', "sh", *(str(word) for word in words)]
        return [*enter, *become, *variables, *command]

    def run(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        as_root: bool = False,
        **options: Any,
    ) -> Result:
        """Options as for `tests.programs.run`."""
        return run(self.argv(*words, env=env, as_root=as_root), **options)

    def systemctl(self, *arguments: str, **options: Any) -> Result:
        return self.run("systemctl", "--user", *arguments, **options)

    def show(self, unit: str, name: str) -> str:
        return self.systemctl("show", "-p", name, "--value", unit).stdout.strip()

    def python(self, code: str, **options: Any) -> str:
        """What this code, run inside by the interpreter of the tests, prints."""
        program = self.run(sys.executable, "-c", code, env={"PYTHONPATH": str(ROOT)}, **options)
        return program.stdout

    def cli(self, *arguments: str, **options: Any) -> Result:
        return self.run(BIN / "llm-mcp", *arguments, **options)

    def write(self, path: Path, text: str, mode: int = 0o644) -> Path:
        """A file of the user's, inside."""
        code = 'mkdir -p "${1%/*}"; cat > "$1"; chmod "$2" "$1"'
        self.run("sh", "-c", code, "sh", path, f"{mode:o}", input=text)
        return path

    def read(self, path: Path) -> str:
        return self.run("cat", path).stdout

    def exists(self, path: Path) -> bool:
        return self.run("test", "-e", path, check=False).code == 0

    def close(self) -> None:
        """End the manager and everything inside."""
        try:
            self._script.communicate("\n", timeout=30)
        finally:
            if self._script.poll() is None:
                for process in psutil.Process(self._script.pid).children(recursive=True):
                    process.kill()
                self._script.kill()
                self._script.wait()


def _is_sh(process: psutil.Process) -> bool:
    return process.cmdline()[:1] == ["sh"]
