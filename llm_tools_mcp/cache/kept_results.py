"""Results that were too large for a model, as files of this user for a day; and reading on in them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from llm_tools_mcp import paths
from llm_tools_mcp.system import access

_SECONDS = 24 * 3600.0
# Bytes of all of them: the oldest give way.
_MOST = 512 << 20
# Characters that are encoded and written at a time; and bytes of one in UTF-8, at most.
_PIECE, _MOST_OF_A_CHARACTER = 256 * 1024, 4
ID_LENGTH = 12
_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
# Characters of a line that a pattern is tried on, and that are shown: a longer one is so many lines, which
# overlap, so that what stands at their borders is found.
_LINE, _OVERLAP = 2000, 200


class Kept(NamedTuple):
    """`problem` says why there is no such file."""

    id: str
    path: Path
    problem: str = ""


def keep_text(text: str, folder: Path | None = None) -> Kept:
    """On disk when this returns: 0600, in a folder of its own, which is that of this process by default."""
    most = len(text) * (1 if text.isascii() else _MOST_OF_A_CHARACTER)
    return _keep(_encoded(text), most, ".txt", folder or paths.results_folder())


def keep_media(data: bytes, mime_type: str) -> Kept:
    """The same of an image, or whatever else it is."""
    from mimetypes import guess_extension

    return _keep([data], len(data), guess_extension(mime_type) or ".bin", paths.results_folder())


def _encoded(text: str) -> Iterator[bytes]:
    """Piece by piece: another copy of 10 MB would take longer to get the memory for than to make."""
    for begin in range(0, len(text), _PIECE):
        yield text[begin : begin + _PIECE].encode("utf-8", "surrogatepass")


def _keep(pieces: Iterable[bytes], most: int, suffix: str, folder: Path) -> Kept:
    """`most`: bytes that they have together, at most."""
    from secrets import token_hex

    name = token_hex(ID_LENGTH // 2)
    path = folder / f"{name}{suffix}"
    try:
        access.make_private_folder(folder)
        prune(folder, _MOST - most)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        return Kept(name, path, error.strerror or "it cannot be written")
    return Kept(name, path)


def prune(folder: Path, most: int) -> None:
    """Remove what is older than a day, and the oldest of what exceeds so many bytes."""
    with suppress(OSError):
        found = sorted(_files(folder), key=lambda one: one[1].st_mtime, reverse=True)
        size = 0
        for path, status in found:
            size += status.st_size
            if size > most or time.time() - status.st_mtime > _SECONDS:
                path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir():
        with suppress(OSError):
            yield path, path.stat()


# --- reading on -------------------------------------------------------------------------------------


def read(name: str, offset: int, length: int, pattern: str) -> str:
    """A part of a kept text, or the lines that fit a pattern. Raises ValueError, for the model to read."""
    path = paths.results_folder() / f"{name}.txt"
    if not _ID.fullmatch(name) or not path.is_file():
        raise ValueError(f"there is no result {name!r} (any more): they are kept for a day")
    text = path.read_bytes().decode("utf-8", "replace")
    if not 0 <= offset <= len(text):
        raise ValueError(f"offset is from 0 to {len(text)}, the length of the result in characters")
    return _matching(text, offset, length, pattern) if pattern else _part(text, offset, length)


def _part(text: str, offset: int, length: int) -> str:
    end = min(len(text), offset + length)
    rest = f"; the next part begins at offset {end}" if end < len(text) else "; this is the end"
    return f"{text[offset:end]}\n[characters {offset} to {end} of {len(text)}{rest}]"


def _matching(text: str, offset: int, length: int, pattern: str) -> str:
    """Each line with its offset, as far as they fit."""
    from llm_tools_mcp.text.matching import matching

    starts, shown = map(list, zip(*_pieces(text, offset), strict=True))
    lines: list[str] = []
    for index in matching(pattern, shown, any_case=True):
        told = f"{starts[index]}: {shown[index]}"
        if not lines:  # the first one in any case, cut: asked again the same would be answered
            told = told[: max(length - 1, len(f"{starts[index]}: "))]
        if length < len(told) + 1 and lines:
            return "\n".join([*lines, f"[more lines fit; to see them: offset={starts[index]}]"])
        length -= len(told) + 1
        lines.append(told)
    count = f"{len(lines)} line fits" if len(lines) == 1 else f"{len(lines)} lines fit"
    return "\n".join([*lines, f"[{count} from offset {offset} to the end]"])


def _pieces(text: str, offset: int) -> Iterator[tuple[int, str]]:
    """Lines with where they begin; at least one."""
    start = offset
    for line in text[offset:].splitlines(keepends=True) or [""]:
        for at in range(0, len(line) or 1, _LINE):
            yield start + at, line[at : at + _LINE + _OVERLAP].rstrip("\r\n")
        start += len(line)
