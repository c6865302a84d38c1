"""Who is at the other end of a unix socket: the kernel's answer, which nobody can forge."""

from __future__ import annotations

import os
import socket
import struct
import sys

# struct ucred of Linux: pid, uid, gid; uid -1 is "unknown".
_UCRED = struct.Struct("iII")
_HAS_UCRED = sys.platform == "linux"
_LOCAL_PEERPID = 2  # macOS, <sys/un.h>; at the level 0, SOL_LOCAL


def trusted_uids() -> frozenset[int]:
    """Who may be at the other end, for the daemon and for its clients: the user, and root."""
    return frozenset({os.geteuid(), 0})


def peer_uid(sock: socket.socket) -> int:
    """The effective uid that the peer had when it connected, or began to listen (a manager, say).

    Raises OSError when the kernel does not know.
    """
    return _ucred(sock)[1] if _HAS_UCRED else uid_from_getpeereid(sock)


def peer_pid(sock: socket.socket) -> int:
    """The process that connected, or began to listen; 0 where it lives in another PID namespace."""
    if not _HAS_UCRED:
        return int(sock.getsockopt(0, _LOCAL_PEERPID))
    return _ucred(sock)[0]


def _ucred(sock: socket.socket) -> tuple[int, int]:
    pid, uid, _gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return pid, uid


def uid_from_getpeereid(sock: socket.socket) -> int:
    """As peer_uid, on macOS and the BSDs, where Python has no call for it."""
    import ctypes

    getpeereid = ctypes.CDLL(None, use_errno=True).getpeereid
    uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
    if getpeereid(sock.fileno(), ctypes.byref(uid), ctypes.byref(gid)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return uid.value
