"""Files and folders that are this user's alone: made, opened, and in words what keeps the user from one.

Root in the home of another user makes nothing there: that user could not use it afterwards.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

NO_PROC = "/proc is not mounted here, by which servers are looked after; to have it: mount -t proc proc /proc"


def lacks_proc() -> bool:
    """Whether the kernel's view of processes is missing, which Linux has there."""
    return sys.platform == "linux" and not os.path.exists("/proc/self/stat")  # noqa: PTH110


class Obstacle(NamedTuple):
    """Why a path cannot be used, and what to type; `repair` is empty where there is no such command."""

    text: str
    repair: str

    def __str__(self) -> str:
        return f"{self.text}; to fix it: {self.repair}" if self.repair else self.text


def obstacle(error: OSError, path: str | os.PathLike[str] | None = None) -> Obstacle:
    """What an error of the file system means for `path`, by default the one that it names."""
    wanted = Path(os.fspath(path if path is not None else error.filename or "/"))
    if not isinstance(error, PermissionError) or isinstance(error, ForeignHome):
        return Obstacle(f"{wanted}: {error.strerror or error}", "")
    is_link = os.path.islink(wanted)  # noqa: PTH114 - pathlib's raises where a folder is shut
    culprit = _culprit(Path(os.path.realpath(wanted)) if is_link else wanted)
    status = _status(culprit)
    it = f"{error.strerror}: {str(wanted)!r}: {'it' if culprit == wanted else culprit}"
    if status is None or status.st_uid == os.geteuid():
        mode = "" if status is None else f" (its mode is {stat.S_IMODE(status.st_mode):o})"
        return Obstacle(f"{it} does not let you in{mode}", _command("chmod", "u+rwX", culprit))
    text = f"{it} belongs to another user (uid {status.st_uid})"
    if _home() in culprit.parents:
        return Obstacle(text, f"sudo {_command('chown', '-R', str(os.geteuid()), culprit)}")
    return Obstacle(f"{text}; set HOME, LLM_TOOLS_MCP_CONFIG_DIR or LLM_MCP_SOCKET to a place of yours", "")


class ForeignHome(PermissionError):
    """Root would make something that belongs to root where another user is at home."""

    def __init__(self, path: Path, uid: int) -> None:
        super().__init__(
            errno.EPERM,
            f"root makes nothing in what belongs to another user (uid {uid}), who could not use it; "
            "run it as that user, or with a home of root's own: sudo -H",
            str(path),
        )


def make_private_folder(path: Path) -> Path:
    """Make the folder and those above it that are missing, 0700; existing ones keep their mode.

    Raises OSError, and ForeignHome.
    """
    _refuse_foreign_home(path)
    for folder in (*reversed(path.parents), path):  # mkdir's own `parents` would leave them to the umask
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path


def can_make_folder(path: Path) -> bool:
    """Whether `make_private_folder` would work, and files could be made in it."""
    nearest = _nearest(path)
    return nearest.is_dir() and _may(nearest, os.W_OK | os.X_OK) and not _is_foreign_to_root(nearest)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file, made 0600 where there is none, that no child inherits.

    Where others can write to the folder they may have planted it: no link is followed, and neither another
    user's file is taken nor one that has a second name. Raises OSError.
    """
    _refuse_foreign_home(path.parent)
    is_shared = _is_shared(path.parent)
    guards = os.O_NOFOLLOW | os.O_NONBLOCK if is_shared else 0  # a pipe would be waited for
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | guards, 0o600)
    status = os.fstat(descriptor)
    if is_shared and (
        status.st_uid != os.geteuid() or status.st_nlink != 1 or not stat.S_ISREG(status.st_mode)
    ):
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "another user may have put it there; remove it", str(path))
    return descriptor


def open_unwaiting(path: str, flags: int) -> int:
    """An opener: nobody is waited for to write to a pipe, which may be never."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def is_own_folder(path: Path) -> bool:
    """Whether it is a folder, no link, of this user."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _is_shared(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid not in (os.geteuid(), 0) or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _refuse_foreign_home(path: Path) -> None:
    nearest = _nearest(path)
    if _is_foreign_to_root(nearest):
        raise ForeignHome(path, nearest.stat().st_uid)


def _is_foreign_to_root(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    status = _status(folder)
    if status is None or status.st_uid == 0:
        return False
    home = _status(_home())  # what lies in root's own home is root's to use
    return not (_home() in folder.parents and home is not None and home.st_uid == 0)


def _nearest(path: Path) -> Path:
    """The path, or of the folders above it the first that exists."""
    return next((one for one in (path, *path.parents) if os.path.lexists(one)), path)


def _culprit(path: Path) -> Path:
    """The topmost folder on the way that may not be entered; else what lies at its end."""
    shut = (one for one in reversed(path.parents) if not _may(one, os.X_OK))
    return next(shut, _nearest(path))


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - leaves an unknown ~ alone, pathlib raises


def _command(*words: str | Path) -> str:
    from shlex import join  # seldom needed

    return join(map(str, words))
