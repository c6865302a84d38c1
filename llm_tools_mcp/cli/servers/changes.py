"""`llm mcp set`, `rename`, `remove`, `enable`, `disable`, `edit`: what stands in mcp.json is changed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import config
from llm_tools_mcp.cli.command import command, config_option
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.editing import check, config_file, edited, entry_of, unknown_key, wrong_name
from llm_tools_mcp.cli.login.table import logged_in_names, rename_logins
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.text.plain import plain

from .adding import remove_bundles
from .entry_keys import TABLES, present_keys, settable_keys
from .secret_storage import KEEP, release, secrets_option, without_secrets

if TYPE_CHECKING:
    from llm_tools_mcp.cli.editing import Entry

_name = click.argument("name", shell_complete=server_names)
_names = click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=server_names)

# Keys whose value is text, whatever it looks like; those of the others is JSON where it is some.
_TEXTS = frozenset({"command", "url", "serverUrl", "httpUrl", "cwd", "type", "protocol", "envFile"})
_LISTS = frozenset(
    {
        *("args", "includeTools", "include_tools", "excludeTools", "exclude_tools"),
        *("enabledTools", "enabled_tools", "disabledTools", "disabled_tools"),
    }
)


@command(
    "set",
    "llm mcp set filesystem timeout=60 cwd='~/notes'",
    "llm mcp set github env.GITHUB_TOKEN='${GITHUB_TOKEN}' --unset includeTools",
    "llm mcp set github --secrets keys",
    'llm mcp set git args=\'["mcp-server-git", "--verbose"]\' includeTools=git_log includeTools=git_diff',
)
@_name
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=settable_keys)
@secrets_option
@click.option(
    "--unset",
    multiple=True,
    metavar="KEY",
    shell_complete=present_keys,
    help="Take a key out, such as timeout or env.TOKEN.",
)
@config_option
def set_command(
    *,
    name: str,
    changes: tuple[str, ...],
    unset: tuple[str, ...],
    secrets: str | None,
    config_path: str | None,
) -> None:
    """Change keys of a server's entry in mcp.json; all else in it stays as it is.

    A variable or header is written env.NAME=… or headers.NAME=…. Values are JSON where the key takes no text;
    of a list either a JSON array, or its items, one KEY=VALUE each. --secrets moves the tokens of the entry.
    """
    if not changes and not unset and not secrets:
        raise click.UsageError("what is to be changed? KEY=VALUE, --unset KEY, or --secrets keys")
    path = config_file(config_path)
    with edited(path) as servers:
        entry = entry_of(servers, name)
        if not isinstance(entry, dict):
            raise McpError(f"{path}: server {name!r}: Input should be an object")
        for key in unset:
            _unset(entry, key)
        for key, texts in _typed(changes).items():
            _set(entry, key, texts)
        moved = without_secrets(path, name, entry, secrets or KEEP)
        changed = [*_typed(changes), *unset, *(key for key in entry if moved[key] != entry[key])]
        entry.update(moved)
    click.echo(f"changed {name!r} in {path}: {', '.join(changed) or 'nothing, it holds no tokens'}")
    _let_the_daemon_know(config_path)
    _warn_of(path, name, entry)


@command("rename", "llm mcp rename fs filesystem")
@_name
@click.argument("new")
@config_option
def rename_command(*, name: str, new: str, config_path: str | None) -> None:
    """Call a server otherwise in mcp.json; its entry stays as it is, in its place."""
    if wrong := wrong_name(new):
        raise click.BadParameter(wrong, param_hint="NEW")
    path = config_file(config_path)
    with edited(path) as servers:
        entry_of(servers, name)
        if new in servers:
            raise McpError(f"{path} has a server {new!r} already")
        renamed = {new if former == name else former: entry for former, entry in servers.items()}
        servers.clear()
        servers.update(renamed)
    rename_logins(name, new)
    click.echo(f"renamed {name!r} to {new!r} in {path}")
    _let_the_daemon_know(config_path)


@command("remove", "llm mcp remove filesystem", "llm mcp remove filesystem git")
@_names
@config_option
def remove_command(*, names: tuple[str, ...], config_path: str | None) -> None:
    """Remove servers from mcp.json."""
    path = config_file(config_path)
    with edited(path) as servers:
        for name in dict.fromkeys(names):
            entry_of(servers, name)
        gone = [servers.pop(name) for name in dict.fromkeys(names)]
        left = [*servers.values()]
    click.echo(f"removed {_listed(names)} from {path}")
    _let_the_daemon_know(config_path)
    remove_bundles(gone, left)
    release(gone, left)
    for name in sorted(logged_in_names().intersection(names)):
        click.echo(f"its login stays; to end it: llm mcp logout {shlex.quote(name)}")


@command("enable", "llm mcp enable filesystem")
@_names
@config_option
def enable_command(*, names: tuple[str, ...], config_path: str | None) -> None:
    """Use servers again that were disabled."""
    _switch_all(config_path, names, is_disabled=False)


@command("disable", "llm mcp disable filesystem")
@_names
@config_option
def disable_command(*, names: tuple[str, ...], config_path: str | None) -> None:
    """Keep servers in mcp.json, but do not use them."""
    _switch_all(config_path, names, is_disabled=True)


@command("edit", "llm mcp edit", "EDITOR=nano llm mcp edit")
@config_option
@click.pass_context
def edit_command(context: click.Context, *, config_path: str | None) -> None:
    """Open mcp.json in $VISUAL or $EDITOR, and check it afterwards; exit 1 if it cannot be used as it is."""
    path = config_file(config_path)
    if not (os.environ.get("VISUAL") or os.environ.get("EDITOR") or sys.stdout.isatty()):
        raise McpError(f"there is no terminal for an editor; set EDITOR, or change the file itself: {path}")
    if not path.exists():
        with edited(path):
            pass  # makes it, for its owner alone
    while True:
        click.edit(filename=str(path))
        wrong = _mistakes(path)
        if not wrong:
            click.echo(f"{path} is fine")
            _let_the_daemon_know(config_path)
            return
        for line in wrong:
            click.echo(f"Error: {plain(line)}", err=True)
        if not sys.stdin.isatty() or not click.confirm("Edit it again?", default=True):
            context.exit(1)


def _mistakes(path: Path) -> list[str]:
    try:
        parsed = check(path, config.read_config(path).text)
    except ConfigError as error:
        return [str(error)]
    for key in parsed.unknown_keys:
        click.echo(f"Warning: {unknown_key(key)}", err=True)
    return [str(error) for error in parsed.mistakes.values()]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, dict.fromkeys(names)))


# --- switches ---------------------------------------------------------------------------------------


def _switch_all(config_path: str | None, names: Sequence[str], *, is_disabled: bool) -> None:
    path = config_file(config_path)
    word = "disabled" if is_disabled else "enabled"
    said = []
    with edited(path) as servers:
        for name in dict.fromkeys(names):
            entry = entry_of(servers, name)
            if not isinstance(entry, dict):
                raise McpError(f"{path}: server {name!r}: Input should be an object")
            if config.is_disabled(entry) == is_disabled:
                said.append(f"{name!r} is {word} already")
            else:
                _switch(entry, is_disabled=is_disabled)
                said.append(f"{word} {name!r} in {path}")
    click.echo("\n".join(said))
    _let_the_daemon_know(config_path)


def _let_the_daemon_know(config_path: str | None) -> None:
    from llm_tools_mcp.cli.running_daemon import let_know
    from llm_tools_mcp.consent.projects import read_config_here

    with suppress(McpError):
        let_know(read_config_here() if config_path is None else config.read_config(config_path))


def _switch(entry: Entry, *, is_disabled: bool) -> None:
    """By the key that stands there, if one does."""
    if "enabled" in entry:
        entry["enabled"] = not is_disabled
    if "disabled" in entry or ("enabled" not in entry and is_disabled):
        entry["disabled"] = True
    if not is_disabled:
        entry.pop("disabled", None)


# --- KEY=VALUE --------------------------------------------------------------------------------------


def _typed(changes: Iterable[str]) -> dict[str, list[str]]:
    typed: dict[str, list[str]] = {}
    for change in changes:
        key, separator, text = change.partition("=")
        if not separator or not key:  # not repeated: it may be a secret
            raise click.UsageError("a change is written KEY=VALUE; to take a key out: --unset KEY")
        typed.setdefault(key, []).append(text)
    return typed


def _set(entry: Entry, key: str, texts: Sequence[str]) -> None:
    table, _, inner = key.partition(".")
    if inner and table in TABLES:
        if not isinstance(entry.get(table), dict):
            entry[table] = {}
        entry[table][inner] = texts[-1]
    elif key in _TEXTS:
        entry[key] = texts[-1]
    elif key in _LISTS and not texts[0].lstrip().startswith("["):
        entry[key] = list(texts)
    else:
        entry[key] = _json_or_text(texts[-1])


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unset(entry: Entry, key: str) -> None:
    table, _, inner = key.partition(".")
    where: Any = entry.get(table) if inner and table in TABLES else entry
    name = inner if where is not entry else key
    if not isinstance(where, dict) or name not in where:
        raise McpError(f"there is no key {key!r} in the entry; it has: {', '.join(map(shlex.quote, entry))}")
    del where[name]


def _warn_of(path: Path, name: str, entry: Entry) -> None:
    """Of keys that nothing reads, and of what cannot work: it may be mended one key after the other.

    Of a server that is not in use as well: who enables it later has forgotten what was typed.
    """
    in_use = {**entry, "disabled": None, "enabled": None} if config.is_disabled(entry) else entry
    parsed = check(path, json.dumps({"mcpServers": {name: in_use}}))
    for key in parsed.unknown_keys:
        click.echo(f"Warning: {unknown_key(key)}", err=True)
    outcome = parsed.servers.get(name)
    if isinstance(outcome, ConfigError) and not outcome.repair:  # a variable can be set later
        click.echo(f"Warning: {plain(outcome.detail)}", err=True)
