"""`llm mcp doctor`: what is wrong here, and what to type about it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_tools_mcp import __version__, paths
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError
from llm_tools_mcp.service import installed_service

from .command import as_json, command, config_option
from .daemon import ask, describe, is_running
from .editing import check
from .screen import clean, print_json, styled

if TYPE_CHECKING:
    from llm_tools_mcp.config import Config, ConfigSource

OK, NOTE, BAD = "ok", "note", "bad"
_MARKS = {OK: ("✓", "green"), NOTE: ("!", "yellow"), BAD: ("✗", "red")}
_ASCII = {OK: "+", NOTE: "!", BAD: "x"}
# Toolboxes of the same name: llm renames the second one.
_RIVALS = ("llm-mcp-client", "llm-tools-mcp-client", "llm-mcp")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and how it is. `repair` is what to type."""

    level: str
    text: str
    repair: str = ""


@command("doctor", "llm mcp doctor", "llm mcp doctor --no-connect")
@click.option("--connect/--no-connect", default=True, help="Connect to every server.  [default: connect]")
@config_option
@as_json
@click.pass_context
def doctor_command(context: click.Context, *, connect: bool, config_path: str | None, as_json: bool) -> None:
    """Look for what is wrong: environment, daemon, service, config, and whether each server connects.

    Exit code 1 if something has to be mended.
    """
    findings = []
    for finding in _findings(config_path, connect=connect):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json([{"level": f.level, "text": f.text, "repair": f.repair} for f in findings])
    context.exit(1 if any(finding.level == BAD for finding in findings) else 0)


def _print(finding: Finding) -> None:
    mark, color = _MARKS[finding.level]
    is_utf8 = (sys.stdout.encoding or "").lower().startswith("utf")
    shown = mark if is_utf8 else _ASCII[finding.level]
    click.echo(f"{styled(shown, fg=color, bold=True)} {clean(finding.text)}")
    for line in finding.repair.splitlines():
        click.echo(f"    {styled('→' if is_utf8 else '->', dim=True)} {line}")


def _findings(config_path: str | None, *, connect: bool) -> Iterator[Finding]:
    looks: list[Callable[[], Iterator[Finding]]] = [_versions, _plugins, _socket, _service, _daemon]
    for look in looks:
        try:
            yield from look()
        except McpError as error:
            yield Finding(BAD, str(error))
    yield from _config(config_path, connect=connect)


# --- the environment --------------------------------------------------------------------------------


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    packages = ", ".join(
        f"{name} {_version(name) or '(missing)'}" for name in ("llm", "mcp", "grpcio", "protobuf")
    )
    yield Finding(OK, f"llm-tools-mcp {__version__} on Python {python} in {sys.prefix}; {packages}")
    if not _version("llm"):
        yield Finding(NOTE, "llm is not installed in this environment", "llm install llm-tools-mcp")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _plugins() -> Iterator[Finding]:
    """A second plugin with a toolbox `MCP`: llm calls whichever it loads later `MCP_1`."""
    names = {entry.dist.name for entry in metadata.entry_points(group="llm") if entry.dist is not None}
    for rival in sorted(names.intersection(_RIVALS)):
        yield Finding(
            BAD, f"{rival} also has a toolbox called MCP: one of the two is renamed", f"llm uninstall {rival}"
        )
    copies = sum(
        entry.name == "mcp" and entry.value == "llm_tools_mcp.plugin"
        for entry in metadata.entry_points(group="llm")
    )
    if copies > 1:
        yield Finding(
            NOTE,
            f"llm-tools-mcp is installed {copies} times in this environment",
            "llm install -U llm-tools-mcp",
        )


def _socket() -> Iterator[Finding]:
    socket = paths.socket_path()
    if paths.socket_is_overridden():
        yield Finding(NOTE, f"LLM_MCP_SOCKET is set: the socket is {socket}, and no installed service counts")
    given = os.environ.get("XDG_RUNTIME_DIR")
    if (
        given
        and not paths.socket_is_overridden()
        and sys.platform != "darwin"
        and socket.parent != Path(given)
    ):
        yield Finding(
            NOTE, f"XDG_RUNTIME_DIR={given} is not a folder of yours and is ignored; the socket is {socket}"
        )
    if not socket.exists():
        return
    status = socket.stat()
    if status.st_uid != os.geteuid():
        yield Finding(BAD, f"{socket} belongs to another user (uid {status.st_uid})", f"sudo rm {socket}")
    elif stat.S_IMODE(status.st_mode) & 0o077:
        yield Finding(
            NOTE, f"{socket} can be opened by others (they are refused by their uid)", f"chmod 600 {socket}"
        )


