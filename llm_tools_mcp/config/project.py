"""`.mcp.json`: the servers that a project brings along. Found and read here; whether it is trusted is not
decided here.

It is read once: what was judged, shown and hashed are the bytes that are used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from llm_tools_mcp.errors import ConfigError

from .secret_lookup import confided, named_files
from .variables import NOTHING_CONFIDED, Confided

NAME = ".mcp.json"
_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Project:
    """`path` is the file's, `text` what stood in it, `digest` the sha256 of its bytes in hex.

    `confided` is what stood in the files that it names, and what else it refers to; `files` are the names of
    those files as they are written, by their keys in there.
    """

    path: str
    text: str = field(repr=False)
    digest: str
    confided: Confided = field(default=NOTHING_CONFIDED, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> str:
        """Where its servers run."""
        return str(Path(self.path).parent)

    @property
    def file_digests(self) -> dict[str, str]:
        """sha256 in hex of what stood in each file, by key; empty for one that could not be read."""
        texts = {key: self.confided.values.get(key) for key in self.files}
        return {key: "" if text is None else _digest(text.encode()) for key, text in texts.items()}

    def looked_up(self, environ: Mapping[str, str]) -> Project:
        """With what its text refers to, each read once: what is judged of it is what is used."""
        found = confided(self.text, environ, self.folder)
        return replace(self, confided=found, files=named_files(self.text, environ, self.folder))


def find(folder: str, home: str) -> str | None:
    """The path of the nearest one: in `folder` or above, up to the home or the root of the git repository.

    No folder of somebody else is looked into on the way up: /tmp is everybody's.
    """
    home = os.path.realpath(home) if home else ""
    current = Path(folder)
    while True:
        if os.path.lexists(current / NAME):
            return str(current / NAME)
        is_end = str(current) == home or os.path.lexists(current / ".git")
        if is_end or current == current.parent or not _is_own(current.parent):
            return None
        current = current.parent


def _is_own(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def read(path: str) -> Project:
    """Raises ConfigError where it cannot be read, or could be somebody else's doing."""
    try:
        with open(path, "rb", opener=_opened) as file:
            if refusal := _refusal(os.fstat(file.fileno())):
                raise ConfigError(path, f"is not used: {refusal}")
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = "it is a symbolic link" if Path(path).is_symlink() else error.strerror
        raise ConfigError(path, f"is not used: {reason}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(path, f"is not used: it is larger than {_MAX_BYTES >> 20} MB")
    return _project(path, content)


def _opened(path: str, flags: int) -> int:
    """No link is followed, and nobody waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _refusal(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    if status.st_uid != os.geteuid():
        return f"it belongs to another user (uid {status.st_uid})"
    return "everyone can write it (chmod o-w)" if status.st_mode & stat.S_IWOTH else ""


def _project(path: str, content: bytes) -> Project:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"is not used: it is not UTF-8 text (byte {error.start})") from None
    return Project(path, text, _digest(content))


def _digest(content: bytes) -> str:
    from hashlib import sha256  # loads OpenSSL: only where there is such a file

    return sha256(content).hexdigest()
