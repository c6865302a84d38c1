"""What keeps a user from a file, in words; and files that nobody else can have planted."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_tools_mcp import paths
from llm_tools_mcp.consent.store import ConsentStore, ConsentUnusable
from llm_tools_mcp.errors import LoginsUnusable, SocketRefused
from llm_tools_mcp.login.store import LoginStore
from llm_tools_mcp.system import access
from tests.home import BIN, Home
from tests.servers import entry, naming_server

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that everybody can write to, as /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def link_to(victim: Path, path: Path) -> None:
    path.symlink_to(victim)


def second_name_of(victim: Path, path: Path) -> None:
    path.hardlink_to(victim)


def pipe(_victim: Path, path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("plant", [link_to, second_name_of, pipe])
def test_planted_file_is_not_opened(shared: Path, plant: Callable[[Path, Path], None]) -> None:
    """A link to a file of the victim's, a second name of it, a pipe that nobody reads: none is written to."""
    victim = shared.parent / "victim"
    victim.write_text("precious")
    plant(victim, shared / "daemon.log")
    with pytest.raises(OSError, match=r"daemon\.log"):
        os.close(access.open_private(shared / "daemon.log", os.O_WRONLY | os.O_APPEND))
    assert victim.read_text() == "precious"


@needs_root
def test_file_of_another_user_is_not_opened(shared: Path) -> None:
    """It could be read by whoever put it there."""
    (shared / "x.lock").touch()
    os.chown(shared / "x.lock", NOBODY, -1)
    with pytest.raises(PermissionError, match="another user may have put it there"):
        access.open_private(shared / "x.lock", os.O_RDWR)


def test_link_in_a_private_folder_is_the_users_own(tmp_path: Path) -> None:
    """Who keeps the logs elsewhere goes on doing so."""
    tmp_path.chmod(0o700)
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    os.close(access.open_private(tmp_path / "log", os.O_WRONLY))
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o600


def test_planted_log_beside_the_socket_is_not_written_to(home: Home) -> None:
    """Where the config folder takes no log, the one beside the socket is no link of somebody else's."""
    home.write_config({"names": entry(naming_server("fine"))})
    (home.config_folder / "logs").write_text("in the way")
    home.runtime.chmod(0o1777)
    victim = home.folder / "victim"
    victim.write_text("precious\n")
    (home.runtime / "daemon.log").symlink_to(victim)
    done = home.run_cli("tools", check=False)
    assert victim.read_text() == "precious\n"
    assert done.code == 1
    assert str(home.runtime / "daemon.log") in done.stderr
    assert "Traceback" not in done.stderr


# --- folders of somebody else -----------------------------------------------------------------------


@needs_root
def test_root_makes_nothing_in_the_home_of_another(home: Home) -> None:
    """After `sudo -E` that user would be locked out of what root had made: it says what to do instead."""
    home.config_folder.rmdir()
    os.chown(home.folder, NOBODY, -1)
    env = {"LLM_TOOLS_MCP_CONFIG_DIR": "", "LLM_MCP_SOCKET": "", "XDG_RUNTIME_DIR": ""}
    before = sorted(home.folder.rglob("*"))
    for words in (["add", "x", "--", "true"], ["status"], ["tools"]):
        done = home.run_cli(*words, env=env, check=False)
        assert "Traceback" not in done.stderr + done.stdout, done
        assert words != ["add", "x", "--", "true"] or "sudo -H" in done.stderr
    assert sorted(home.folder.rglob("*")) == before
    os.chown(home.folder, 0, -1)


