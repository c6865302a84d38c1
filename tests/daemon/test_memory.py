"""What a huge result leaves behind in the daemon: nothing."""

from __future__ import annotations

import json
import platform

import psutil
import pytest

from tests.home import Home
from tests.servers import entry, faulty_server
from tests.waiting import wait_until

MEGABYTE = 1_000_000
SIZE = 80 * MEGABYTE

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's memory is looked at")


@needs_glibc
def test_memory_of_a_huge_result_is_given_back(home: Home) -> None:
    """After 80 MB have passed the daemon is about as small as before, though its server says nothing more."""
    home.write_config({"huge": entry(faulty_server("huge-line", str(SIZE)))})
    home.run_cli("tools")
    daemon = psutil.Process(json.loads(home.run_cli("status", "--json").stdout)["pid"])
    before = daemon.memory_info().rss
    assert len(home.run_cli("call", "huge", "echo", "text=x").stdout) == SIZE + 1
    wait_until(lambda: daemon.memory_info().rss - before < SIZE / 2, what="the memory is given back")
