"""What a huge result leaves behind in the daemon: nothing."""

from __future__ import annotations

import gc
import json
import platform
import weakref

import psutil
import pytest

from llm_tools_mcp.daemon import memory
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


class _Circle:
    def __init__(self) -> None:
        self.itself = self


def test_old_garbage_is_looked_for_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in each quiet moment, since it takes its time where much is known."""
    circle = weakref.ref(_Circle())
    gc.disable()
    try:
        monkeypatch.setattr(memory, "ROUNDS_UNTIL_ALL", gc.get_count()[2] + 1)
        memory.collect_if_due()
        assert circle() is not None
        monkeypatch.setattr(memory, "ROUNDS_UNTIL_ALL", gc.get_count()[2])
        memory.collect_if_due()
    finally:
        gc.enable()
    assert circle() is None
