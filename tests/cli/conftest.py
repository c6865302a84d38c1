"""`served`: one home for the tests of a module that change nothing in it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.home import BIN, Home
from tests.servers import entry, everything_server, naming_server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """With the servers `every`, `names` and `demo`, all listed already, and some files for the last one."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    home.write_config(
        {
            "every": entry(everything_server()),
            "names": entry(naming_server("alpha", "beta")),
            "demo": {"command": str(BIN / "python"), "args": ["-m", "llm_tools_mcp.cli.help.demo_server"]},
        }
    )
    (home.work / "folder").mkdir()
    (home.work / "folder" / "note.txt").write_text("a note")
    (home.work / ".hidden").write_text("s3cr3t")
    (home.work / "way-out").symlink_to("/etc")
    os.mkfifo(home.work / "pipe")
    home.run_cli("tools")
    yield home
    home.close()
