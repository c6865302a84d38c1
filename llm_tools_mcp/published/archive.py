"""A stranger's zip file, unpacked into an empty folder: nothing lands elsewhere, or grows beyond bounds."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm_tools_mcp.errors import PublishedError

_MAX_MEMBERS, _MAX_BYTES, _MAX_DIRECTORY = 60_000, 2 << 30, 16 << 20
_MAX_NAME, _MAX_COMPONENT = 1000, 255
# The end of the central directory: signature, disks, members, size and place of the directory, comment.
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x07"
_LONGEST_TAIL = 1 << 16  # of a comment, or of a signature that is put behind the archive
_ENCRYPTED = 0x1
_CHUNK = 1 << 16


def _lzma_errors() -> tuple[type[Exception], ...]:
    """Python can be built without it; then such members are refused (NotImplementedError)."""
    try:
        from lzma import LZMAError
    except ImportError:
        return ()
    return (LZMAError,)


_BROKEN: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    ValueError,
    *_lzma_errors(),
)


@contextmanager
def opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, all of whose members are fit to be unpacked. Raises PublishedError."""
    with _readable(file):
        _check_directory(file)
        archive = zipfile.ZipFile(file)
    with archive:
        _check_members(archive.infolist())
        yield archive


def read(archive: zipfile.ZipFile, name: str, most: int) -> bytes | None:
    """A member's content; None where there is none. Raises PublishedError."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        return None
    if info.file_size > most:
        raise PublishedError(f"{name} in it is larger than {most >> 10} KiB")
    with _readable(archive.filename):
        return archive.read(info)


def unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    """Into `folder`, which is empty; files are the user's alone. Raises OSError, PublishedError."""
    with _undamaged(archive.filename):
        for info in archive.infolist():
            _unpack_member(archive, info, folder)


def _unpack_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    path = folder.joinpath(*_parts(info.filename))
    if info.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with archive.open(info) as source, path.open("xb") as target:
        while piece := source.read(_CHUNK):
            target.write(piece)
    path.chmod(0o700 if info.external_attr >> 16 & 0o111 else 0o600)


@contextmanager
def _readable(file: Path | str | None) -> Iterator[None]:
    try:
        with _undamaged(file):
            yield
    except OSError as error:
        raise PublishedError(f"{file} cannot be read: {error.strerror or error}") from None


@contextmanager
def _undamaged(file: Path | str | None) -> Iterator[None]:
    """Around nothing but zipfile's own work: others raise RuntimeError and ValueError too, as click.Abort."""
    try:
        yield
    except _BROKEN:
        raise PublishedError(f"{file} is no zip file, or a damaged one") from None


def _check_directory(file: Path) -> None:
    """Before the directory is read: an entry of 46 bytes takes a thousand in memory."""
    with file.open("rb") as opened_file:
        size = opened_file.seek(0, 2)
        opened_file.seek(max(0, size - _LONGEST_TAIL - _END.size))
        tail = opened_file.read()
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or at + _END.size > len(tail):
        raise zipfile.BadZipFile
    _, _, _, _, members, length, _, _ = _END.unpack_from(tail, at)
    is_zip64 = tail[max(0, at - 20) : at].startswith(_LOCATOR_64)
    if is_zip64 or members > _MAX_MEMBERS or length > _MAX_DIRECTORY:
        raise PublishedError(f"{file} holds more than {_MAX_MEMBERS} files, or is larger than 4 GB")


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MAX_MEMBERS:
        raise PublishedError(f"the bundle holds more than {_MAX_MEMBERS} files")
    if sum(info.file_size for info in members) > _MAX_BYTES:
        raise PublishedError(f"the bundle would take more than {_MAX_BYTES >> 30} GiB when it is unpacked")
    folders: set[tuple[str, ...]] = set()
    files: set[tuple[str, ...]] = set()
    for info in members:
        _check_kind(info)
        parts = tuple(map(_folded, _parts(info.filename)))
        if parts in files or (not info.is_dir() and parts in folders):
            raise _bad(info, "is there twice, or differs from another in upper and lower case alone")
        (folders if info.is_dir() else files).add(parts)
        folders.update(parts[:count] for count in range(1, len(parts)))
    if clash := files & folders:
        raise PublishedError(f"the bundle has {'/'.join(min(clash))!a} as a file and as a folder")


def _check_kind(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _bad(info, "is neither a file nor a folder, but a link or a device")
    if info.flag_bits & _ENCRYPTED:
        raise _bad(info, "is encrypted")


def _parts(name: str) -> list[str]:
    """The way to it below the folder. Raises PublishedError for a name that leads elsewhere, or could."""
    parts = name.removesuffix("/").split("/")
    # A backslash or a drive means another place to other systems and other readers of the same archive.
    is_odd = (
        len(name) > _MAX_NAME or any(character in name for character in "\\:\0") or not name.isprintable()
    )
    if is_odd or any(part in ("", ".", "..") or len(part.encode()) > _MAX_COMPONENT for part in parts):
        raise PublishedError(f"the bundle has a file that could lie outside of it: {name[:_MAX_COMPONENT]!a}")
    return parts


def _folded(part: str) -> str:
    """As file systems that ignore case, and forms of Unicode, take it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold())


def _bad(info: zipfile.ZipInfo, why: str) -> PublishedError:
    return PublishedError(f"the bundle is refused: {info.filename[:_MAX_COMPONENT]!a} {why}")
