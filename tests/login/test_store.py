"""The file of logins, when who writes it is killed."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llm_tools_mcp.errors import LoginsUnusable
from llm_tools_mcp.login.records import Login, Records
from llm_tools_mcp.login.store import LoginStore

OLD = Login("a", "https://a/", "https://b", "https://a/", "c", "none", "https://b/t", refresh_token="first")
# Replaces the token, and is killed at the given step of it.
WRITER = """
import dataclasses, os, pathlib, signal, stat, sys
from llm_tools_mcp.login.store import LoginStore

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def torn(descriptor):
    os.ftruncate(descriptor, 100)
    killed()

step = sys.argv[2]
if step == "half written":
    os.fsync = torn
if step == "written":
    pathlib.Path.replace = killed
if step == "replaced":
    real = os.fsync
    os.fsync = lambda fd: killed() if stat.S_ISDIR(os.fstat(fd).st_mode) else real(fd)

def renewed(records):
    login = dataclasses.replace(records.logins[0], refresh_token="second")
    return records.with_changed_login(login)

LoginStore(pathlib.Path(sys.argv[1])).change(renewed)
"""


@pytest.mark.parametrize(
    ("step", "kept"), [("half written", "first"), ("written", "second"), ("replaced", "second")]
)
def test_killed_while_it_writes(tmp_path: Path, step: str, kept: str) -> None:
    """A token that was written whole is found by the next process, half of one dropped; nothing is left."""
    store = LoginStore(tmp_path / "logins.json")
    store.change(lambda _: Records((OLD,)))
    killed = subprocess.run([sys.executable, "-c", WRITER, str(store.path), step], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert store.read().logins[0].refresh_token in ("first", kept)
    store.recover()
    (login,) = store.read().logins
    assert (login.refresh_token, login.id) == (kept, OLD.id)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logins.json", "logins.json.lock"]
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_what_was_left_never_hides_damage(tmp_path: Path) -> None:
    """A damaged store stays as it is, whatever a killed process had written beside it."""
    store = LoginStore(tmp_path / "logins.json")
    store.change(lambda _: Records((dataclasses.replace(OLD, refresh_token="whole"),)))
    store._pending.write_bytes(store.path.read_bytes())
    store._pending.chmod(0o600)
    store.path.write_text("{")
    with pytest.raises(LoginsUnusable, match="is damaged"):
        store.recover()
    assert store.path.read_text() == "{"
