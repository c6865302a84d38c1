"""`llm mcp add --from NAME` and `llm mcp add FILE.mcpb`: servers as others publish them."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.editing import Entry, config_file, servers_of
from llm_tools_mcp.errors import McpError, PublishedError
from llm_tools_mcp.published.bundles import opened, remove_unused
from llm_tools_mcp.published.packages import Bundle, Offer, Package
from llm_tools_mcp.published.server_json import offers_of
from llm_tools_mcp.published.web import NotThere, client, download
from llm_tools_mcp.terminal.screen import clean_line, has_terminal
from llm_tools_mcp.text.plain import visible

from .adding import Adding, add
from .published_answers import answered, told
from .search import registry_of
from .secret_storage import KEEP, KEYS, kept

if TYPE_CHECKING:
    from llm_tools_mcp.published.bundles import OpenBundle
    from llm_tools_mcp.published.inputs import Input, Values
    from llm_tools_mcp.published.registry import Published, Registry

# Names that say nothing about what a server does.
_VAGUE = re.compile(r"(mcp|server|mcp[-_.]?server|server[-_.]?mcp|api)", re.IGNORECASE)
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed besides. `name` is what the server is to be called here; empty: as it calls itself."""

    name: str
    words: tuple[str, ...]
    yes: bool
    version: str = "latest"
    kind: str | None = None
    registry: str | None = None


def add_from_registry(context: click.Context, published: str, wish: Wish, adding: Adding) -> None:
    """Raises PublishedError, McpError."""
    given = told(wish.words)
    with client() as web:
        registry = registry_of(wish.registry, adding.config_path, web)
        found = _server(registry, published, wish.version)
        _tell_status(found)
        name = wish.name or _short_name(found.name)
        adding.check_name(name)
        offer = _chosen(found, wish.kind)
        if isinstance(offer, Bundle):
            with tempfile.TemporaryDirectory(prefix="llm-mcp-") as folder:
                file = Path(folder, "bundle.mcpb")
                click.echo(f"fetching {visible(offer.url)}", err=True)
                download(web, offer.url, file, offer.sha256, named_by=registry.base)
                _add_bundle(context, file, offer.url, Wish(name, wish.words, wish.yes), adding)
            return
    about = [f"{found.name} {found.version}, from {registry.base}", found.description, found.home]
    about += [f"also as {other.label} (--package {other.kind})" for other in _others(found, offer)]
    answers = answered(offer.inputs, given)
    _agree(name, about, offer.entry(_hidden(offer.inputs, answers)), wish, adding)
    values = _confided(name, offer.inputs, answers, adding)
    add(context, name, offer.entry(values), adding)


def add_from_file(context: click.Context, file: Path, wish: Wish, adding: Adding) -> None:
    """Raises PublishedError, McpError."""
    if not file.is_file():
        raise PublishedError(f"there is no file {str(file)!r}")
    _add_bundle(context, file, str(file), wish, adding)


# --- a server of the registry -----------------------------------------------------------------------


def _server(registry: Registry, name: str, version: str) -> Published:
    try:
        return registry.server(name, version)
    except NotThere:
        near = [clean_line(one.name) for one in registry.search([name.rpartition("/")[2] or name], 5)]
    if version != "latest" and name in near:
        raise PublishedError(f"{registry.base} has {name!r}, but no version {version!r} of it")
    meant = f"; did you mean: {', '.join(near)}?" if near else "; to look for one: llm mcp search WORDS"
    raise PublishedError(f"{registry.base} has no server {name!r}{meant}")


def _tell_status(found: Published) -> None:
    said = f": {clean_line(found.status_message)}" if found.status_message else ""
    if found.status == "deleted":
        raise PublishedError(f"{found.name!r} was withdrawn from the registry{said}")
    if found.status != "active":
        click.echo(f"Warning: {clean_line(found.name)} is {clean_line(found.status)}{said}", err=True)


def _short_name(published: str) -> str:
    """`weather` of io.github.user/weather; of com.stripe/mcp the part that says something."""
    space, _, name = clean_line(published).rpartition("/")
    return space.rpartition(".")[2] if _VAGUE.fullmatch(name) and space else name


def _chosen(found: Published, kind: str | None) -> Offer:
    offers, refused = offers_of(found.document)
    fitting = [one for one in offers if kind in (None, one.kind)]
    if not fitting:
        kinds = ", ".join(dict.fromkeys(one.kind for one in offers))
        why = (
            [f"--package: there is only {kinds}"]
            if kinds
            else refused or ["it has neither packages nor remotes"]
        )
        raise PublishedError(f"{found.name!r} cannot be added: {'; '.join(why)}")
    if len(fitting) > 1 and kind is None and has_terminal():
        return _picked(fitting)
    return next(filter(_is_at_hand, fitting), fitting[0])


