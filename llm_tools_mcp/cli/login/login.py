"""`llm mcp login`: from a refusal to a working server in one command."""

from __future__ import annotations

import asyncio
import json
import resource
import shlex
from typing import TYPE_CHECKING, NamedTuple

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import as_json, command, config_option, did_you_mean
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.editing import check_source
from llm_tools_mcp.cli.tools.tools import list_tools_of, read_source
from llm_tools_mcp.cli.tools.trial import CONFIGURED, LOGGED_IN, tell_offer
from llm_tools_mcp.config import ConfigSource, ServerDefinition, config_for_url
from llm_tools_mcp.errors import ConfigError, LoginUnreachable, McpError
from llm_tools_mcp.login.store import LoginStore
from llm_tools_mcp.terminal.screen import clean_line
from llm_tools_mcp.text.plain import plain

from .person import TerminalPerson
from .table import as_dict, print_logins, until

if TYPE_CHECKING:
    from llm_tools_mcp.client.tools import Listing
    from llm_tools_mcp.login.records import Login

# Instead of what a server says that cannot be used, for one that can.
_NO_REFUSAL = "no refusal"


class Wanted(NamedTuple):
    """Scopes besides those that are due, and whether tokens go into the keyring; None: as before."""

    scopes: tuple[str, ...] = ()
    in_keyring: bool | None = None


@command(
    "login",
    "llm mcp login linear",
    "llm mcp login linear --no-browser    # prints the page's url, and takes the address it ended at",
    "llm mcp login linear --scope write   # besides what the server asks for",
    "llm mcp login linear --keyring       # keeps its tokens in the desktop's keyring, not in a file",
    "llm mcp login --status",
)
@click.argument("server", required=False, shell_complete=server_names)
@click.option("--no-browser", is_flag=True, help="Print the page's url instead of opening it.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="Ask for this one, too.")
@click.option("--keyring/--no-keyring", "in_keyring", default=None, help="Keep its tokens in the keyring.")
@click.option("--status", is_flag=True, help="Show who is logged in where, until when; no tokens.")
@config_option
@as_json
@click.pass_context
def login_command(
    context: click.Context,
    *,
    server: str | None,
    no_browser: bool,
    scopes: tuple[str, ...],
    in_keyring: bool | None,
    status: bool,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Log in to a remote server, by its name in mcp.json or its URL, in the browser.

    The tokens stay on this machine, in a file that is yours alone, or in the keyring. The daemon renews them.
    """
    if status:
        print_logins(server, as_json=as_json)
        return
    if server is None:
        raise click.UsageError("which server? llm mcp login NAME, or: llm mcp login --status")
    person = TerminalPerson(use_browser=not no_browser, as_json=as_json)
    if not log_in_to(server, config_path, person, Wanted(scopes, in_keyring), as_json=as_json):
        context.exit(1)


def log_in_to(
    name: str,
    config_path: str | None,
    person: TerminalPerson,
    wanted: Wanted | None = None,
    *,
    as_json: bool = False,
) -> bool:
    """Log in, connect, and say what came of it: whether the server can be used. Raises McpError."""
    _keep_out_of_cores()
    source = source_of(name, config_path)
    definition = definition_in(source, name)
    store = LoginStore(paths.logins_file())
    why, done = _why_not_needed(definition), CONFIGURED
    if why is not None:
        click.echo(why, err=True)
    elif (login := _logged_in(source, definition, store, person, wanted or Wanted())) is not None:
        _tell(login, as_json=as_json)
        done = LOGGED_IN
    listing = _listed(source, definition.name)
    if as_json:
        tools = [offer.tool for offer in listing.offers if offer.server == definition.name]
        click.echo(json.dumps({"server": definition.name, "tools": tools}))
        return not listing.failed
    return tell_offer(definition.name, listing, done)


def source_of(name: str, config_path: str | None) -> ConfigSource:
    """The config that names the server; of a url one with this server alone."""
    return config_for_url(name) if "://" in name else read_source(config_path)


def definition_in(source: ConfigSource, name: str) -> ServerDefinition:
    """The server as it would be reached from here. Raises McpError where there is none to log in to."""
    from llm_tools_mcp.config import configured_names

    servers = check_source(source).servers
    if not source.path:
        name = next(iter(servers))
    found = servers.get(name)
    if found is None:
        names = configured_names(source)
        if name in names:
            raise McpError(f"{name!r} is disabled; to enable it: llm mcp enable {shlex.quote(name)}")
        known = ", ".join(map(clean_line, names)) or "none"
        near = did_you_mean(name, names)
        raise McpError(f"no MCP server is called {name!r}; the config has: {known}{near}")
    if isinstance(found, ConfigError):
        raise found
    if not found.url:
        raise McpError(f"{name!r} is a command that runs here: it has no login of ours")
    return found


def _why_not_needed(definition: ServerDefinition) -> str | None:
    """Raises McpError where the entry rules a login out."""
    name, oauth = definition.name, definition.oauth
    if oauth is None:
        raise McpError(f'{name!r} has `"oauth": false` in its entry, which rules a login out')
    if definition.headers_helper:
        raise McpError(f"{name!r} has a `headersHelper`, which counts instead of a login")
    if not definition.can_log_in:
        raise McpError(f"{name!r} has an `Authorization` header in its entry; it counts instead of a login")
    if oauth.is_for_machines:
        return f"{name!r} needs no login by a person: the daemon gets its tokens by itself"
    return None


def _logged_in(
    source: ConfigSource,
    definition: ServerDefinition,
    store: LoginStore,
    person: TerminalPerson,
    wanted: Wanted,
) -> Login | None:
    """None for a server that answers without a login."""
    records = store.read()
    known = records.login(definition.name, definition.url)
    refusal = ""
    if records.challenge(definition.name, definition.url) is None and not (known and known.is_usable):
        listing = _listed(source, definition.name)  # the server's own words are in the store afterwards
        is_asked = store.read().challenge(definition.name, definition.url) is not None
        refusal = "" if is_asked else next((failed.reason for failed in listing.failed), _NO_REFUSAL)
    return asyncio.run(_flow(definition, store, person, wanted, refusal))


async def _flow(
    definition: ServerDefinition,
    store: LoginStore,
    person: TerminalPerson,
    wanted: Wanted,
    refusal: str,
) -> Login | None:
    """`refusal` is what the server said instead of asking for a login; empty where it did ask."""
    from llm_tools_mcp.login.authorize import log_in
    from llm_tools_mcp.login.discovery import find_resource
    from llm_tools_mcp.login.web import own_client

    async with own_client() as http:
        failure = "did not ask for a login"
        try:
            is_known = not refusal or await find_resource(http, definition.url, "") is not None
        except LoginUnreachable:
            is_known, failure = False, "cannot be reached, so that it is unknown whether it wants a login"
        if not is_known:
            if refusal == _NO_REFUSAL:
                click.echo(f"{definition.name!r} answers without a login", err=True)
                return None
            raise McpError(f"{definition.name!r} {failure}: {plain(refusal)}")
        return await log_in(http, store, definition, person, wanted.scopes, in_keyring=wanted.in_keyring)


def _listed(source: ConfigSource, name: str) -> Listing:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display

    return list_tools_of(source, name, Daemon(by_hand=True), Display(), refresh=True)


def _tell(login: Login, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(as_dict(login)))
        return
    scopes = f"; scopes: {clean_line(' '.join(login.scopes))}" if login.scopes else ""
    click.echo(f"logged in to {login.server!r} at {plain(login.issuer)}; {until(login)}{scopes}")


def _keep_out_of_cores() -> None:
    """A crash of this process must leave no token on the disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
