"""The daemon's socket as a client holds it: whose it is, and an address that leads to no other one.

gRPC dials by itself, as often as it likes, whatever lies at the path by then: where others can write to the
folder, a socket of theirs once our daemon has gone. So it dials the very socket that was looked at.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from llm_tools_mcp import paths
from llm_tools_mcp.errors import SocketRefused
from llm_tools_mcp.system.peer import trusted_uids

# Nobody can listen below a file.
_NOWHERE = Path(os.devnull, "nobody")
_O_PATH = getattr(os, "O_PATH", 0)


class Endpoint:
    """The socket that lies at `path` now, for as long as it is open. Raises SocketRefused.

    Where there is none, connecting fails; one that takes its place is another one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        status = _status(path)
        if status is None:
            self._inode, self.dialled = None, _NOWHERE
            return
        _check(path, status)
        self._inode, self.dialled = _inode(status), self._pinned()

    def __del__(self) -> None:
        self.close()

    @property
    def address(self) -> str:
        """As gRPC takes it."""
        return paths.grpc_address(self.dialled)

    def is_current(self) -> bool:
        """Whether the path still leads to this socket."""
        status = _status(self._path)
        return status is not None and _inode(status) == self._inode

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _pinned(self) -> Path:
        """A path to this inode, whatever becomes of its name. Only Linux has one, where /proc is mounted."""
        if _O_PATH and os.path.exists("/proc/self/fd"):  # noqa: PTH110 - at every command
            self._descriptor = os.open(self._path, _O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            _check(self._path, os.fstat(self._descriptor))
            self._inode = _inode(os.fstat(self._descriptor))
            return Path(f"/proc/self/fd/{self._descriptor}")
        _check_folder(self._path)
        return self._path


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None  # connecting says why


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _check(path: Path, status: os.stat_result) -> None:
    """The kernel gives a socket's file to whoever binds it, and to nobody else."""
    if not stat.S_ISSOCK(status.st_mode):
        raise SocketRefused(str(path), "it is no socket")
    if status.st_uid not in trusted_uids():
        raise SocketRefused(str(path), f"it belongs to another user (uid {status.st_uid})")


def _check_folder(path: Path) -> None:
    """Without a way to hold the socket, nobody else may be able to put theirs in its place."""
    status = path.parent.stat()
    if status.st_uid not in trusted_uids() or status.st_mode & stat.S_IWOTH:
        raise SocketRefused(
            str(path), f"others can write to the folder {path.parent}; set LLM_MCP_SOCKET to a path elsewhere"
        )
