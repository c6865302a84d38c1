"""Secrets moved out of mcp.json: into `llm keys`, or a file of their own, 0600. Nothing is overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.editing import Entry, config_file, servers_of
from llm_tools_mcp.config.secret_lookup import llm_keys_file, references
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.system import access
from llm_tools_mcp.system.locking import LockHeld, exclusively
from llm_tools_mcp.system.replacing import replace_private
from llm_tools_mcp.terminal.screen import clean_line, has_terminal

from .literal_secrets import Literal, literals

KEYS, FILE, KEEP = "keys", "file", "keep"

secrets_option = click.option(
    "--secrets",
    type=click.Choice([KEYS, FILE, KEEP]),
    help="Where tokens go: into `llm keys`, a file of yours alone, or mcp.json.  [default: you are asked]",
)

_NOTE = {"// Note": "This file stores secret API credentials. Do not share!"}  # llm's own


def place_for(entries: Mapping[str, Entry], wish: str | None) -> str:
    """Where their tokens are to be kept: as was wished for, else as the person says, else in mcp.json."""
    found = {name: one for name, entry in entries.items() if (one := literals(entry))}
    return wish or (_asked(found) if found else "") or KEEP


def without_secrets(config: Path, server: str, entry: Entry, place: str) -> Entry:
    """The entry with its literal tokens moved to `place`. Raises McpError where they cannot be kept there."""
    if place == KEEP:
        return entry
    for literal in literals(entry):
        placeholder = kept(place, config, server, literal.variable, literal.value)
        entry = literal.replaced(entry, placeholder)
        click.echo(f"{literal.key}: the token lies in {_in_words(placeholder)} now")
    return entry


def kept(where: str, config: Path, server: str, variable: str, secret: str) -> str:
    """Keep it, by a name that is free or has this secret already; the placeholder for mcp.json.

    Raises McpError.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{server}_{variable}").strip("._-")[:100] or "secret"
    try:
        return _in_keys(name, secret) if where == KEYS else _in_file(name, config, secret)
    except LockHeld as error:
        raise McpError(f"the secret cannot be kept: its store {error}; {error.repair}") from None
    except OSError as error:
        raise McpError(f"the secret cannot be kept: {access.obstacle(error)}") from None
    except RuntimeError:
        raise McpError("the secret cannot be kept: no home folder is known; set HOME") from None


def tell_how(entries: Mapping[str, Entry]) -> None:
    """For who could not be asked, and did not say."""
    for name, entry in entries.items():
        if found := literals(entry):
            click.echo(
                f"{clean_line(name)!r} has a token in mcp.json ({_keys_of(found)}); to move it out: "
                f"llm mcp set {shlex.quote(name)} --secrets keys",
                err=True,
            )


def _asked(found: Mapping[str, Sequence[Literal]]) -> str:
    from llm_tools_mcp.terminal.choosing import Option, choose
    from llm_tools_mcp.terminal.tty import EndOfInput, NoTerminal, terminal

    if not has_terminal():
        return ""
    try:
        with terminal() as tty:
            tty.print("Tokens would lie open in mcp.json:")
            lines = [f"{clean_line(name)}: {_keys_of(tokens)}" for name, tokens in found.items()]
            tty.quote("\n".join(lines), is_list=True)
            options = [Option(letter, *words) for letter, words in _WORDS.items()]
            return _PLACES[choose(tty, "Keep them in", options)]
    except (NoTerminal, EndOfInput):
        return ""


_WORDS = {
    "k": ("keys of llm", "as `llm keys set` does it; mcp.json names the key"),
    "f": ("files", "a file each, that only you can read; mcp.json names it"),
    "m": ("mcp.json", "as they stand, to be read by whoever sees the file"),
}
_PLACES = {"k": KEYS, "f": FILE, "m": KEEP}


def _keys_of(found: Sequence[Literal]) -> str:
    return clean_line(", ".join(dict.fromkeys(literal.key for literal in found)))


def _in_words(placeholder: str) -> str:
    kind, _, name = placeholder[2:-1].partition(":")
    return f"llm keys as {name!r}" if kind == "llm" else name


