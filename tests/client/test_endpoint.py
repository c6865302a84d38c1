"""A client holds on to the socket that it looked at: nobody else's takes its place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_tools_mcp import MCP
from llm_tools_mcp.client import activation
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.client.endpoint import Endpoint
from llm_tools_mcp.errors import DaemonUnreachable, SocketRefused
from tests.home import Home, living_in
from tests.programs import end
from tests.prompting import result_of
from tests.servers import entry, naming_server
from tests.waiting import wait_until

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user for a moment")

# Binds, tells what it hears, and never answers. With "listen" the file is the user's own.
STRANGER = f"""
import os, socket, sys
path, how = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
if how == "listen":
    listener.bind(path)
os.setuid({NOBODY})
if how == "bind":
    listener.bind(path)
listener.listen()
print("listens", flush=True)
heard = b""
while True:
    connection, _ = listener.accept()
    connection.settimeout(5)
    heard += connection.recv(1 << 16)
    print("heard", len(heard), flush=True)
"""


@contextmanager
def stranger(path: Path, how: str = "bind") -> Iterator[subprocess.Popen[str]]:
    """Another user's process that listens on `path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", STRANGER, str(path), how], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "listens\n"
        yield process
    finally:
        end(process)
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def open_folder(home: Home) -> Home:
    """Everybody can bind beside the socket, as in /tmp."""
    home.runtime.chmod(0o1777)
    return home


@needs_root
def test_stranger_on_the_path_is_told_nothing(open_folder: Home) -> None:
    """The daemon stops, another user binds its path: the next turn of a long-lived client is refused."""
    open_folder.write_config({"names": entry(naming_server("fine"))})
    with living_in(open_folder):
        found = MCP()
        assert result_of(found, "fine").output == "fine"
        open_folder.run_cli("stop")
        with stranger(open_folder.socket) as listening:
            for ask in (found.tools, lambda: result_of(found, "fine"), MCP().tools):
                with pytest.raises(SocketRefused, match=f"uid {NOBODY}"):
                    ask()
            end(listening)
            assert listening.stdout
            assert listening.stdout.read().replace("heard 0\n", "") == ""


@needs_root
def test_channel_dials_no_other_socket(open_folder: Home) -> None:
    """A channel connects again by itself, between two looks: never to what took the socket's place."""
    open_folder.write_config({})
    with living_in(open_folder), DaemonClient(activation.ensure_daemon()) as client:
        assert client.health().pid
        open_folder.run_cli("stop")
        with stranger(open_folder.socket) as listening:
            with pytest.raises(DaemonUnreachable):
                client.health(2)
            assert not client.leads_to(open_folder.socket)
            end(listening)
            assert listening.stdout
            assert listening.stdout.read() == ""


@needs_root
def test_who_listens_counts_not_whose_file_it_is(open_folder: Home) -> None:
    """The kernel is asked for the process at the other end: a file of ours may be listened on by others."""
    with (
        stranger(open_folder.socket, "listen"),
        living_in(open_folder),
        pytest.raises(SocketRefused, match=f"another user listens on it .uid {NOBODY}"),
    ):
        activation.ensure_daemon()


def test_daemon_that_was_replaced_is_found(home: Home) -> None:
    """A client that lives for long goes over to the socket of the next daemon."""
    home.write_config({"names": entry(naming_server("fine"))})
    with living_in(home):
        found = MCP()
        for _ in range(3):
            assert result_of(found, "fine").output == "fine"
            home.run_cli("stop")
            wait_until(lambda: not home.socket.exists())


def test_without_proc_the_folder_must_be_private(open_folder: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a socket cannot be held, nobody else may be able to bind in its place."""
    monkeypatch.setattr("llm_tools_mcp.client.endpoint._O_PATH", 0)
    open_folder.write_config({})
    with living_in(open_folder):
        socket = activation.ensure_daemon()
        with pytest.raises(SocketRefused, match="others can write to the folder"):
            Endpoint(socket)
        open_folder.runtime.chmod(0o700)
        with DaemonClient(socket) as client:
            assert client.health().pid
