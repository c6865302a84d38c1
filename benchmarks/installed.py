"""Peers, installed once into .cache of the tree at pinned versions, each in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.external import CACHE, Unavailable

UPSTREAM = ("llm-tools-mcp==0.4", "mcp<2", "llm==0.36", "llm-echo==0.5")
# mcporter needs Node 22 or later: the npm package `node` brings one.
MCPORTER = ("mcporter@0.12.3", "node@26.10.0")


def upstream() -> Path:
    """The `llm` of an environment with VirtusLab llm-tools-mcp. Raises Unavailable."""
    return _once("bench-upstream", UPSTREAM, _install_upstream) / "bin" / "llm"


def mcporter() -> list[str]:
    """The command line of mcporter. Raises Unavailable."""
    modules = _once("bench-mcporter", MCPORTER, _install_mcporter) / "node_modules"
    return [str(modules / ".bin" / "node"), str(modules / "mcporter" / "dist" / "cli.js")]


def _once(name: str, wanted: Sequence[str], install: Callable[[Path], None]) -> Path:
    folder = CACHE / name
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != "\n".join(wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"installing .cache/{name}: {', '.join(wanted)}", flush=True)
        try:
            install(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(f"{name} could not be installed: {error}") from error
        stamp.write_text("\n".join(wanted))
    return folder


def _install_upstream(folder: Path) -> None:
    _run(sys.executable, "-m", "venv", str(folder))
    _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--prefer-binary", *UPSTREAM)


def _install_mcporter(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("there is no npm on the PATH")
    _run(npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", *MCPORTER)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
