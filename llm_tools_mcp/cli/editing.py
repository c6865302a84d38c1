"""mcp.json as it is edited: everything else in it stays, in its order, and no reader sees half a file."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from llm_tools_mcp import config, paths
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError
from llm_tools_mcp.terminal.screen import clean_line

from .command import did_you_mean

Entry = dict[str, Any]

# Characters of a key that a message repeats: what is longer is no key.
_SHOWN_KEY = 60
_MAX_NAME = 100


def config_file(config_path: str | None) -> Path:
    """The file that is meant, symbolic links followed: dotfiles are often linked into place."""
    path = Path(config_path).expanduser() if config_path else paths.default_config()
    return Path(os.path.realpath(path))


@contextmanager
def edited(path: Path) -> Iterator[Entry]:
    """The servers of the file, to be changed; written when the block ends without an error.

    A file that is missing is made, 0600. Raises ConfigError where it cannot be used as it is.
    """
    _check_editable(path)
    with _locked(path.parent):
        text = _text(path)
        document = _document(path, text)
        _check_unrepeated(path, text)
        servers = document.setdefault("mcpServers", {})
        if not isinstance(servers, dict):
            raise ConfigError(str(path), "key 'mcpServers': Input should be an object")
        before = json.dumps(document)
        yield servers
        if json.dumps(document) != before or not text:
            changed = _dumped(document, text)
            check(path, changed)
            _replace(path, changed)


def servers_of(path: Path) -> Entry:
    """The servers as they are written; none where there is no file. Raises ConfigError."""
    servers = _document(path, _text(path)).get("mcpServers", {})
    if not isinstance(servers, dict):
        raise ConfigError(str(path), "key 'mcpServers': Input should be an object")
    return servers


def entry_of(servers: Mapping[str, Any], name: str) -> Any:
    """Raises McpError, with what was probably meant."""
    if name not in servers:
        known = ", ".join(map(clean_line, servers)) or "none"
        raise McpError(
            f"no MCP server is called {name!r}; the config has: {known}{did_you_mean(name, servers)}"
        )
    return servers[name]


def wrong_name(name: str) -> str:
    """Why a server should not be called so: its name stands in commands, tool names and on screens."""
    if not name.strip():
        return "is empty"
    if name != clean_line(name):
        return "holds control characters, or spaces at its ends"
    if name.startswith("-"):
        return "begins with -, and would be taken for an option"
    return f"is longer than {_MAX_NAME} characters" if len(name) > _MAX_NAME else ""


def unknown_key(unknown: config.UnknownKey) -> str:
    """What is said of a key that nothing reads."""
    meant = f"; did you mean {unknown.suggestion!r}?" if unknown.suggestion else ""
    server, key = clean_line(unknown.server), clean_line(unknown.key)[:_SHOWN_KEY]
    return f"server {server!r}: the key {key!r} {unknown.reason or f'is unknown and ignored{meant}'}"


def check(path: Path, text: str) -> config.Config:
    """What the daemon will make of it. Raises ConfigError for what breaks the whole file."""
    context = config.Context(cwd=paths.current_folder(), environment=dict(os.environ))
    return config.parse(str(path), text, context)


def _text(path: Path) -> str:
    try:
        return config.read_config(path).text
    except ConfigNotFound:
        return ""


def _document(path: Path, text: str) -> Entry:
    if not text.strip():
        return {}
    try:
        document = json.loads(text)
    except RecursionError:
        raise ConfigError(str(path), "not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise ConfigError(str(path), f"not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(str(path), "Input should be an object")
    return document


def repeated_keys(text: str) -> list[str]:
    """Keys that stand twice in one object: JSON allows it, and every reader keeps the last one only."""
    repeated: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> Entry:
        counts = Counter(key for key, _ in pairs)
        repeated.extend(clean_line(key)[:_SHOWN_KEY] for key, count in counts.items() if count > 1)
        return dict(pairs)

    json.loads(text, object_pairs_hook=collect)
    return repeated


def _check_unrepeated(path: Path, text: str) -> None:
    if text.strip() and (repeated := repeated_keys(text)):
        raise ConfigError(
            str(path),
            f"the key {repeated[0]!r} appears twice in one object, and an edit would lose the first",
        )


def _dumped(document: Entry, text: str) -> str:
    """The document as text, in the manner of `text`, which it replaces."""
    changed = json.dumps(document, indent=_indent(text), ensure_ascii=False) + "\n"
    try:
        changed.encode()
    except UnicodeEncodeError:  # JSON can write half of a pair, \\ud800, and UTF-8 cannot
        changed = json.dumps(document, indent=_indent(text)) + "\n"
    return changed.replace("\n", "\r\n") if "\r\n" in text else changed


def _indent(text: str) -> int | str:
    """As the file has it: the first line that is indented tells."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    if found is None:
        return 2
    return "\t" if found[1].startswith("\t") else len(found[1])


def _check_editable(path: Path) -> None:
    """Makes its folder. What is no regular file has no end (/dev/zero), or nothing to replace (a pipe)."""
    try:
        paths.make_private_folder(path.parent)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written: {error.strerror}") from None
    if path.exists() and not path.is_file():
        raise ConfigError(str(path), "is not a regular file, and cannot be edited")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two commands that edit at the same time do it one after the other."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        mode = 0o600
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".mcp-")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ConfigError(str(path), f"cannot be written: {error.strerror}") from None
