"""A user's home of one test: the real `llm` and `llm-mcp` run in it, and nothing outlives it.

This process can be in it, too, for commands of which a sibling test shows that they run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from llm_tools_mcp import cli
from tests.programs import GONE, Result, describe, is_alive, processes_with, run
from tests.waiting import wait_until

# Of this environment: the commands that pip installed beside the interpreter.
BIN = Path(sys.executable).parent

# What measures coverage in subprocesses, and what developers set to use the tree without installing it.
# Not PYTHONDONTWRITEBYTECODE: each of hundreds of commands would compile what it imports.
PASSED_ON = ("COVERAGE_", "COV_", "PYTHONPATH")

# Seconds for what was told to end: the daemon's grace, then EOF, TERM and KILL for its servers.
ENDING = 60


class Home:
    """An isolated HOME with its own config folder, llm user folder, caches and daemon socket.

    `folder` is HOME, `work` an empty folder to run in, `env` the whole environment of the commands.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.config_folder = folder / ".llm-tools-mcp"
        # Not below `folder`: pytest's paths are too long for a unix socket (107 bytes).
        self.runtime = Path(tempfile.mkdtemp(prefix="llm-mcp-", dir="/tmp"))
        self.socket = self.runtime / "s"
        self.env = self._environment()
        for path in (self.work, self.config_folder, folder / "llm"):
            path.mkdir(parents=True)

    def _environment(self) -> dict[str, str]:
        passed_on = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        return passed_on | {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "LLM_MCP_SOCKET": str(self.socket),
            "LLM_TOOLS_MCP_CONFIG_DIR": str(self.config_folder),
            "LLM_USER_PATH": str(self.folder / "llm"),
            "LOGNAME": "tester",
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "SHELL": "/bin/sh",
            "TERM": "dumb",
            "USER": "tester",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    @property
    def config(self) -> Path:
        return self.config_folder / "mcp.json"

    def write_config(self, servers: Mapping[str, Any], path: Path | None = None) -> Path:
        """Write `{"mcpServers": servers}` as the default config, or to `path`."""
        path = path or self.config
        path.write_text(json.dumps({"mcpServers": servers}, indent=2), encoding="utf-8")
        return path

    def run(
        self,
        *argv: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        input: str | None = None,  # noqa: A002 - as subprocess.run
        timeout: float = 90,
        check: bool = True,
    ) -> Result:
        """Run any command, in `work` unless `cwd` says otherwise; `env` is added to `self.env`."""
        words = [str(word) for word in argv]
        environment = {**self.env, **(env or {})}
        return run(words, env=environment, cwd=cwd or self.work, input=input, timeout=timeout, check=check)

    def run_llm(self, *args: str, **options: Any) -> Result:
        """The installed `llm`; options as for `run`."""
        return self.run(BIN / "llm", *args, **options)

    def run_cli(self, *args: str, **options: Any) -> Result:
        """The installed `llm-mcp`; options as for `run`."""
        return self.run(BIN / "llm-mcp", *args, **options)

    def run_here(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        input: str | None = None,  # noqa: A002 - as subprocess.run
        check: bool = True,
    ) -> Result:
        """The same in this process, for what a command prints or writes: a real one takes 0.2 s to start.

        Each has a real run in tests/cli/test_walk.py.
        """
        began = time.monotonic()
        with living_in(self), _as_command("llm-mcp", *args), CliRunner().isolation(input, env) as streams:
            os.chdir(cwd or self.work)
            with pytest.raises(SystemExit) as left:
                cli._run()
        stdout, stderr = (stream.getvalue().decode() for stream in streams[:2])
        seconds = time.monotonic() - began
        result = Result(("llm-mcp", *args), left.value.code or 0, stdout, stderr, seconds)
        assert not check or result.code == 0, str(result)
        return result

    def processes(self) -> list[psutil.Process]:
        """All that runs in this home: the daemon (by its socket) and MCP servers (by HOME)."""
        return processes_with(str(self.socket), str(self.folder))

    def close(self) -> None:
        """End the daemon, remove the socket's folder, and fail if any process of this home is left."""
        try:
            self._end_processes()
        finally:
            shutil.rmtree(self.runtime, ignore_errors=True)

    def _end_processes(self) -> None:
        """By SIGTERM, on which a daemon ends its servers: `llm-mcp stop` costs more and has its own tests."""
        found = self.processes()
        for process in filter(_is_daemon, found):
            with suppress(*GONE):
                process.terminate()
        try:
            # The second look costs more, and is for what has been started since the first.
            wait_until(lambda: not any(map(is_alive, found)) and not self.processes(), ENDING)
        except AssertionError:
            left = self.processes()
            complaint = "\n".join(describe(process) for process in left)
            _kill(left)
            raise AssertionError(f"processes outlived the test:\n{complaint}") from None


@contextmanager
def living_in(home: Home) -> Iterator[None]:
    """This process as a command of that home: its environment and current folder."""
    environ, folder = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(home.env)
    os.chdir(home.work)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)


@contextmanager
def _as_command(*argv: str) -> Iterator[None]:
    usual, sys.argv = sys.argv, list(argv)
    try:
        yield
    finally:
        sys.argv = usual


def _is_daemon(process: psutil.Process) -> bool:
    """Started by a prompt or a test, or as `llm-mcp daemon`."""
    try:
        return not {"llm_tools_mcp.daemon", "daemon"}.isdisjoint(process.cmdline())
    except GONE:
        return False


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except GONE:
            continue
    psutil.wait_procs(processes, timeout=5)
