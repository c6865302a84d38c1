"""The uid of a client is the kernel's word."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from llm_tools_mcp.system.peer import peer_uid
from tests.programs import run

GETPEEREID = """
import errno, os, socket
from llm_tools_mcp.system.peer import uid_from_getpeereid
one, other = socket.socketpair()
print(uid_from_getpeereid(one) == os.geteuid())
one.close()
try:
    uid_from_getpeereid(one)
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_uid_of_a_peer() -> None:
    """A socket says who made the other end of it."""
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one) == os.geteuid()


def test_uid_by_getpeereid(stub: Path) -> None:
    """The call of macOS and the BSDs is made as its manual says, and its failure is an OSError."""
    result = run([sys.executable, "-c", GETPEEREID], env={**os.environ, "LD_PRELOAD": str(stub)})
    assert result.stdout.split() == ["True", "EBADF"]
