"""MCPB bundles: opened, unpacked into a folder of their own as a whole or not at all, and removed again."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.errors import PublishedError
from llm_tools_mcp.system import access

from . import archive
from .manifest import NAME, Manifest, parsed

_MAX_MANIFEST, _MAX_FILE = 1 << 20, 1 << 30
_SIGNED = b"MCPB_SIG_END"


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """`digest` is the SHA-256 of its file; a signature is seen, and not checked."""

    manifest: Manifest
    digest: str
    is_signed: bool
    _content: zipfile.ZipFile

    @property
    def files(self) -> frozenset[str]:
        return frozenset(self._content.namelist())

    def folder(self, server: str, config: str) -> Path:
        """Where it lies for this server of this config: what one removes is nobody else's."""
        owner = hashlib.sha256(json.dumps([self.digest, server, config]).encode()).hexdigest()[:16]
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{self.manifest.name}-{self.manifest.version}")[:80]
        return paths.bundles_folder() / f"{name.lstrip('.')}-{owner}"

    def install(self, folder: Path) -> bool:
        """Whether it was unpacked; it may be there already. Raises PublishedError."""
        if folder.is_dir():
            return False
        try:
            access.make_private_folder(folder.parent)
            fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
            try:
                archive.unpack(self._content, fresh)
                self._make_executable(fresh)
                fresh.rename(folder)
            except BaseException:  # also Ctrl-C: half a bundle is of no use
                shutil.rmtree(fresh, ignore_errors=True)
                raise
        except OSError as error:
            if folder.is_dir():  # another command was faster
                return False
            raise PublishedError(f"the bundle cannot be unpacked: {access.obstacle(error)}") from None
        return True

    def _make_executable(self, folder: Path) -> None:
        """A manifest can name any path: only what the archive holds is known to lie in the folder."""
        for program in self.files.intersection(self.manifest.programs):
            (folder / program).chmod(0o700)


@contextmanager
def opened(file: Path) -> Iterator[OpenBundle]:
    """Raises PublishedError: no bundle, one that is not safe to unpack, or not for this machine."""
    try:
        digest, is_signed = _looked_through(file)
    except OSError as error:
        raise PublishedError(f"{file} cannot be read: {error.strerror or error}") from None
    with archive.opened(file) as content:
        written = archive.read(content, NAME, _MAX_MANIFEST)
        if written is None:
            raise PublishedError(f"{file} has no {NAME}; is it an MCPB bundle?")
        manifest = parsed(written)
        manifest.check_platform()
        yield OpenBundle(manifest, digest, is_signed, content)


def remove_unused(gone: Iterable[Any], left: Iterable[Any]) -> list[Path]:
    """Remove the folders of bundles that entries used which are gone, and that none uses which is left."""
    folder = paths.bundles_folder()
    had, have = json.dumps(list(gone)), json.dumps(list(left))
    unused = [path for path in _folders(folder) if _mentions(had, path) and not _mentions(have, path)]
    for path in unused:
        shutil.rmtree(path, ignore_errors=True)
    return unused


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []


def _mentions(text: str, path: Path) -> bool:
    return json.dumps(str(path))[1:-1] in text


def _looked_through(file: Path) -> tuple[str, bool]:
    digest, tail, read = hashlib.sha256(), b"", 0
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            read += len(piece)
            if read > _MAX_FILE:
                raise PublishedError(f"{file} is larger than {_MAX_FILE >> 30} GiB")
            digest.update(piece)
            tail = (tail + piece)[-64:]
    return digest.hexdigest(), _SIGNED in tail
