"""`llm mcp add`, `add-json`, `get`: the entries of mcp.json."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import config, paths
from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.editing import (
    check,
    config_file,
    edited,
    entry_of,
    servers_of,
    unknown_key,
    wrong_name,
)
from llm_tools_mcp.cli.secrets import shown_entry
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.terminal.screen import clean_line, has_terminal, print_json, read_stdin, styled

if TYPE_CHECKING:
    from llm_tools_mcp.cli.editing import Entry

_OF_COMMANDS = frozenset(
    {"command", "args", "env", "cwd", "instances", "inheritEnv", "inherit_env", "envFile"}
)
_OF_URLS = frozenset({"url", "serverUrl", "httpUrl", "headers", "oauth", "headersHelper"})
_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(?:/|$)")

_check = click.option(
    "--check/--no-check", default=True, help="Connect and show its tools.  [default: check]"
)
_force = click.option("--force", is_flag=True, help="Replace a server of this name.")
_force_change = click.option(
    "--force", is_flag=True, help="Change a server of this name; what is not given here stays as it is."
)
_name = click.argument("name", shell_complete=server_names)


@command(
    "add",
    "llm mcp add filesystem -- npx -y @modelcontextprotocol/server-filesystem .",
    "llm mcp add github -e GITHUB_TOKEN='${GITHUB_TOKEN}' -- docker run -i --rm -e GITHUB_TOKEN ghcr.io/…",
    "llm mcp add linear https://mcp.linear.app/mcp -H 'Authorization: Bearer ${LINEAR_KEY}'",
    hint=" (options of the server's command go after --: llm mcp add NAME -- COMMAND ARGS…)",
)
@click.argument("name")
@click.argument("target", nargs=-1, required=True, metavar="URL | -- COMMAND [ARGS]...")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Environment variable of the server.")
@click.option("-H", "--header", multiple=True, metavar="'NAME: VALUE'", help="HTTP header, for a URL.")
@click.option(
    "-t",
    "--transport",
    type=click.Choice(["stdio", "http", "sse"]),
    help="Only where it cannot be inferred.",
)
@click.option("--cwd", metavar="FOLDER", help="Where the command runs.  [default: the caller's folder]")
@_force_change
@_check
@config_option
@click.pass_context
def add_command(  # noqa: PLR0913 - its options
    context: click.Context,
    *,
    name: str,
    target: tuple[str, ...],
    env: tuple[str, ...],
    header: tuple[str, ...],
    transport: str | None,
    cwd: str | None,
    force: bool,
    check: bool,
    config_path: str | None,
) -> None:
    """Add a server to mcp.json: a command that is run, or a URL.

    '${VAR}' in single quotes takes the value from your environment whenever the server starts, so that
    no secret has to be in the file.
    """
    is_remote = transport in ("http", "sse") or (transport is None and _is_url(target))
    if is_remote:
        entry = _remote_entry(target, header, transport)
        _refuse("a command", {"--env": env, "--cwd": cwd})
    else:
        if "://" in target[0]:
            raise click.UsageError("a URL begins with http:// or https://, and stands alone")
        entry = _command_entry(target, env, cwd)
        _refuse("a URL", {"--header": header})
    _add(context, name, entry, force=force, check=check, config_path=config_path, merges=True)


@command(
    "add-json",
    'llm mcp add-json time \'{"command": "uvx", "args": ["mcp-server-time"]}\'',
    "llm mcp add-json time - < time.json",
)
@click.argument("name")
@click.argument("text", metavar="JSON")
@_force
@_check
@config_option
@click.pass_context
def add_json_command(
    context: click.Context, *, name: str, text: str, force: bool, check: bool, config_path: str | None
) -> None:
    """Add a server to mcp.json, its entry given as JSON; - reads it from stdin."""
    try:
        entry = json.loads(read_stdin() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"not valid JSON: {error}", param_hint="JSON") from None
    if not isinstance(entry, dict):
        raise click.BadParameter("has to be an object", param_hint="JSON")
    if "mcpServers" in entry or "servers" in entry:
        raise click.BadParameter(
            "is a whole config, not a single server; use: llm mcp import FILE", param_hint="JSON"
        )
    _add(context, name, entry, force=force, check=check, config_path=config_path)


@command("get", "llm mcp get filesystem", "llm mcp get filesystem --json")
@_name
@click.option("--reveal", is_flag=True, help="Show secrets too.")
@config_option
@as_json
def get_command(*, name: str, reveal: bool, config_path: str | None, as_json: bool) -> None:
    """Show a server's entry in mcp.json. Possible secrets are hidden."""
    path = Path(config_path).expanduser() if config_path else config_file(None)  # as it is: may be a pipe
    entry = entry_of(servers_of(path), name)
    shown = entry if reveal or not isinstance(entry, dict) else shown_entry(entry)
    if as_json:
        print_json(shown)
        return
    click.echo(f"{styled(clean_line(name), bold=True)}  {styled(str(path), dim=True)}")
    for key, value in shown.items() if isinstance(shown, dict) else [("", shown)]:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"  {key}: {clean_line(text)}")
    _tell_known(name, config_path)


def _tell_known(name: str, config_path: str | None) -> None:
    """What the server says of itself and of its tools, as far as the daemon knows."""
    from llm_tools_mcp.cli.completers import known_servers
    from llm_tools_mcp.cli.tools.display import summary

    try:
        known = known_servers(config_path).get(name)
    except McpError:
        return
    for line in summary(known) if known is not None else ():
        click.echo(line)