# --- what entries leave behind ----------------------------------------------------------------------


def release(gone: Iterable[Any], left: Iterable[Any]) -> None:
    """Remove the files of ours that entries read which are gone, and say what else of theirs stays.

    What an entry needs which is left, or one of the default config, is not spoken of.
    """
    others, doubt = _default_servers()
    needed = {_place(reference) for reference in references([*left, others])}
    for place in dict.fromkeys(map(_place, references([*gone]))):
        if place not in needed:
            _release(*place, doubt)


def _default_servers() -> tuple[Entry, str]:
    """And why nobody knows them, if so: a secret that they may need is not removed for a typo."""
    try:
        return servers_of(config_file(None)), ""
    except McpError as error:
        return {}, f"the default config may need it, and cannot be read: {clean_line(str(error))}"


def _place(reference: str) -> tuple[str, str]:
    """Its kind, and where that is: a path may be written in two ways."""
    kind, _, rest = reference.partition(":")
    return kind, os.path.realpath(os.path.expanduser(rest)) if kind == "file" else rest  # noqa: PTH111 - leaves an unknown ~user alone


def _release(kind: str, place: str, doubt: str) -> None:
    shown = clean_line(place)
    if kind == "llm":
        with suppress(RuntimeError):  # no home folder, and so no keys
            keys = clean_line(str(llm_keys_file(os.environ)))
            click.echo(f"its key {shown!r} of `llm keys` stays; to delete it, take its line out of {keys}")
    elif kind == "keyring":
        service, _, user = place.rpartition(":")  # as it is looked up
        command = shlex.join(["keyring", "del", clean_line(service), clean_line(user)])
        click.echo(f"its secret in the keyring stays; to delete it: {command}")
    elif Path(place).parent != Path(os.path.realpath(paths.secrets_folder())):
        click.echo(f"the file {shown} stays, which it read")
    elif doubt:
        click.echo(f"its secret {shown} stays: {doubt}", err=True)
    else:
        try:
            Path(place).unlink(missing_ok=True)
            click.echo(f"removed its secret {shown}")
        except OSError as error:
            click.echo(f"its secret {shown} stays: {access.obstacle(error)}", err=True)


# --- where ------------------------------------------------------------------------------------------


def _in_keys(name: str, secret: str) -> str:
    path = Path(os.path.realpath(llm_keys_file(os.environ)))
    access.make_private_folder(path.parent)
    with _locked():
        keys = _keys(path)
        free = next(one for one in _names(name) if keys.get(one, secret) == secret)
        if free not in keys:
            text = json.dumps({**(keys or _NOTE), free: secret}, indent=2)
            replace_private(path, f"{text}\n".encode(), is_durable=True)
    return f"${{llm:{free}}}"


def _keys(path: Path) -> dict[str, Any]:
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        keys = None
    if not isinstance(keys, dict):
        raise McpError(
            f"{path} is no JSON object, so that no key can be added; repair it, or: --secrets file"
        )
    return keys


def _in_file(name: str, config: Path, secret: str) -> str:
    """The file is of this config alone: one removes what none of its own entries reads."""
    owner = hashlib.sha256(os.fsencode(config)).hexdigest()[:8]
    folder = paths.secrets_folder()
    access.make_private_folder(folder)
    with _locked():
        path = next(one for one in map(folder.joinpath, _names(f"{name}-{owner}")) if _is_free(one, secret))
        if not path.exists():
            replace_private(path, f"{secret}\n".encode(), is_durable=True)
    home = os.environ.get("HOME", "")
    text = str(path)
    if home and text.startswith(f"{home}/"):
        text = f"~{text[len(home) :]}"
    if re.search(r"[{}]", text) or paths.sendable(text) != text:
        raise McpError(f"{text!a} cannot stand in a placeholder; use: --secrets keys")
    return f"${{file:{text}}}"


def _is_free(path: Path, secret: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == f"{secret}\n"
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False


def _names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in range(2, 1000))


@contextmanager
def _locked() -> Iterator[None]:
    with exclusively(access.make_private_folder(paths.data_folder()) / "secrets.lock"):
        yield
