"""What `doctor` finds in mcp.json: who may write it, its keys and names, its commands, and who connects."""

from __future__ import annotations

import glob
import os
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import paths
from llm_tools_mcp.cli.editing import check_source, shown_keys, unknown_key, wrong_name
from llm_tools_mcp.cli.rewriting import repeated_keys
from llm_tools_mcp.client.logs import has_words, where_to_look
from llm_tools_mcp.config import decoded, named_entries
from llm_tools_mcp.config.launchers import how_to_install
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError
from llm_tools_mcp.terminal.screen import clean_line, counted

from .finding import BAD, NOTE, OK, Finding
from .schemas import look_at_schemas, look_at_tasks
from .values import look_at_values, look_at_written_values

if TYPE_CHECKING:
    from llm_tools_mcp.config import Config, ConfigSource, ServerDefinition, UnknownKey

# Where installers put commands and a PATH often does not reach: cron, desktop launchers, other shells.
_USUAL_FOLDERS = (
    *("~/.local/bin", "~/bin", "~/.cargo/bin", "~/go/bin", "~/.bun/bin", "~/.deno/bin", "~/.volta/bin"),
    *("~/.nvm/versions/node/*/bin", "/usr/local/bin", "/opt/homebrew/bin"),
    *("/home/linuxbrew/.linuxbrew/bin", "/snap/bin"),
)


def look_at_config(config_path: str | None, *, connect: bool) -> Iterator[Finding]:
    from llm_tools_mcp.config import read_config
    from llm_tools_mcp.consent.projects import read_config_here

    try:
        source = read_config_here() if config_path is None else read_config(config_path)
        parsed = check_source(source)
    except ConfigNotFound as error:
        beginning = "llm mcp add NAME -- COMMAND ARGS…\nllm mcp import    # what other clients have"
        yield Finding(NOTE, f"there is no config at {error.path}", beginning)
        if error.note:
            yield Finding(NOTE, error.note.rstrip())
        return
    except ConfigError as error:
        mend = _edit(error.path) if Path(error.path).is_file() else ""
        yield Finding(BAD, str(error), error.repair or mend)
        return
    yield Finding(OK, f"{source.path}: {counted(len(parsed.servers) - len(parsed.of_project), 'server')}")
    if source.project is not None:
        names = ", ".join(clean_line(name) for name in parsed.of_project)
        yield Finding(OK, f"{source.project.path}: trusted; of this project are: {names}")
    for warning in source.warnings:
        yield Finding(NOTE, warning)
    if Path(source.path).exists():  # the servers may be a project's alone
        yield from _permissions(Path(source.path))
    yield from _keys(source, parsed)
    yield from _names(parsed.servers)
    yield from _servers(source, parsed, connect=connect)


def _permissions(path: Path) -> Iterator[Finding]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return
    word = shlex.quote(str(path))
    if status.st_mode & stat.S_IWGRP:
        yield Finding(NOTE, f"{path} can be written by its group, and it names commands", f"chmod g-w {word}")
    if status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Finding(NOTE, f"{path} can be read by others; it may hold tokens", f"chmod 600 {word}")


# --- keys and names ---------------------------------------------------------------------------------


def _keys(source: ConfigSource, parsed: Config) -> Iterator[Finding]:
    for key in dict.fromkeys(shown_keys(repeated_keys(source.text))):
        text = f"the key {key!r} appears twice in one object, and only the last one counts"
        yield Finding(BAD, text, _edit(source.path))
    if "servers" in decoded(source.path, source.text):
        text = (
            "the key 'servers', as VS Code writes it, is not read beside 'mcpServers': "
            "import what it holds, and delete it"
        )
        take_over = f"llm mcp import {shlex.quote(source.path)}"
        yield Finding(NOTE, text, f"{take_over}\n{_edit(source.path)}")
    for unknown in parsed.unknown_keys:
        yield Finding(NOTE, unknown_key(unknown), _unset(source.path, parsed, unknown))


def _unset(path: str, parsed: Config, unknown: UnknownKey) -> str:
    """The command for it, where one can: others share a project's file, and within `oauth` there is none."""
    if unknown.server in parsed.of_project or "." in unknown.key:
        return _edit(path)
    server, key = shlex.quote(clean_line(unknown.server)), shlex.quote(clean_line(unknown.key))
    renamed = f" {unknown.suggestion}=…" if unknown.suggestion else ""
    return f"llm mcp set{paths.config_option(path)} {server}{renamed} --unset {key}"


def _edit(path: str) -> str:
    return f"${{EDITOR:-nano}} {shlex.quote(path)}"


