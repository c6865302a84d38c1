"""The files that `service install` writes: made from the packaged ones, signed, and guarded.

A hash over the rest of the file stands in its header. So a later install can tell a file that it may
replace from one that the user edited, and uninstall removes only what was installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from llm_tools_mcp import paths
from llm_tools_mcp.errors import ServiceError

_MARK = re.compile(r"^.*llm-mcp service install, sha256 ([0-9a-f]{64}).*\n", re.MULTILINE)


class Program(NamedTuple):
    """What a unit starts, before the word `daemon`: an absolute path, and arguments."""

    path: Path
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([str(self.path), *self.arguments])


# Where no script llm-mcp was installed.
_AS_MODULE = ("-m", "llm_tools_mcp.cli")


class FileState(Enum):
    ABSENT = auto()
    INSTALLED = auto()
    EDITED = auto()  # installed, and changed since
    FOREIGN = auto()  # written by somebody else
    MASKED = auto()  # a link to /dev/null


def template(folder: str, name: str) -> str:
    """The packaged file: from the wheel, or from the checkout of an editable install."""
    for root in (Path(__file__).with_name("units"), Path(__file__).parents[2] / "packaging"):
        path = root / folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ServiceError(f"this installation of llm-tools-mcp lacks its packaged file {folder}/{name}")


def signed(text: str, comment: str, after_line: int = 0) -> str:
    """`text` with its hash in a comment; `comment` is a format such as "# {}"."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    mark = comment.format(f"Written by llm-mcp service install, sha256 {digest}")
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:after_line], mark + "\n", *lines[after_line:]])


def state_of(path: Path) -> FileState:
    if not os.path.lexists(path):
        return FileState.ABSENT
    if path.is_symlink():
        return FileState.MASKED if path.resolve() == Path(os.devnull) else FileState.FOREIGN
    text = _text(path)
    mark = _MARK.search(text)
    if not mark:
        return FileState.FOREIGN
    body = text[: mark.start()] + text[mark.end() :]
    same = hashlib.sha256(body.encode()).hexdigest() == mark[1]
    return FileState.INSTALLED if same else FileState.EDITED


def check_replaceable(path: Path, advice: str) -> None:
    """Raise ServiceError for a file that `install` did not write as it is now."""
    state = state_of(path)
    if state is FileState.MASKED:
        raise ServiceError(f"{path} is masked", f"systemctl --user unmask {path.name}")
    if state in (FileState.EDITED, FileState.FOREIGN):
        how = "was edited" if state is FileState.EDITED else "was not written by `llm mcp service install`"
        raise ServiceError(f"{path} {how}, so it is left alone.\n{advice}", "llm mcp service install --force")


def write(path: Path, text: str) -> str:
    """Write atomically, after keeping a copy of what the user wrote there. Says what was done."""
    if state_of(path) is FileState.INSTALLED and _text(path) == text:
        return f"{path} is up to date"
    saved = _set_aside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except OSError:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    return f"wrote {path}{saved}"


def remove(path: Path) -> str:
    """Remove what was installed; what the user edited is kept under another name. Says what was done."""
    saved = _set_aside(path)
    path.unlink(missing_ok=True)
    return f"removed {path}{saved}"


def differences(texts: Mapping[Path, str], varying: re.Pattern[str]) -> list[str]:
    """Which of the installed files are not as they would be written now, apart from what varies."""
    states = {path: state_of(path) for path in texts}
    if not {FileState.INSTALLED, FileState.EDITED}.intersection(states.values()):
        return []
    found = []
    for path, state in states.items():
        if state is FileState.ABSENT:
            found.append(f"{path} is missing")
        elif state is FileState.EDITED:
            found.append(f"{path} was edited, so `install` does not update it")
        elif state is FileState.INSTALLED and _body(_text(path), varying) != _body(texts[path], varying):
            found.append(f"{path} is not what this llm-mcp would install")
    return found


def _text(path: Path) -> str:
    """As the managers read it, whatever the locale."""
    return path.read_text(encoding="utf-8", errors="replace")


def _body(text: str, varying: re.Pattern[str]) -> str:
    return varying.sub("", _MARK.sub("", text))


def _set_aside(path: Path) -> str:
    """Nobody's own work is thrown away: it moves to a name that the manager ignores."""
    if state_of(path) not in (FileState.EDITED, FileState.FOREIGN):
        return ""
    saved = path.with_name(path.name + ".saved")
    path.replace(saved)
    return f" (what was there is now {saved.name})"


def current_program() -> Program:
    """The `llm-mcp` that belongs to the code that runs now, however it was installed; else this Python."""
    for folder in dict.fromkeys(folder.absolute() for folder in _script_folders()):
        if os.access(folder / "llm-mcp", os.X_OK):
            return Program(_named(folder / "llm-mcp"))
    return Program(_named(Path(sys.executable).absolute()), _AS_MODULE)


def _named(program: Path) -> Path:
    """Raises ServiceError for one whose path is no UTF-8, which no manager reads."""
    if paths.sendable(program) != str(program):
        raise ServiceError(f"the path of the program is no UTF-8 text: {paths.sendable(program)}")
    return program


def _script_folders() -> Iterator[Path]:
    """Of a venv, pipx or uv tool; of pip's `--user`, `--prefix`, `--target`; beside the command that runs."""
    library = Path(__file__).absolute().parents[2]  # site-packages, or the checkout
    for scheme in sysconfig.get_scheme_names():
        for base in library.parents:
            places = {name: str(base) for name in ("base", "platbase", "userbase", "installed_base")}
            found = sysconfig.get_paths(scheme, places)
            if library in (Path(found["purelib"]), Path(found["platlib"])):
                yield Path(found["scripts"])
    yield library / "bin"  # of `pip install --target`
    # After these: the interpreter may have another llm-mcp beside it.
    yield Path(sys.executable).parent
    yield Path(sysconfig.get_path("scripts"))
    if Path(sys.argv[0]).is_absolute():
        yield Path(sys.argv[0]).parent


def captured_path() -> str:
    """The PATH of the installing shell: a service's own is bare. Relative entries stay out, and those that
    are no UTF-8, which no manager reads.
    """
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    usable = (entry for entry in entries if Path(entry).is_absolute() and paths.sendable(entry) == entry)
    return os.pathsep.join(dict.fromkeys(usable))


def import_variables() -> dict[str, str]:
    """Without which Python does not find this package, as after `pip install --prefix`: a service has none
    of the installing shell's.
    """
    library = Path(__file__).absolute().parents[2]
    entries = [
        Path(entry).absolute() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry
    ]
    base = os.environ.get("PYTHONUSERBASE")
    found = {"PYTHONPATH": os.pathsep.join(map(str, entries))} if library in entries else {}
    if base and Path(base).absolute() in library.parents:
        found["PYTHONUSERBASE"] = str(Path(base).absolute())
    return found
