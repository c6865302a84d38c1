"""The file of logins: 0600, replaced as a whole, changed under a lock by commands and daemons.

No reader needs the lock: it sees the old file or the new one. A file that cannot be trusted or read is
refused, and never overwritten.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from llm_tools_mcp.errors import LoginsUnusable
from llm_tools_mcp.system.access import make_private_folder, obstacle, open_unwaiting
from llm_tools_mcp.system.locking import LockHeld, exclusively

from .records import Records

_VERSION = 1
_MAX_BYTES = 16 << 20
_NOTHING = Records()


class Stamp(NamedTuple):
    """Which version of the file this is, and whether it may be read: a repair by chmod or chown counts."""

    changed: int
    inode: int
    size: int
    status_changed: int
    mode: int
    owner: int


class LoginStore:
    """`read` is cheap while the file stays as it is. May be used by threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[Stamp | None, Records] = (None, _NOTHING)

    def refresh_lock(self, login_id: str) -> Path:
        """Held by the daemon that renews this login."""
        return self.path.with_name(f".refresh-{login_id}.lock")

    def stamp(self) -> Stamp | None:
        """None where there is no file."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - asked for each prompt and call
        except OSError:
            return None
        return Stamp(
            status.st_mtime_ns,
            status.st_ino,
            status.st_size,
            status.st_ctime_ns,
            status.st_mode,
            status.st_uid,
        )

    def read(self) -> Records:
        """Raises LoginsUnusable."""
        stamp = self.stamp()
        seen, records = self._seen
        if stamp is None:
            self._refuse_shut_folder()
            return _NOTHING
        if stamp != seen:
            records = self._load()
            self._seen = (stamp, records)
        return records

    def _refuse_shut_folder(self) -> None:
        """One that lets nobody in looks as if nobody were logged in."""
        try:
            os.stat(self.path)  # noqa: PTH116 - as above
        except PermissionError as error:
            why = obstacle(error, self.path)
            raise LoginsUnusable(str(self.path), f"cannot be read: {why.text}", why.repair) from None
        except OSError:
            return

    def change(self, change: Callable[[Records], Records]) -> Records:
        """Replace what is stored by what `change` makes of it; on disk when this returns.

        Raises LoginsUnusable, also where it cannot be written, or another process holds it for too long.
        """
        try:
            make_private_folder(self.path.parent)
            with exclusively(self.path.with_name(f"{self.path.name}.lock")):
                before = self._settled()
                after = change(before)
                if after != before:
                    _replace(self._real, self._pending, self._encoded(after))
                return after
        except LockHeld as error:
            raise LoginsUnusable(str(self.path), str(error), error.repair) from None
        except OSError as error:
            repair = f"make room, or the folder writable: {shlex.quote(str(self.path.parent))}"
            raise LoginsUnusable(str(self.path), f"cannot be written: {error.strerror}", repair) from error

    def recover(self) -> None:
        """Finish what a process had begun to write when it was killed. Raises LoginsUnusable."""
        if self._pending.exists():
            self.change(lambda records: records)

    @property
    def _real(self) -> Path:
        """Where it lies: the path may be a link."""
        return Path(os.path.realpath(self.path))

    @property
    def _pending(self) -> Path:
        """Written whole before it takes the place of the old one, by whoever holds the lock."""
        return self._real.with_name(f".{self.path.name}.new")

    def _settled(self) -> Records:
        """With the lock held: what is left is of a writer that was killed, and nobody has written since."""
        before = self._load()
        if not self._pending.exists():
            return before
        try:
            LoginStore(self._pending)._load()  # noqa: SLF001 - of the same kind
        except LoginsUnusable:
            self._pending.unlink()  # half of it
            return before
        self._pending.replace(self._real)
        _sync_folder(self._real.parent)
        return self._load()

    def _encoded(self, records: Records) -> bytes:
        """Raises LoginsUnusable for more than would be read again: one login must not cost all others."""
        content = json.dumps({"version": _VERSION, **records.to_json()}, indent=1).encode()
        if len(content) > _MAX_BYTES:
            raise _unusable(self.path, f"would be larger than {_MAX_BYTES >> 20} MiB")
        return content

    def _load(self) -> Records:
        try:
            with open(self.path, "rb", opener=open_unwaiting) as file:
                _check(self.path, os.fstat(file.fileno()))
                content = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return _NOTHING
        except OSError as error:
            raise _unusable(self.path, f"cannot be read: {error.strerror}") from None
        return _decoded(self.path, content)


def _decoded(path: Path, content: bytes) -> Records:
    """Whatever is wrong with it, no message repeats a part of it: it holds tokens."""
    try:
        value = json.loads(content)
        version = value["version"]
        if version == _VERSION:
            return Records.from_json(value)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _unusable(path, "is damaged") from None
    raise _unusable(path, f"is of another version of this program ({version!r:.20})")


def _unusable(path: Path, detail: str) -> LoginsUnusable:
    word = shlex.quote(str(path))
    return LoginsUnusable(str(path), detail, f"mv {word} {word}.old, and log in again")


def _check(path: Path, status: os.stat_result) -> None:
    word = shlex.quote(str(path))
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "is not a regular file")
    if status.st_uid != os.geteuid():
        repair = f"sudo chown {os.geteuid()} {word}"
        raise LoginsUnusable(str(path), f"belongs to another user (uid {status.st_uid})", repair)
    if status.st_mode & 0o077:
        raise LoginsUnusable(str(path), "can be read by others", f"chmod 600 {word}")


def _replace(path: Path, pending: Path, content: bytes) -> None:
    """On disk before it takes the old one's place: a token that was rotated is nowhere else."""
    descriptor = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        pending.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            pending.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
