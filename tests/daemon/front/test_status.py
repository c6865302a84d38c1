"""What Status tells of processes."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from llm_tools_mcp.daemon.front.status import memory_of

PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(flush=True); input()'])"


def test_memory_is_read_in_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each process with those below it; nothing of one that is gone."""
    walks: list[list[int]] = []
    pids = psutil.pids
    monkeypatch.setattr(psutil, "pids", lambda: walks.append(pids()) or walks[-1])
    argv = [sys.executable, "-c", PARENT]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        alone = psutil.Process(parent.pid).memory_info().rss
        memory = memory_of([parent.pid, os.getpid(), 0])
        parent.communicate(b"\n")
    assert len(walks) == 1
    assert memory[parent.pid] > 1.5 * alone
    assert memory[os.getpid()] > memory[parent.pid]
    assert set(memory) == {parent.pid, os.getpid()}
    assert memory_of([parent.pid]) == {parent.pid: 0}
