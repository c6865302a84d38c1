"""`llm mcp logout`: revoke, forget, and end what the login had opened."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import command, config_option
from llm_tools_mcp.cli.completers import server_names
from llm_tools_mcp.cli.running_daemon import ask_status, is_running
from llm_tools_mcp.errors import LoginError, McpError
from llm_tools_mcp.login.records import LOGGED_OUT, Login, Records
from llm_tools_mcp.login.store import LoginStore
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.text.plain import plain

from .login import definition_in, source_of

if TYPE_CHECKING:
    from llm_tools_mcp.config import ServerDefinition


@command("logout", "llm mcp logout linear")
@click.argument("server", shell_complete=server_names)
@config_option
def logout_command(*, server: str, config_path: str | None) -> None:
    """Log out of a remote server: its tokens are revoked where that is offered, and forgotten."""
    definition = _definition(server, config_path)
    name = definition.name if definition is not None else server
    store = LoginStore(paths.logins_file())
    logins = [login for login in store.read().logins if login.server == name and login.is_usable]
    if not logins:
        raise McpError(f"nobody is logged in to {name!r}")
    logins = [_forgotten(store, login) for login in logins]
    _tell_daemon()
    for login in logins:
        store.refresh_lock(login.id).unlink(missing_ok=True)
    for login in logins:
        _end(login, definition)
    click.echo(f"logged out of {name!r}")


def _definition(server: str, config_path: str | None) -> ServerDefinition | None:
    """None for one that is not configured any more: its login can be ended, too."""
    try:
        return definition_in(source_of(server, config_path), server)
    except McpError:
        return None


def _forgotten(store: LoginStore, login: Login) -> Login:
    """As it was until then: the daemon may have renewed it since it was read."""
    last = login

    def without(records: Records) -> Records:
        nonlocal last
        now = records.by_id(login.id)
        if now is None:
            return records
        last = now if now.is_usable else login
        return records.with_changed_login(now.over(LOGGED_OUT))

    store.change(without)
    return last


def _tell_daemon() -> None:
    """It looks at the store whenever it is asked something."""
    if is_running(installed_service()):
        ask_status()


def _end(login: Login, definition: ServerDefinition | None) -> None:
    """At the authorization server, and in the keyring."""
    from llm_tools_mcp.login import vault

    try:
        asyncio.run(_revoked(vault.opened(login), definition))
    except LoginError as error:
        click.echo(f"Warning: it is forgotten here, but not revoked: {plain(str(error))}", err=True)
    try:
        vault.forget(login)
    except LoginError as error:
        click.echo(f"Warning: its tokens are still in the keyring: {plain(str(error))}", err=True)


async def _revoked(login: Login, definition: ServerDefinition | None) -> None:
    """The refresh token, then the access token, which need not end with it (RFC 7009)."""
    from llm_tools_mcp.login.token import Client, revoke
    from llm_tools_mcp.login.web import own_client

    if not login.revocation_endpoint:
        return
    oauth = definition.oauth if definition is not None else None
    secret = login.client_secret or (oauth.for_person.client_secret if oauth is not None else "")
    client = Client(login.client_id, login.auth_method, login.issuer, secret)
    tokens = {"refresh_token": login.refresh_token, "access_token": login.access_token}
    held = [(token, hint) for hint, token in tokens.items() if token]
    async with own_client() as http:
        for place, (token, hint) in enumerate(held):
            # Most servers have ended the access token with the first, and some refuse to hear of it again.
            with suppress(LoginError) if place else nullcontext():
                await revoke(http, login.revocation_endpoint, client, token, hint, tokens.values())
