"""The daemon lives under its user's limits, and starts nothing where there is nothing to start it with."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.programs import run

LIFT = """
import json, resource
for name, soft in (("CPU", 5), ("FSIZE", 4096), ("CORE", 0)):
    number = getattr(resource, f"RLIMIT_{name}")
    resource.setrlimit(number, (soft, resource.getrlimit(number)[1]))
from llm_tools_mcp.daemon import limits
limits.lift()
numbers = (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)
print(json.dumps([resource.getrlimit(number) for number in numbers]))
"""

FEW = """
import os, resource, sys
from llm_tools_mcp.client import threads
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
try:
    threads.check()
except Exception as error:
    print(type(error).__name__, error)
"""


def test_limits_of_a_shell_are_lifted() -> None:
    """A `ulimit -S -t` would end the daemon hours later; but no core of it is ever written."""
    cpu, size, core = json.loads(run([sys.executable, "-c", LIFT]).stdout)
    assert cpu[0] == cpu[1]
    assert size[0] == size[1]
    assert core[0] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_too_few_processes_are_named() -> None:
    """Of gRPC, which would wait for a thread for ever, nothing is begun."""
    said = run([sys.executable, "-c", FEW]).stdout
    assert said == "DaemonError no more processes and threads are allowed here (ulimit -u is 3)\n"
