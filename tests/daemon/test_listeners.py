"""Sockets that the daemon binds itself: one daemon per path, and none takes or removes another one's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llm_tools_mcp import paths
from llm_tools_mcp.daemon.listeners import Listeners, Origin, listen
from llm_tools_mcp.errors import DaemonAlreadyRunning, SocketRefused

# A daemon that stops short of serving: says that it listens, then waits to be ended.
HOLDER = """
import os, pathlib, sys
from llm_tools_mcp.daemon.listeners import listen
from llm_tools_mcp.errors import DaemonAlreadyRunning
try:
    held = listen(pathlib.Path(sys.argv[1]), os.environ)
except DaemonAlreadyRunning as error:
    print("refused", error.pid, flush=True)
else:
    print("listening", os.getpid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "s.sock"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], Listeners]]:
    """Binds at `path`, and closes at the end what it has bound."""
    all_opened: list[Listeners] = []

    def open_one() -> Listeners:
        all_opened.append(listen(path, {}))
        return all_opened[-1]

    yield open_one
    for listeners in all_opened:
        listeners.close()


@pytest.fixture
def holder(path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts processes that try to hold `path`, and kills them."""
    children: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", HOLDER, str(path)]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def says(child: subprocess.Popen[str]) -> tuple[str, int]:
    """What a holder has to say: listening or refused, and the pid."""
    assert child.stdout
    word, pid = child.stdout.readline().split()
    return word, int(pid)


def connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


def accepts(path: Path) -> bool:
    try:
        connect(path).close()
    except OSError:
        return False
    return True


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_bound_socket_is_private(path: Path, opened: Callable[[], Listeners]) -> None:
    """A socket bound here is 0600 whatever the umask, which stays as it was."""
    before = os.umask(0)
    try:
        listeners = opened()
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert (mode(path), mode(paths.lock_path(path))) == (0o600, 0o600)
    assert listeners.origin is Origin.BOUND
    assert listeners.is_current()


def test_bound_socket_is_ready(path: Path, opened: Callable[[], Listeners]) -> None:
    """It accepts, does not block, and is not passed on to children."""
    (sock,) = opened().sockets
    assert accepts(path)
    assert not sock.getblocking()
    assert not sock.get_inheritable()


def test_folder_is_made_private(folder: Path) -> None:
    """A missing folder is made, for its user alone."""
    listeners = listen(folder / "run" / "s.sock", {})
    assert mode(folder / "run") == 0o700
    listeners.close()


def test_relative_path_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that was given relative to a folder stays right when the daemon leaves that folder."""
    monkeypatch.chdir(folder)
    listeners = listen(Path("s.sock"), {})
    monkeypatch.chdir("/")
    assert listeners.is_current()
    listeners.close()
    assert not (folder / "s.sock").exists()


def test_killed_daemon_leaves_a_socket_that_is_recovered_from(
    path: Path, holder: Callable[[], subprocess.Popen[str]], opened: Callable[[], Listeners]
) -> None:
    """SIGKILL leaves the socket on disk; the next daemon binds the path all the same (row 1)."""
    child = holder()
    assert says(child)[0] == "listening"
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    assert path.is_socket()
    assert not accepts(path)
    opened()
    assert accepts(path)


def test_second_daemon_is_refused_and_told_the_pid(
    path: Path, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    """A path that a live daemon holds is not bound again: already running, pid N (row 5)."""
    first = holder()
    assert says(first) == ("listening", first.pid)
    before = path.stat().st_ino
    with pytest.raises(DaemonAlreadyRunning, match=f"already running, pid {first.pid} ") as caught:
        listen(path, {})
    assert caught.value.pid == first.pid
    assert path.stat().st_ino == before
    assert accepts(path)


def test_one_of_twenty_racing_daemons_gets_the_path(
    path: Path, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    """Twenty start at once over a stale socket: one listens, the others name it (row 4)."""
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    answers = [says(child) for child in [holder() for _ in range(20)]]
    (winner,) = [pid for word, pid in answers if word == "listening"]
    assert {pid for word, pid in answers if word == "refused"} <= {winner, 0}
    assert accepts(path)


@pytest.mark.parametrize("queued", [0, 8])
def test_foreign_listener_is_left_alone(path: Path, queued: int) -> None:
    """A socket that accepts is somebody's, also without our lock and when its queue is full."""
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen(1)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(queued)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(DaemonAlreadyRunning) as caught:
            listen(path, {})
        assert caught.value.pid == 0
        assert path.is_socket()
        for client in clients:
            client.close()


def test_refused_daemon_keeps_no_lock(path: Path, opened: Callable[[], Listeners]) -> None:
    """Who was refused because somebody else listens does not stand in the way afterwards."""
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        with pytest.raises(DaemonAlreadyRunning):
            listen(path, {})
    opened()


def test_file_in_the_way_is_not_removed(path: Path) -> None:
    """Something at the path that is no socket is refused and stays."""
    path.write_text("precious")
    with pytest.raises(SocketRefused, match="no socket"):
        listen(path, {})
    assert path.read_text() == "precious"


def test_symbolic_link_in_the_way_is_not_followed(folder: Path, path: Path) -> None:
    """Nor is a link followed to wherever it leads."""
    path.symlink_to(folder / "elsewhere")
    with pytest.raises(SocketRefused, match="no socket"):
        listen(path, {})
    assert path.is_symlink()
    assert not (folder / "elsewhere").exists()


def test_live_datagram_socket_is_not_removed(path: Path) -> None:
    """A socket of another kind that lives is somebody's too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(SocketRefused):
            listen(path, {})
        assert path.is_socket()


def test_folder_that_everyone_can_write_to_is_refused(folder: Path) -> None:
    """Others could put their own socket in there; the error holds the command that mends it."""
    open_folder = folder / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    with pytest.raises(SocketRefused, match="chmod o-w"):
        listen(open_folder / "s.sock", {})
    open_folder.chmod(0o1777)
    listen(open_folder / "s.sock", {}).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folder_of_another_user_is_refused(folder: Path) -> None:
    """Its owner could replace the socket at any time."""
    theirs = folder / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    with pytest.raises(SocketRefused, match="another user"):
        listen(theirs / "s.sock", {})


def test_path_that_does_not_fit_is_refused(folder: Path) -> None:
    """A path over the platform's limit is a clear error, not a truncated name."""
    with pytest.raises(SocketRefused, match="LLM_MCP_SOCKET"):
        listen(folder / ("x" * 120), {})


def test_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    """What the system says comes out as our error, with the path."""
    (folder / "file").write_text("")
    with pytest.raises(SocketRefused, match="exists"):
        listen(folder / "file" / "s.sock", {})


def test_release_removes_the_socket_and_keeps_the_lock_file(
    path: Path, opened: Callable[[], Listeners]
) -> None:
    """The path is free afterwards; the lock file stays, the same one and empty, for ever (row 7)."""
    listeners = opened()
    lock = paths.lock_path(path)
    before = lock.stat().st_ino
    listeners.release()
    listeners.release()
    assert not path.exists()
    assert not listeners.is_current()
    listeners.close()
    listeners.close()
    assert (lock.stat().st_ino, lock.read_text()) == (before, "")


def test_successor_binds_while_the_old_daemon_drains(path: Path, opened: Callable[[], Listeners]) -> None:
    """After release() another daemon has the path, and nothing that the old one does removes it (row 6)."""
    old = opened()
    old.release()
    new = opened()
    old.release()
    old.close()
    assert accepts(path)
    assert new.is_current()
    assert paths.lock_path(path).read_text() == f"{os.getpid()}\n"


def test_socket_of_somebody_else_is_not_removed(path: Path, opened: Callable[[], Listeners]) -> None:
    """A service manager that bound over our path keeps its socket when we go (row 6)."""
    listeners = opened()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        listeners.release()
        listeners.close()
        assert accepts(path)


def test_queued_client_can_be_accepted_after_release(path: Path, opened: Callable[[], Listeners]) -> None:
    """Who had connected before the path went away is still served."""
    listeners = opened()
    client = connect(path)
    listeners.release()
    served, _ = listeners.sockets[0].accept()
    client.sendall(b"hello")
    assert served.recv(5) == b"hello"
    client.close()
    served.close()


def test_current_until_path_is_gone_or_replaced(path: Path, opened: Callable[[], Listeners]) -> None:
    """is_current() notices when nobody can reach us any more."""
    listeners = opened()
    aside = path.with_name("aside")
    path.rename(aside)
    assert not listeners.is_current()
    path.write_text("")
    assert not listeners.is_current()
    aside.replace(path)
    assert listeners.is_current()


def test_release_survives_a_folder_that_is_gone(folder: Path) -> None:
    """Logout may have removed the whole folder."""
    listeners = listen(folder / "run" / "s.sock", {})
    shutil.rmtree(folder / "run")
    assert not listeners.is_current()
    listeners.close()
