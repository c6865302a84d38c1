"""Reading a config, and whether to trust it: mcp.json names the commands that will run.

The file is opened once and judged by its descriptor, so that pipes (/dev/fd/63) work and nothing
can change between the look and the read.
"""

from __future__ import annotations

import codecs
import os
import re
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from llm_tools_mcp import paths
from llm_tools_mcp.errors import ConfigError, ConfigNotFound
from llm_tools_mcp.system import access

from .launchers import LAUNCHERS
from .project import Project

# Of a config. What has no end (/dev/zero) would otherwise take all memory.
_MAX_BYTES = 16 << 20
_PIPE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """A config as it was read. `path` is absolute, or empty for a config that is no file."""

    path: str
    text: str = field(repr=False)
    warnings: tuple[str, ...] = ()
    # Trusted: its servers come before those of the same name.
    project: Project | None = None
    # The file of a project that is not: what runs of it, as it once was, is to end.
    untrusted: str = ""


def read_config(path: str | os.PathLike[str] | None = None) -> ConfigSource:
    """Read the config at `path`; None means the default one.

    Raises ConfigNotFound, or ConfigError when the file cannot be read or must not be trusted.
    """
    default = paths.default_config()
    file_path = default if path is None else _absolute(path)
    given = str(file_path)
    with _opened(file_path) as file:
        is_default = os.path.realpath(file_path) == os.path.realpath(default)
        complaints = [*_complaints(given, file), *_folder_complaints(given, file)]
        if complaints and is_default:
            raise _refusal(given, complaints)
        text = _decoded(given, _read(given, file))
    return ConfigSource(given, text, tuple(f"{given} {line}" for line in complaints))


def read_text(path: Path) -> str:
    """What stands in a file of another program, or comes out of a pipe. Raises ConfigError."""
    try:
        with _opened(path) as file:
            return _decoded(str(path), _read(str(path), file))
    except ConfigNotFound:
        raise ConfigError(str(path), "cannot be read: there is no such file") from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Raises ConfigNotFound, and ConfigError for what keeps the file from being read."""
    try:
        with open(path, "rb", opener=access.open_unwaiting) as file:
            yield file
    except FileNotFoundError:
        raise ConfigNotFound(str(path), paths.config_option(str(path))) from None
    except OSError as error:
        why = access.obstacle(error, path)
        reason = str(why).removeprefix(f"{path}: ")
        raise ConfigError(str(path), f"cannot be read: {reason}", why.repair) from error
    except ValueError:  # a path that holds a NUL character
        raise ConfigError(str(path), "is not a possible path") from None


def _await_writer(path: str, file: BinaryIO) -> None:
    """A pipe (/dev/fd/63) is filled by another program, which needs a moment."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    if not poll.poll(_PIPE_SECONDS * 1000):
        raise ConfigError(path, "is a pipe that nobody writes to")
    os.set_blocking(file.fileno(), True)


def _read(path: str, file: BinaryIO) -> bytes:
    if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        _await_writer(path, file)
    content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ConfigError(path, f"is too large for a config: more than {_MAX_BYTES >> 20} MB")
    return content


def config_for_url(url: str) -> ConfigSource:
    """The config of a single server that is known by its url alone."""
    import json

    return ConfigSource("", json.dumps({"mcpServers": {_server_name(url): {"url": url}}}))


def config_for_command(command: str) -> ConfigSource:
    """The config of a single server that is known by its command line. Raises ValueError where it is none."""
    import json
    import shlex

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"is not a command line ({error})") from None
    if not words:
        raise ValueError("is empty")
    program, *args = words
    entry = {"command": program, "args": args}
    return ConfigSource("", json.dumps({"mcpServers": {_program_name(program, args): entry}}))


def _program_name(program: str, args: list[str]) -> str:
    """Of what is run; behind a launcher its first word that is no option."""
    name = os.path.basename(program)  # noqa: PTH119 - it may be anything
    if name.rstrip("0123456789.") in LAUNCHERS:
        words = (arg for arg in args if not arg.startswith("-") and arg not in ("run", "exec", "x"))
        name = os.path.basename(next(words, name))  # noqa: PTH119 - the same
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name.partition("@")[0] or name) or "server"


def _absolute(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).expanduser().absolute()
    except FileNotFoundError:
        reason = "cannot be found: the current folder no longer exists"
    except RuntimeError:
        reason = "cannot be found: its ~ stands for no known home folder"
    raise ConfigError(os.fspath(path), reason)


class _Complaint(NamedTuple):
    """Why a file should not be trusted, and the command that changes that."""

    text: str
    repair: str

    def __str__(self) -> str:
        return f"{self.text}; to fix it: {self.repair}"


def _complaints(path: str, file: BinaryIO) -> list[_Complaint]:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return []
    found = []
    if status.st_uid not in (os.geteuid(), 0):
        repair = _command("sudo", "chown", str(os.geteuid()), path)
        found.append(_Complaint(f"belongs to another user (uid {status.st_uid})", repair))
    if status.st_mode & stat.S_IWOTH:
        found.append(_Complaint("can be written by everyone", _command("chmod", "o-w", path)))
    return found


def _folder_complaints(path: str, file: BinaryIO) -> list[_Complaint]:
    """Who can write to its folder, or to one above, can put another file in its place.

    A sticky folder (/tmp) lets nobody replace what is another's.
    """
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return []
    found = []
    for folder in _folders_to(Path(path)):
        status = folder.stat()
        if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            real = os.path.realpath(folder)
            repair = _command("chmod", "o-w", real)
            found.append(_Complaint(f"is in a folder that everyone can write to ({real})", repair))
    return list(dict.fromkeys(found))


def _folders_to(path: Path) -> list[Path]:
    """All that lie on the way: as it is written, and where each link leads."""
    found: dict[Path, None] = {}
    ways = [path]
    while ways:
        way = ways.pop()
        links = (one for one in (way, *way.parents) if one.parent not in found and one.is_symlink())
        ways += [link.parent / link.readlink() for link in links]
        found.update(dict.fromkeys(way.parents))
    return list(found)


def _command(*words: str) -> str:
    from shlex import join  # seldom needed

    return join(words)


def _refusal(path: str, complaints: list[_Complaint]) -> ConfigError:
    why = ", and it ".join(map(str, complaints))
    repair = "\n".join(complaint.repair for complaint in complaints)
    return ConfigError(path, f"refused, since it names commands to run and it {why}", repair)


def _decoded(path: str, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(path, "is not UTF-8 text, but UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        position = error.start
    raise ConfigError(path, f"is not UTF-8 text (byte {position})")


def _server_name(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return re.sub(r"[^A-Za-z0-9_.-]", "_", host or "server")
