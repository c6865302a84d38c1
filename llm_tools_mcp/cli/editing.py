"""mcp.json as it is edited: everything else in it stays as it is, and no reader sees half a file."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from llm_tools_mcp import config, paths
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError
from llm_tools_mcp.system import access
from llm_tools_mcp.terminal.screen import clean_line
from llm_tools_mcp.text.plain import plain

from .command import did_you_mean
from .rewriting import repeated_keys, rewritten

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

    A file that is missing is made, 0600. Entries with mistakes that are not touched stay, and are named on
    stderr. Raises ConfigError where the file cannot be used as it is, or an entry that was changed.
    """
    _check_editable(path)
    with _locked(path.parent):
        text = _text(path)
        before = _document(path, text)
        _check_unrepeated(path, text)
        document = copy.deepcopy(before)
        servers = document.setdefault("mcpServers", {})
        if not isinstance(servers, dict):
            raise ConfigError(str(path), "key 'mcpServers': Input should be an object")
        yield servers
        if json.dumps(document) != json.dumps(before) or not text:
            _write(path, text, before, document)


def _write(path: Path, text: str, before: Entry, document: Entry) -> None:
    changed = rewritten(text, before, document)
    mistakes = check(path, changed).mistakes
    former, now = before.get("mcpServers", {}), document["mcpServers"]
    for name, error in mistakes.items():
        if name not in former or json.dumps(former[name]) != json.dumps(now[name]):
            raise error
    _replace(path, changed)
    for error in mistakes.values():
        click.echo(f"Warning: left as it is: {plain(error.detail)}", err=True)


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
        meant = _of_project(name) or did_you_mean(name, servers)
        raise McpError(f"no MCP server is called {name!r}; the config has: {known}{meant}")
    return servers[name]


def _of_project(name: str) -> str:
    """Where it is that the commands do not edit: others share a project's file."""
    with suppress(McpError):
        path = config.find_project(paths.current_folder(), os.environ.get("HOME", ""))
        if path is not None and name in config.named_entries(config.read_project(path).text):
            return f"; {path} of this project has one that is called so, and is edited by hand"
    return ""


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
    context = config.Context(
        cwd=paths.current_folder(), environment=dict(os.environ), confided=config.confided(text, os.environ)
    )
    return config.parse(str(path), text, context)


def check_project(project: config.Project) -> config.Config:
    """The same for the servers of a project, which run in its folder."""
    context = config.Context(
        cwd=project.folder, environment=dict(os.environ), is_project=True, confided=project.confided
    )
    return config.parse(project.path, project.text, context)


def check_source(source: config.ConfigSource) -> config.Config:
    """The same for all that a prompt here would use."""
    own = check(Path(source.path), source.text)
    return own if source.project is None else own.joined(check_project(source.project))


def _text(path: Path) -> str:
    try:
        return config.read_config(path).text
    except ConfigNotFound:
        return ""


def _document(path: Path, text: str) -> Entry:
    if not text.strip():
        return {}
    document = config.decoded(str(path), text)
    if not isinstance(document, dict):
        raise ConfigError(str(path), "Input should be an object")
    return document


def shown_keys(keys: Iterable[str]) -> list[str]:
    """As a message repeats them."""
    return [clean_line(key)[:_SHOWN_KEY] for key in keys]


def _check_unrepeated(path: Path, text: str) -> None:
    if text.strip() and (repeated := shown_keys(repeated_keys(text))):
        raise ConfigError(
            str(path),
            f"the key {repeated[0]!r} appears twice in one object, and an edit would lose the first",
        )


def _check_editable(path: Path) -> None:
    """Makes its folder. What is no regular file has no end (/dev/zero), or nothing to replace (a pipe)."""
    try:
        access.make_private_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    if path.exists() and not path.is_file():
        raise ConfigError(str(path), "is not a regular file, and cannot be edited")


def _unwritable(path: Path, error: OSError) -> ConfigError:
    why = access.obstacle(error, path)
    return ConfigError(str(path), f"cannot be written: {str(why).removeprefix(f'{path}: ')}", why.repair)


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
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise _unwritable(path, error) from None
