"""Sockets that a service manager hands over: systemd by LISTEN_FDS, launchd by its call."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from llm_tools_mcp import paths
from tests.programs import run
from tests.waiting import wait_until

INHERITOR = str(Path(__file__).with_name("inheritor.py"))

# Takes one client, and tells it where the socket came from.
ACTIVATED = """
import os, pathlib, select
from llm_tools_mcp.daemon.listeners import listen
inherited = listen(pathlib.Path("/nowhere/s.sock"), os.environ)
select.select(inherited.sockets, [], [], 10)
inherited.sockets[0].accept()[0].sendall(f"{inherited.origin.value} {inherited.path}".encode())
"""


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "s.sock"


def inherit(
    path: Path, *sockets: str, env: dict[str, str] | None = None, **environ: str
) -> dict[str, object]:
    """What a process sees to which `sockets` are handed; see inheritor.py."""
    task = json.dumps({"path": str(path), "sockets": sockets, "environ": environ})
    result = run([sys.executable, INHERITOR, task], env={**os.environ, **(env or {})})
    seen: dict[str, object] = json.loads(result.stdout)
    return seen


def test_systemd_sockets_are_adopted(folder: Path, path: Path) -> None:
    """All descriptors of LISTEN_FDS are taken, non-blocking and private; the socket outlives us on disk."""
    first, second = folder / "a.sock", folder / "b.sock"
    seen = inherit(path, f"unix:{first}", f"unix:{second}")
    assert seen.pop("environ") == {"KEPT": "1"}
    assert seen == {
        "origin": "systemd",
        "path": str(first),
        "fds": [3, 4],
        "blocking": [False, False],
        "inheritable": [False, False],
        "current": True,
        "open after release": [True, True],
        "on disk after close": True,
    }
    assert not paths.lock_path(first).exists()


@pytest.mark.parametrize("pid", ["1", "", "x"])
def test_descriptors_for_another_process_are_not_taken(folder: Path, path: Path, pid: str) -> None:
    """LISTEN_PID of somebody else (`uv run` forks): the path is bound here, the variables go all the same."""
    seen = inherit(path, f"unix:{folder / 'a.sock'}", LISTEN_PID=pid)
    assert (seen["origin"], seen["path"], seen["environ"]) == ("bound", str(path), {"KEPT": "1"})


@pytest.mark.parametrize("sockets", ["file:", "inet:", "datagram:{}/d.sock", "unconnected:{}/u.sock"])
def test_unusable_descriptor_is_a_clear_error(folder: Path, path: Path, sockets: str) -> None:
    """A unit that hands over something else is told so, by descriptor."""
    seen = inherit(path, f"unix:{folder / 'a.sock'}", sockets.format(folder))
    assert "descriptor 4 from systemd" in str(seen["error"])
    assert seen["environ"] == {"KEPT": "1"}


def test_malformed_count_is_a_clear_error(path: Path) -> None:
    """LISTEN_FDS that is no number is not guessed at."""
    assert "LISTEN_FDS is no number" in str(inherit(path, LISTEN_FDS="many")["error"])


def test_no_descriptors_means_bind(path: Path) -> None:
    """LISTEN_FDS=0 is the same as none."""
    assert inherit(path)["origin"] == "bound"


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs systemd-socket-activate")
def test_systemd_hands_over_a_real_socket(path: Path) -> None:
    """Started by systemd's own tool at the first connection, the daemon gets that connection."""
    argv = ["systemd-socket-activate", "-l", str(path), "-E", "PYTHONPATH", sys.executable, "-c", ACTIVATED]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as child, socket.socket(socket.AF_UNIX) as client:
        try:
            wait_until(lambda: path.exists() and client.connect_ex(str(path)) == 0)
            client.settimeout(20)
            assert client.recv(200).decode() == f"systemd {path}"
        finally:
            child.kill()


def test_launchd_socket_is_adopted(stub: Path, folder: Path, path: Path) -> None:
    """Where launch_activate_socket answers, its socket named Listener is the one; it stays on disk."""
    there = folder / "launchd.sock"
    env = {"LD_PRELOAD": str(stub), "STUB_SOCKET": str(there)}
    seen = inherit(path, env=env)
    assert (seen["origin"], seen["path"], seen["current"]) == ("launchd", str(there), True)
    assert (seen["blocking"], seen["inheritable"]) == ([False], [False])
    assert seen["on disk after close"] is True


def test_bound_here_when_launchd_did_not_start_us(stub: Path, path: Path) -> None:
    """ESRCH: a daemon started from a terminal on macOS."""
    seen = inherit(path, env={"LD_PRELOAD": str(stub), "STUB_ERRNO": str(errno.ESRCH)})
    assert (seen["origin"], seen["path"]) == ("bound", str(path))


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EALREADY, 0])
def test_launchd_that_hands_over_nothing_is_a_clear_error(stub: Path, path: Path, code: int) -> None:
    """An agent without that socket must not bind behind launchd's back."""
    env = {"LD_PRELOAD": str(stub)} | ({"STUB_ERRNO": str(code)} if code else {})
    seen = inherit(path, env=env)
    reason = os.strerror(code) if code else "it has none"
    assert f"launchd did not hand over 'Listener': {reason}" in str(seen["error"])
    assert not path.exists()