@needs_root
@pytest.mark.parametrize("words", [["add", "x", "--", "true"], ["list"], ["stop"]])
def test_locked_folder_is_one_clear_line(home: Home, words: list[str]) -> None:
    """Each command says whose the folder is, and what gives it back; none ends in a traceback."""
    os.chown(home.config_folder, NOBODY, -1)
    home.config_folder.chmod(0o700)
    home.runtime.chmod(0o755)
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", str(BIN / "llm-mcp")]
    done = home.run(*bare, *words, check=False)
    os.chown(home.config_folder, 0, -1)
    assert "Traceback" not in done.stdout + done.stderr, done
    if words != ["stop"]:
        assert f"chown -R 0 {home.config_folder}" in done.stdout + done.stderr, done


def test_error_names_what_is_shut_and_the_command(tmp_path: Path) -> None:
    """The topmost folder on the way that cannot be entered, in words a shell takes."""
    shut = tmp_path / "it is"
    (shut / "mcp").mkdir(parents=True)
    shut.chmod(0)
    with unprivileged(shut):
        said = str(access.obstacle(PermissionError(13, "no"), shut / "mcp" / "f"))
    shut.chmod(0o700)
    assert f"'{shut}/mcp/f': {shut} does not let you in (its mode is 0); to fix it: " in said
    assert shlex.split(said)[-3:] == ["chmod", "u+rwX", str(shut)]


def test_shut_folder_behind_a_link_is_named(tmp_path: Path) -> None:
    """An environment's `python` is a link: what it leads through is what keeps the user out."""
    shut = tmp_path / "shut"
    (shut / "bin").mkdir(parents=True)
    (tmp_path / "python").symlink_to(shut / "bin" / "python3")
    shut.chmod(0)
    with unprivileged(shut):
        said = str(access.obstacle(PermissionError(13, "no"), tmp_path / "python"))
    shut.chmod(0o700)
    assert f"python': {shut} does not let you in" in said


def test_stores_in_a_shut_folder_are_not_taken_for_empty(tmp_path: Path) -> None:
    """Else nobody would be logged in, and nothing agreed to: the folder is named, and what opens it."""
    shut = tmp_path / "data"
    shut.mkdir()
    shut.chmod(0)
    logins, consent = LoginStore(shut / "logins.json"), ConsentStore(shut / "approvals.json", bool)
    with unprivileged(shut):
        with pytest.raises(LoginsUnusable, match="chmod u") as not_logged_in:
            logins.read()
        with pytest.raises(ConsentUnusable, match="chmod u"):
            consent.read()
    shut.chmod(0o700)
    assert "does not let you in" in str(not_logged_in.value)


@contextmanager
def unprivileged(own: Path) -> Iterator[None]:
    """Root may do everything: become nobody for a moment, to whom `own` belongs."""
    if os.geteuid() == 0:
        for folder in list(own.parents)[:-2]:
            folder.chmod(folder.stat().st_mode | 0o055)
        os.chown(own, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


# --- where the socket is ----------------------------------------------------------------------------


def test_home_too_long_for_a_socket_is_no_obstacle(home: Home) -> None:
    """A short private folder is found instead, the same for each caller, another one for another home."""
    home.write_config({"names": entry(naming_server("fine"))})
    long = home.folder / ("x" * 100)
    long.mkdir()
    env = {"LLM_MCP_SOCKET": "", "XDG_RUNTIME_DIR": str(long)}
    assert home.run_cli("call", "names", "fine", env=env).stdout == "fine\n"
    socket = Path(home.run_cli("status", "--json", env=env).stdout.split('"socket": "')[1].split('"')[0])
    try:
        assert socket.is_socket()
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(socket)) < 60
    finally:
        home.run_cli("stop", env=env)
        for left in socket.parent.iterdir():
            left.unlink()
        socket.parent.rmdir()


@needs_root
def test_short_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever made it first could put a socket there."""
    monkeypatch.setattr(paths, "_SHORT", f"{tmp_path}/llm-mcp-{{}}")
    own = tmp_path / f"llm-mcp-{os.geteuid()}"
    own.mkdir()
    os.chown(own, NOBODY, -1)
    with pytest.raises(SocketRefused, match="no folder of yours"):
        paths._short_folder(Path("/x"))