def _service() -> Iterator[Finding]:
    service = installed_service()
    if service is None:
        yield Finding(OK, "no service is installed: the first prompt starts the daemon")
        return
    status = service.status()
    if status.failure:
        yield Finding(
            BAD, f"{service.kind}: {status.failure}", "llm mcp service status\nllm mcp service install"
        )
    elif not status.listening:
        yield Finding(BAD, f"{service.kind} has the unit, but does not listen", "llm mcp start")
    else:
        enabled = "" if status.enabled else ", but not after the next login"
        repair = "" if status.enabled else "llm mcp service install"
        yield Finding(OK if status.enabled else NOTE, f"{service.kind} listens{enabled}", repair)


def _daemon() -> Iterator[Finding]:
    if not is_running(installed_service()):
        yield Finding(OK, "the daemon does not run; the next prompt starts it")
        return
    try:
        health = ask(paths.socket_path())
    except McpError as error:
        yield Finding(BAD, str(error), "llm mcp restart")
        return
    yield Finding(OK, f"the daemon answers: {describe(health)}")
    if health.version != __version__:
        yield Finding(NOTE, f"it runs version {health.version}, and here is {__version__}", "llm mcp restart")


# --- the config -------------------------------------------------------------------------------------


def _config(config_path: str | None, *, connect: bool) -> Iterator[Finding]:
    from llm_tools_mcp.config import read_config

    try:
        source = read_config(config_path)
        parsed = check(Path(source.path), source.text)
    except ConfigNotFound as error:
        yield Finding(
            NOTE, f"there is no config at {error.path}", "llm mcp import\nllm mcp add NAME -- COMMAND ARGS…"
        )
        return
    except ConfigError as error:
        yield Finding(BAD, str(error))
        return
    yield Finding(OK, f"{source.path}: {len(parsed.servers)} server{'' if len(parsed.servers) == 1 else 's'}")
    for warning in source.warnings:
        yield Finding(NOTE, warning)
    yield from _permissions(Path(source.path))
    for unknown in parsed.unknown_keys:
        meant = f"; did you mean {unknown.suggestion!r}?" if unknown.suggestion else ""
        yield Finding(
            NOTE, f"server {unknown.server!r}: the key {clean(unknown.key)[:40]!r} means nothing here{meant}"
        )
    yield from _servers(source, parsed, connect=connect)


def _permissions(path: Path) -> Iterator[Finding]:
    mode = path.stat().st_mode
    if mode & stat.S_IWGRP:
        yield Finding(
            NOTE, f"{path} can be written by its group, and it names commands to run", f"chmod g-w {path}"
        )
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Finding(NOTE, f"{path} can be read by others; it may hold tokens", f"chmod 600 {path}")


def _servers(source: ConfigSource, parsed: Config, *, connect: bool) -> Iterator[Finding]:
    told = set()
    for name, definition in parsed.servers.items():
        if isinstance(definition, ConfigError):
            told.add(name)
            yield Finding(BAD, definition.detail)
        elif definition.transport.value == "stdio" and not Path(definition.command).is_absolute():
            told.add(name)
            yield _missing_command(name, definition.command)
    if connect and parsed.servers:
        yield from _connections(source, told)


def _missing_command(name: str, command: str) -> Finding:
    repairs = {
        "npx": "install Node.js: https://nodejs.org",
        "node": "install Node.js: https://nodejs.org",
        "uvx": "install uv: https://docs.astral.sh/uv",
        "docker": "install Docker: https://docs.docker.com/get-docker",
    }
    text = f"server {name!r}: its command {command!r} is not on the PATH"
    return Finding(
        BAD, text, repairs.get(command, f"write its absolute path into the config, or install {command}")
    )


def _connections(source: ConfigSource, told: set[str]) -> Iterator[Finding]:
    from llm_tools_mcp.progress import Display
    from llm_tools_mcp.tools import Daemon

    try:
        with Display().listing() as on_answer:
            listing = Daemon().list_tools(source, [], refresh=True, on_answer=on_answer)
    except McpError as error:
        yield Finding(BAD, str(error), "llm mcp logs")
        return
    counts: dict[str, int] = {}
    for offer in listing.offers:
        counts[offer.server] = counts.get(offer.server, 0) + 1
    for server, count in counts.items():
        yield Finding(OK, f"{server}: connected, {count} tool{'' if count == 1 else 's'}")
    for failed in listing.failed:
        if failed.server not in told:
            yield Finding(BAD, f"{failed.server}: {failed.reason}", f"llm mcp logs {failed.server}")
