"""For the tests of the daemon's sockets: a folder with a short name, and launchd's call on Linux."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import run


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a short name: a unix socket's path fits 103 bytes on macOS."""
    made = Path(tempfile.mkdtemp(prefix="llm-mcp-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with launch_activate_socket and getpeereid, to be preloaded on Linux; see stub.c."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler or sys.platform != "linux":
        pytest.skip("needs a C compiler on Linux, for a stand-in of launchd's call")
    library = tmp_path_factory.mktemp("stub") / "stub.so"
    run([compiler, "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("stub.c"))])
    return library