def _others(found: Published, offer: Offer) -> list[Offer]:
    """One of each other kind."""
    offers, _ = offers_of(found.document)
    return list({one.kind: one for one in reversed(offers) if one.kind != offer.kind}.values())


def _is_at_hand(offer: Offer) -> bool:
    return not isinstance(offer, Package) or shutil.which(offer.runner) is not None


def _picked(offers: Sequence[Offer]) -> Offer:
    from llm_tools_mcp.terminal.choosing import Option, choose
    from llm_tools_mcp.terminal.tty import EndOfInput, NoTerminal, terminal

    ranked = sorted(offers, key=lambda one: not _is_at_hand(one))
    try:
        with terminal() as tty:
            tty.print("It is there in several forms:")
            tty.quote(
                "\n".join(f"{number}  {visible(one.label)}" for number, one in enumerate(ranked, 1)),
                is_list=True,
            )
            numbers = [Option(str(number), one.kind, one.label) for number, one in enumerate(ranked, 1)]
            return ranked[int(choose(tty, "Which one?", numbers)) - 1]
    except NoTerminal as why:
        raise McpError(f"{why}; name one: --package KIND") from None
    except EndOfInput:
        raise McpError("nothing was added") from None


# --- a bundle ---------------------------------------------------------------------------------------


def _add_bundle(context: click.Context, file: Path, source: str, wish: Wish, adding: Adding) -> None:
    given = told(wish.words)
    with opened(file) as bundle:
        manifest = bundle.manifest
        name = wish.name or clean_line(manifest.name)
        adding.check_name(name)
        folder = bundle.folder(name, str(adding.path))
        answers = answered(manifest.inputs, given)
        shown = manifest.entry(folder, bundle.files, _hidden(manifest.inputs, answers))
        _agree(name, list(_about(bundle, source)), shown, wish, adding)
        entry = manifest.entry(folder, bundle.files, _confided(name, manifest.inputs, answers, adding))
        is_fresh = bundle.install(folder)
    try:
        add(context, name, entry, adding)
    except BaseException:  # also Ctrl-C
        if is_fresh:
            _remove_unwritten(folder, adding.path)
        raise


def _remove_unwritten(folder: Path, path: Path) -> None:
    """The bundle's folder, unless its entry was written before something failed: it points there."""
    written: Entry = {}
    with suppress(McpError):  # what cannot be read was not written either
        written = servers_of(path)
    remove_unused([str(folder)], [written])


def _about(bundle: OpenBundle, source: str) -> Iterator[str]:
    manifest = bundle.manifest
    signed = "; it is signed, which is not checked" if bundle.is_signed else ""
    yield f"{manifest.name} {manifest.version}, from {source}{signed}"
    yield manifest.description
    if manifest.runtimes:
        yield f"needs {', '.join(f'{program} {version}' for program, version in manifest.runtimes.items())}"


# --- what both share --------------------------------------------------------------------------------


def _agree(name: str, about: Sequence[str], entry: Entry, wish: Wish, adding: Adding) -> None:
    """All that will be written, secrets apart; on a terminal it is asked for."""
    click.echo(visible(name))
    for line in (*filter(None, about), *_lines(entry)):
        click.echo(f"  {visible(line)}")
    path = config_file(adding.config_path)
    if has_terminal() and not wish.yes and not click.confirm(f"Add it to {path}?", default=True):
        raise McpError("nothing was added")


def _lines(entry: Entry) -> Iterator[str]:
    if "command" in entry:
        yield f"runs: {shlex.join([entry['command'], *entry.get('args', [])])}"
    else:
        yield f"connects to: {entry['url']}"
    for key in ("env", "headers"):
        yield from (f"{key}: {name}={value}" for name, value in entry.get(key, {}).items())


def _hidden(inputs: Sequence[Input], answers: Values) -> Values:
    """For the screen."""
    return _with_secrets(inputs, answers, lambda _, __: _HIDDEN)


def _confided(name: str, inputs: Sequence[Input], answers: Values, adding: Adding) -> Values:
    """Secrets are kept elsewhere, and a placeholder stands for each."""
    where = adding.secrets or KEYS
    if where == KEEP:
        return answers
    return _with_secrets(inputs, answers, lambda key, secret: kept(where, adding.path, name, key, secret))


def _with_secrets(
    inputs: Sequence[Input], answers: Values, stand_in: Callable[[str, str], str]
) -> Mapping[str, tuple[str, ...]]:
    """`${VAR}`, and what a publisher gives everybody, are no secrets."""
    secret = {one.key: one.default_answers for one in inputs if one.is_secret}
    return {
        key: tuple(
            stand_in(key, value) if key in secret and "${" not in value and values != secret[key] else value
            for value in values
        )
        for key, values in answers.items()
    }
