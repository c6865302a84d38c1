"""The daemon's listening sockets: inherited from systemd, from launchd, or bound here under a lock.

They are plain sockets whatever their origin: gRPC for Python cannot adopt a descriptor, and given the
path it would replace the manager's socket. Only a socket that was bound here is ever unlinked, by
the holder of the lock, and only while it is still its own: the next daemon's is never touched.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from llm_tools_mcp import paths
from llm_tools_mcp.errors import DaemonAlreadyRunning, SocketRefused
from llm_tools_mcp.system import access

from .lock import let_go, take

log = logging.getLogger(__name__)

# The kernel cuts it to its own limit (net.core.somaxconn).
BACKLOG = 1024

# As in the LaunchAgent's `Sockets`.
LAUNCHD_SOCKET = "Listener"

_FIRST_SYSTEMD_DESCRIPTOR = 3
_SYSTEMD_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES")


class Origin(str, Enum):
    """Who made the sockets, and so who unlinks them."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    BOUND = "bound"


@dataclass(slots=True)
class Listeners:
    """Listening sockets, non-blocking. `path` is where clients find them.

    An open socket keeps its inode from being used again, so (device, inode) tells it from any other
    until close().
    """

    origin: Origin
    sockets: list[socket.socket]
    path: Path
    _inodes: dict[Path, tuple[int, int]] = field(default_factory=dict, repr=False)
    _lock: int | None = field(default=None, repr=False)

    def is_current(self) -> bool:
        """Whether new clients can still reach us: a path of ours leads to our socket."""
        # None known: an abstract address, or a path in another mount namespace.
        return not self._inodes or any(_inode(path) == own for path, own in self._inodes.items())

    def release(self) -> None:
        """Give the path up, so that another daemon can bind it; queued clients can still be accepted.

        Inherited sockets stay open and on disk, for the next daemon.
        """
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            if self.is_current():
                self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("cannot remove the socket %s: %s", self.path, error)
        finally:
            # Only now: a successor binds as soon as it has the lock.
            let_go(lock)

    def close(self) -> None:
        """Release, then close the sockets; if bound here, clients still in the queue are cut off."""
        self.release()
        for sock in self.sockets:
            sock.close()


def listen(path: Path, environ: MutableMapping[str, str]) -> Listeners:
    """The sockets that a service manager has handed over, else one bound at `path`.

    The variables of the hand-over are taken out of `environ`: they are not for our children. Raises
    DaemonAlreadyRunning, and SocketRefused for what is not safe or not usable.
    """
    path = path.absolute()
    if descriptors := _systemd_descriptors(path, environ):
        return _adopt(Origin.SYSTEMD, descriptors, path)
    if launchd_descriptors := _launchd_descriptors(path):
        return _adopt(Origin.LAUNCHD, launchd_descriptors, path)
    try:
        return _bind_under_lock(paths.checked_socket_path(path))
    except OSError as error:
        raise SocketRefused(str(path), str(access.obstacle(error, error.filename or path))) from error


def _systemd_descriptors(path: Path, environ: MutableMapping[str, str]) -> range:
    """The protocol of sd_listen_fds(3)."""
    given = {name: environ.pop(name, "") for name in _SYSTEMD_VARIABLES}
    if given["LISTEN_PID"] != str(os.getpid()):
        return range(0)
    if not given["LISTEN_FDS"].isdecimal():
        raise SocketRefused(str(path), f"LISTEN_FDS is no number: {given['LISTEN_FDS']!r}")
    return range(_FIRST_SYSTEMD_DESCRIPTOR, _FIRST_SYSTEMD_DESCRIPTOR + int(given["LISTEN_FDS"]))


def _launchd_descriptors(path: Path) -> list[int]:
    """What launch_activate_socket(3) gives: decided by its presence, not by the platform's name."""
    try:
        import ctypes

        library = ctypes.CDLL(None)
        activate = library.launch_activate_socket
    except (ImportError, AttributeError, OSError):  # Python can be built without ctypes, and statically
        return []
    array, count = ctypes.POINTER(ctypes.c_int)(), ctypes.c_size_t()
    code = activate(LAUNCHD_SOCKET.encode(), ctypes.byref(array), ctypes.byref(count))
    if code == errno.ESRCH:  # not started by launchd
        return []
    if code != 0 or count.value == 0:
        reason = os.strerror(code) if code else "it has none"
        raise SocketRefused(str(path), f"launchd did not hand over {LAUNCHD_SOCKET!r}: {reason}")
    descriptors = array[: count.value]
    library.free.argtypes, library.free.restype = [ctypes.c_void_p], None
    library.free(array)
    return descriptors


def _adopt(origin: Origin, descriptors: Iterable[int], path: Path) -> Listeners:
    sockets = [_listening_socket(origin, descriptor, path) for descriptor in descriptors]
    names = [
        Path(name) for name in (sock.getsockname() for sock in sockets) if name and isinstance(name, str)
    ]
    inodes = {name: own for name in names if (own := _inode(name)) is not None}
    return Listeners(origin, sockets, names[0] if names else path, inodes)


def _listening_socket(origin: Origin, descriptor: int, path: Path) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        detail = f"descriptor {descriptor} from {origin.value}: {error.strerror}"
        raise SocketRefused(str(path), detail) from error
    is_stream = (sock.family, sock.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
    if not is_stream or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        detail = f"descriptor {descriptor} from {origin.value} is no listening unix stream socket"
        raise SocketRefused(str(path), detail)
    sock.setblocking(False)
    return sock


def _bind_under_lock(path: Path) -> Listeners:
    _check_folder(access.make_private_folder(path.parent), path)
    lock = take(path)
    try:
        _clear(path)
        sock = _bind(path)
    except BaseException:
        let_go(lock)
        raise
    own = _inode(path)
    return Listeners(Origin.BOUND, [sock], path, {path: own} if own else {}, lock)


def _check_folder(folder: Path, path: Path) -> None:
    """Whoever can write to the folder can put a socket of their own at the path."""
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise SocketRefused(str(path), f"the folder {folder} belongs to another user (uid {status.st_uid})")
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise SocketRefused(
            str(path), f"everyone can write to the folder {folder}; run: chmod o-w '{folder}'"
        )


def _clear(path: Path) -> None:
    """Remove the socket that a killed daemon has left at the path."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketRefused(str(path), "something that is no socket is in the way")
    if _accepts(path):  # without our lock: a service manager, or a daemon that inherited its socket
        raise DaemonAlreadyRunning(str(path), 0)
    path.unlink(missing_ok=True)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:  # its queue is full
            return True
    return True


def _bind(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)  # 0600 from the start: chmod would leave a moment between
    try:
        sock.bind(os.fspath(path))
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(umask)
    sock.setblocking(False)
    sock.listen(BACKLOG)
    return sock


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
