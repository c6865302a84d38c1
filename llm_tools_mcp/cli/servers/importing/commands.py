"""Commands of other MCP clients: whole command lines, those for Windows, and those of a project's folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from .documents import Json


def adapt_command(entry: Json, folder: Path | None, notes: list[str]) -> None:
    """Change command, args and cwd into what works here; `folder` is the project's."""
    _take_apart(entry)
    _adapt_windows(entry, notes)
    if folder is not None:
        _pin(entry, folder)
    elif "cwd" not in entry and any(map(_names_file, (entry["command"], *_words(entry)))):
        notes.append("has a path relative to the folder that you call from; give it whole, or a cwd")


def _words(entry: Json) -> list[str]:
    args = entry.get("args")
    return [word for word in (args if isinstance(args, list) else []) if isinstance(word, str)]


def _take_apart(entry: Json) -> None:
    """A whole command line as the command, as some clients accept it. A path may hold spaces."""
    command = entry["command"]
    if " " not in command.strip() or entry.get("args") or command.startswith(("/", "~", "$")):
        return
    try:
        entry["command"], *entry["args"] = shlex.split(command)
    except ValueError:  # a quotation mark without its other half
        return


_PROGRAM = re.compile(r"[A-Za-z]:[\\/].*|.*\.(?:exe|cmd|bat|ps1)|\\\\.*|.*%[A-Za-z]+%.*", re.IGNORECASE)
_SHELL = re.compile(r"(?:.*[\\/])?cmd(?:\.exe)?", re.IGNORECASE)


def _adapt_windows(entry: Json, notes: list[str]) -> None:
    words = _words(entry)
    is_shell = bool(_SHELL.fullmatch(entry["command"]))
    if is_shell and len(words) > 1 and words[0].lower() == "/c" and words[1].strip():
        entry["command"], *entry["args"] = words[1:] if len(words) > 2 else words[1].split()
        notes.append("without `cmd /c`, which is for Windows")
    elif is_shell or _PROGRAM.fullmatch(entry["command"]):
        notes.append("its command looks like a Windows one")
    elif any(re.match(r"[A-Za-z]:\\", word) for word in words):
        notes.append("its arguments name Windows folders")


def _pin(entry: Json, folder: Path) -> None:
    """A project's server starts in the project: that matters where it names something by a relative path."""
    env_file = entry.get("envFile")
    if isinstance(env_file, str) and not env_file.startswith(("/", "~", "$")):
        entry["envFile"] = str(folder / env_file)
    cwd = entry.get("cwd")
    if isinstance(cwd, str):
        if not cwd.startswith(("/", "~", "$")):
            entry["cwd"] = str(folder / cwd)
    elif any(_names_file(word) or _is_relative(word, folder) for word in (entry["command"], *_words(entry))):
        entry["cwd"] = str(folder)


_RELATIVE_FILE = re.compile(
    r"\.{1,2}/.+|(?![/~$@-])[^:=?*]+\.(?:py|js|mjs|cjs|ts|mts|rb|sh|jar|phar|php|lua|pl|dll|json|toml|ya?ml)"
)


def _names_file(word: str) -> bool:
    """Whether it looks like a file's relative path; . and .. are folders, which the caller's may be."""
    return bool(_RELATIVE_FILE.fullmatch(word)) and not _PROGRAM.fullmatch(word)


def _is_relative(word: str, folder: Path) -> bool:
    if word in (".", "..") or word.startswith(("./", "../")):
        return True
    if not re.search(r"[/.]", word) or word.startswith(("/", "~", "$", "-", "@")):
        return False
    try:
        return (folder / word).exists()
    except (OSError, ValueError):  # too long, or holds a NUL character
        return False
