"""Tool lists as they lie on disk: the daemon writes them, completion reads them while no daemon runs."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

from google.protobuf.message import DecodeError

from llm_tools_mcp import paths, v1

# In front of checksum and protobuf: another format gets another magic, and old entries are passed over.
_MAGIC = b"llm-mcp tools 3\n"
_HEADER = len(_MAGIC) + 4


class Damaged(Exception):
    """The file is not as it was written."""


def folder() -> Path:
    return paths.cache_folder() / "tools"


def file_name(cache_key: str) -> str:
    return f"{cache_key}.tools"


def load(folder: Path, cache_key: str) -> v1.CachedTools | None:
    """What this user wrote, None of another version. Raises Damaged; OSError, also of another user's file."""
    path = folder / file_name(cache_key)
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - a descriptor
        if os.fstat(file.fileno()).st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
        return decoded(file.read())


def encoded(entry: v1.CachedTools) -> bytes:
    body = entry.SerializeToString()
    return _MAGIC + _checksum(body) + body


def decoded(content: bytes) -> v1.CachedTools | None:
    """None for another version's. Raises Damaged."""
    if not content.startswith(_MAGIC):
        return None
    body = content[_HEADER:]
    if content[len(_MAGIC) : _HEADER] != _checksum(body):
        raise Damaged
    try:
        return v1.CachedTools.FromString(body)
    except DecodeError:
        raise Damaged from None


def _checksum(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")