def _names(names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        if wrong := wrong_name(name):
            yield Finding(NOTE, f"the server name {name[:60]!a} {wrong}", "rename it in the config")


# --- servers ----------------------------------------------------------------------------------------


def _servers(source: ConfigSource, parsed: Config, *, connect: bool) -> Iterator[Finding]:
    told = set()
    written = _written(source)
    for name, definition in parsed.servers.items():
        if isinstance(definition, ConfigError):
            told.add(name)
            yield Finding(BAD, definition.detail, definition.repair)
            yield from look_at_written_values(name, written.get(name))
            continue
        if definition.transport.value == "stdio" and (missing := _missing(name, definition)):
            told.add(name)
            yield missing
        yield from look_at_values(name, definition)
    if connect and parsed.servers:
        yield from _connections(source, parsed.servers, told)


def _written(source: ConfigSource) -> dict[str, Any]:
    """The entries of all servers, as they stand in their files."""
    of_project = named_entries(source.project.text) if source.project is not None else {}
    return {**named_entries(source.text), **of_project}


def _missing(name: str, definition: ServerDefinition) -> Finding | None:
    """`command` is absolute where it was found on the PATH of the server."""
    command = definition.command
    if "/" not in command:
        return _not_on_the_path(name, command, definition.public)
    path = Path(definition.cwd, command)
    shown = definition.public(str(path))
    if path.is_dir():
        return Finding(BAD, f"server {name!r}: {shown} is a folder", "name the program in it")
    if not path.is_file():
        repair = _how_to_write(command) or "correct its command in the config"
        return Finding(BAD, f"server {name!r}: there is no file {shown}", repair)
    if not os.access(path, os.X_OK):
        return Finding(BAD, f"server {name!r}: {shown} cannot be run", f"chmod +x {shlex.quote(shown)}")
    return None


def _not_on_the_path(name: str, command: str, public: Callable[[str], str]) -> Finding:
    text = f"server {name!r}: its command {public(command)!r} is not on the PATH"
    elsewhere = _found_elsewhere(command)
    if elsewhere:
        folder = shlex.quote(public(str(elsewhere.parent)))
        return Finding(BAD, f"{text}; it is {public(str(elsewhere))}", f"export PATH={folder}:$PATH")
    general = f"write its absolute path into the config, or install {public(command)}"
    return Finding(BAD, text, how_to_install(command) or _how_to_write(command) or general)


def _how_to_write(command: str) -> str:
    if command != command.strip():
        return "write 'command' without the spaces at its ends"
    return "write the program alone into 'command', and what follows it into 'args'" if " " in command else ""


def _found_elsewhere(command: str) -> Path | None:
    patterns = (os.path.expanduser(f"{folder}/{glob.escape(command)}") for folder in _USUAL_FOLDERS)  # noqa: PTH111
    found = (Path(path) for pattern in patterns for path in sorted(glob.glob(pattern)))  # noqa: PTH207
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _connections(
    source: ConfigSource, servers: Mapping[str, ServerDefinition | ConfigError], told: set[str]
) -> Iterator[Finding]:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display

    try:
        with Display().listing() as on_answer:
            listing = Daemon(by_hand=True).list_tools(source, [], refresh=True, on_answer=on_answer)
    except McpError as error:
        yield Finding(BAD, str(error), "llm mcp logs" if has_words(paths.daemon_log()) else "llm mcp status")
        return
    counts: dict[str, int] = {}
    for offer in listing.offers:
        counts[offer.server] = counts.get(offer.server, 0) + 1
    yield from _connected(counts)
    yield from _left_out(counts)
    yield from look_at_schemas(listing.offers)
    yield from look_at_tasks(listing.left_out)
    for failed in listing.failed:
        if failed.trouble:  # which stands above, with what to type
            yield Finding(
                BAD, f"{clean_line(failed.server)}: needs a login, and the store of logins is unusable"
            )
        elif failed.login:
            said = f" ({clean_line(failed.words)})" if failed.words else ""
            yield Finding(BAD, f"{clean_line(failed.server)}: needs a login{said}", failed.login)
        elif failed.server not in told:
            yield Finding(BAD, f"{clean_line(failed.server)}: {failed.reason}", _where_to_look(failed.server))
    heard = {*told, *counts, *(failed.server for failed in listing.failed)}
    for name, definition in servers.items():
        if name not in heard and not isinstance(definition, ConfigError):
            yield _without_tools(name, definition)


def _left_out(connected: Iterable[str]) -> Iterator[Finding]:
    """Tools that their servers describe wrongly: of the connection that was asked just now."""
    from llm_tools_mcp.cli.running_daemon import ask_status

    sessions = sorted(ask_status().servers, key=lambda session: -session.idle_seconds)
    complaints = {name: one.last_error for one in sessions for name in (one.server, *one.also_called)}
    for server in connected:
        if complaint := complaints.get(server):
            yield Finding(NOTE, f"{clean_line(server)}: {complaint}", _where_to_look(server))


def _where_to_look(server: str) -> str:
    """Its log, where there is something in it; else its entry."""
    return where_to_look(server, f"llm mcp get {shlex.quote(server)}")


def _without_tools(name: str, definition: ServerDefinition) -> Finding:
    shown, word = clean_line(name), shlex.quote(clean_line(name))
    if definition.include or definition.exclude:
        text = f"{shown}: connected, but what includeTools and excludeTools leave of its tools is none"
        return Finding(BAD, text, f"llm mcp get {word}\nllm mcp tools {word} --refresh")
    return Finding(NOTE, f"{shown}: connected, and offers no tools")


def _connected(counts: Mapping[str, int]) -> Iterator[Finding]:
    for server, count in counts.items():
        yield Finding(OK, f"{clean_line(server)}: connected, {counted(count, 'tool')}")
