"""What a server stands on: its folder and the files of its program. Others at the same path are others.

A folder that was removed and made anew, or moved, has another inode; an edited program another time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

# (device, inode), and of a file also (time of change in ns, size); None where nothing is.
Stamp = tuple[int, ...] | None
FileIdentity = tuple[tuple[str, Stamp], ...]

# Of an argument that is a program: `node build/index.js`. A database or a log would change with every call.
_SCRIPTS = frozenset(
    {
        *(".py", ".pyz", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx", ".rb", ".sh", ".bash"),
        *(".php", ".phar", ".lua", ".pl", ".jar", ".dll", ".exs", ".jl", ".r", ".R", ".wasm", ".ps1"),
    }
)


def stamp(path: str) -> Stamp:
    """Of what stands there now."""
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for each server and prompt
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return (status.st_dev, status.st_ino)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def stamped(paths: Iterable[str]) -> FileIdentity:
    return tuple((path, stamp(path)) for path in paths)


def is_unchanged(identity: FileIdentity) -> bool:
    return all(stamp(path) == before for path, before in identity)


def program_files(command: str, args: Iterable[str], cwd: str) -> list[str]:
    """The executable, and the scripts among its arguments."""
    scripts = (f"{cwd}/{arg}" if not arg.startswith("/") else arg for arg in args if _is_script(arg))
    return [command, *scripts] if command.startswith("/") else [*scripts]


def _is_script(arg: str) -> bool:
    return not arg.startswith("-") and "\0" not in arg and os.path.splitext(arg)[1] in _SCRIPTS  # noqa: PTH122 - asked for each argument
