"""Who is at the other end of a unix socket: the kernel's answer, which no client can forge."""

from __future__ import annotations

import os
import socket
import struct
import sys

# struct ucred of Linux: pid, uid, gid; uid -1 is "unknown".
_UCRED = struct.Struct("iII")
_HAS_UCRED = sys.platform == "linux"


def peer_uid(sock: socket.socket) -> int:
    """The effective uid that the peer had when it connected. Raises OSError when the kernel does not know."""
    if _HAS_UCRED:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(credentials)[1])
    return uid_from_getpeereid(sock)


def uid_from_getpeereid(sock: socket.socket) -> int:
    """The same on macOS and the BSDs, where Python has no call for it."""
    import ctypes

    getpeereid = ctypes.CDLL(None, use_errno=True).getpeereid
    uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
    if getpeereid(sock.fileno(), ctypes.byref(uid), ctypes.byref(gid)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return uid.value