# --- what is typed → an entry -----------------------------------------------------------------------


def _is_url(target: tuple[str, ...]) -> bool:
    return len(target) == 1 and target[0].lower().startswith(("http://", "https://"))


def _remote_entry(target: tuple[str, ...], headers: tuple[str, ...], transport: str | None) -> Entry:
    if not _is_url(target) and not (len(target) == 1 and target[0].startswith("${")):
        raise click.UsageError("a URL is expected here, such as https://example.com/mcp")
    entry: Entry = {"type": transport} if transport else {}
    entry["url"] = target[0]
    if headers:
        entry["headers"] = _pairs(headers, ":", "--header", "'NAME: VALUE'")
    return entry


def _command_entry(target: tuple[str, ...], env: tuple[str, ...], cwd: str | None) -> Entry:
    program, *args = target
    if not program.strip():
        raise click.UsageError("the command is empty")
    if not args and _HOST_AND_PORT.match(program):
        raise click.UsageError("a URL begins with http:// or https://")
    if " " in program and not args and not Path(program).exists():
        raise click.UsageError(f"the command is one word with spaces in it; without the quotes: -- {program}")
    entry: Entry = {"command": program}
    if args:
        entry["args"] = args
    if env:
        entry["env"] = _pairs(env, "=", "--env", "NAME=VALUE")
    if cwd:
        entry["cwd"] = cwd if cwd.startswith(("~", "$")) else _absolute(cwd)
    return entry


def _absolute(cwd: str) -> str:
    folder = str(Path(paths.current_folder(), cwd))
    if paths.sendable(folder) != folder:
        raise click.UsageError(f"--cwd: {folder!a} is not UTF-8, and JSON knows no other text")
    return folder


def _pairs(texts: tuple[str, ...], separator: str, option: str, form: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, found, value = text.partition(separator)
        if not found or not name.strip():
            raise click.BadParameter(f"is written {form}", param_hint=option)  # not what was typed: a secret
        pairs[name.strip()] = value.strip() if separator == ":" else value
    return pairs


def _refuse(what: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value:
            raise click.UsageError(f"{option} is for {what}")


# --- adding -----------------------------------------------------------------------------------------


def _add(
    context: click.Context,
    name: str,
    entry: Entry,
    *,
    force: bool,
    check: bool,
    config_path: str | None,
    merges: bool = False,
) -> None:
    if wrong := wrong_name(name):
        raise click.BadParameter(wrong, param_hint="NAME")
    path = config_file(config_path)
    with edited(path) as servers:
        if name in servers and not force:
            raise McpError(f"{path} has a server {name!r} already; to replace it: --force")
        if merges and isinstance(servers.get(name), dict):
            entry = _merged(servers[name], entry)
        servers[name] = entry
        unknown = _check_entry(path, name, entry)
    click.echo(f"added {name!r} to {path}")
    for key in unknown:
        click.echo(f"Warning: {key}", err=True)
    if config.is_disabled(entry):
        click.echo(f"it is disabled; to enable it: llm mcp enable {shlex.quote(name)}")
    elif check and not _try(name, config_path):
        context.exit(1)


def _merged(former: Entry, told: Entry) -> Entry:
    """What was not told stays, unless it is for the other transport; arguments belong to their command."""
    others, own = (_OF_COMMANDS, _OF_URLS) if "url" in told else (_OF_URLS, _OF_COMMANDS)
    gone = set(others) | (own & {"args", "serverUrl", "httpUrl"})
    gone |= {"type"} if others & former.keys() else set()
    merged = {key: value for key, value in former.items() if key not in gone} | told
    for key in ("env", "headers"):
        if key in told and isinstance(former.get(key), dict):
            merged[key] = {**former[key], **told[key]}
    return merged


def _check_entry(path: Path, name: str, entry: Entry) -> list[str]:
    """What is said of its unknown keys. Raises ConfigError for what cannot work anywhere.

    With variables that are not set here, who knows.
    """
    text = json.dumps({"mcpServers": {name: entry}})
    parsed = check(path, text)
    outcome = parsed.servers.get(name)
    if error := parsed.mistakes.get(name):
        raise error
    if isinstance(outcome, ConfigError) and config.mentioned_variables(text) <= os.environ.keys():
        raise outcome
    return [unknown_key(key) for key in parsed.unknown_keys]


def _try(name: str, config_path: str | None) -> bool:
    """Connect, and say what came of it; a server that needs a login is offered one, on a terminal."""
    from llm_tools_mcp.cli.tools.tools import list_tools
    from llm_tools_mcp.cli.tools.trial import ADDED, tell_offer
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display

    listing = list_tools(config_path, name, Daemon(by_hand=True), Display(), refresh=True)
    needs_login = any(failed.login and not failed.trouble for failed in listing.failed)
    if needs_login and has_terminal() and click.confirm(f"{name!r} needs a login. Log in now?", default=True):
        from llm_tools_mcp.cli.login.login import log_in_to
        from llm_tools_mcp.cli.login.person import TerminalPerson

        return log_in_to(name, config_path, TerminalPerson(use_browser=True, as_json=False))
    return tell_offer(name, listing, ADDED)
