"""A server's entry is put into mcp.json, its tokens elsewhere, and the server is tried."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from llm_tools_mcp import config, paths
from llm_tools_mcp.cli.editing import Entry, check, config_file, edited, servers_of, unknown_key, wrong_name
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.terminal.screen import has_terminal

from .secret_storage import place_for, release, tell_how, without_secrets

_OF_COMMANDS = frozenset(
    {"command", "args", "env", "cwd", "instances", "inheritEnv", "inherit_env", "envFile", "env_file"}
)
_OF_URLS = frozenset({"url", "serverUrl", "httpUrl", "headers", "oauth", "headersHelper"})
# Of their commands that add a server, with what is done here.
OPTIONS_OF_OTHERS = {
    "--type": "it is --transport",
    **dict.fromkeys(("--scope", "-s"), "these servers are there everywhere; a project's own: its .mcp.json"),
    "--url": "a URL follows the name: llm mcp add NAME URL",
    "--args": "they follow the command: llm mcp add NAME -- COMMAND ARGS…",
    "--timeout": "afterwards: llm mcp set NAME timeout=SECONDS",
}


@dataclass(frozen=True, slots=True)
class Adding:
    """How the commands that add a server were told to do it."""

    config_path: str | None
    force: bool = False
    check: bool = True
    secrets: str | None = None

    @property
    def path(self) -> Path:
        return config_file(self.config_path)

    def check_name(self, name: str) -> None:
        """Before anything is asked. Raises click's error, McpError."""
        if wrong := wrong_name(name):
            raise click.BadParameter(wrong, param_hint="NAME")
        if not self.force and name in servers_of(self.path):
            raise McpError(f"{self.path} has a server {name!r} already; to replace it: --force")


def add(context: click.Context, name: str, entry: Entry, adding: Adding, *, merges: bool = False) -> None:
    """Write the entry, and try the server; exit 1 where it cannot be used. Raises McpError, ConfigError."""
    adding.check_name(name)
    path = adding.path
    _check_entry(path, name, entry)  # before its secrets are kept anywhere
    entry = without_secrets(path, name, entry, place_for({name: entry}, adding.secrets))
    with edited(path) as servers:
        if name in servers and not adding.force:
            raise McpError(f"{path} has a server {name!r} already; to replace it: --force")
        former = servers.get(name)
        if merges and isinstance(former, dict):
            entry = _merged(former, entry)
        servers[name] = entry
        unknown = _check_entry(path, name, entry)
        left = [*servers.values()]
    remove_bundles([former], left)
    click.echo(f"added {name!r} to {path}")
    release([former], left)
    for key in unknown:
        click.echo(f"Warning: {key}", err=True)
    if adding.secrets is None and not has_terminal():
        tell_how({name: entry})
    if config.is_disabled(entry):
        click.echo(f"it is disabled; to enable it: llm mcp enable {shlex.quote(name)}")
    elif adding.check and not _try(name, adding.config_path):
        context.exit(1)


def remove_bundles(gone: Sequence[Any], left: Sequence[Any]) -> None:
    """What was unpacked for entries that are gone, and that none needs which is left."""
    if any(str(paths.bundles_folder()) in json.dumps(entry, ensure_ascii=False) for entry in gone):
        from llm_tools_mcp.published.bundles import remove_unused

        for folder in remove_unused(gone, left):
            click.echo(f"removed its bundle {folder}")


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
