"""A person's login, from the server's refusal to stored tokens: the authorization code with PKCE.

Runs in the command's process, which has the person's terminal and browser. The daemon never does this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.config.oauth import OAuth
from llm_tools_mcp.errors import KeyringUnusable, LoginError, LoginRefused, LoginsUnusable

from . import vault
from .callback import HOST, PATH, Listener, Redirect
from .discovery import AuthorizationServer
from .identity import lifetime_of
from .pins import pinned
from .records import Login, Records, Registration, place_of
from .registration import client_of, configured_client, document_client, known_registrations, register
from .request import Request, find_target
from .store import LoginStore
from .token import Client, Grant, describe, request_token

if TYPE_CHECKING:
    import httpx2

# Seconds that a person may take.
PATIENCE = 900.0


class Person(Protocol):
    """Who logs in."""

    def send_to(self, url: str) -> None:
        """Show the page at this url: in the browser, or by printing it."""

    def say(self, text: str) -> None: ...

    async def paste(self) -> str:
        """The url of the page that the browser came back to; waits for ever where nobody can paste."""


async def log_in(
    http: httpx2.AsyncClient,
    store: LoginStore,
    definition: ServerDefinition,
    person: Person,
    scopes: Sequence[str] = (),
    *,
    in_keyring: bool | None = None,
) -> Login:
    """Log in to the server and store the login. `scopes` are asked for besides those that are due; None is
    where its tokens were before.

    Raises LoginError, with what to do.
    """
    oauth = (definition.oauth or OAuth()).for_person
    records = store.read()
    before = records.login(definition.name, definition.url)
    if in_keyring is None:
        in_keyring = before is not None and before.in_keyring
    if in_keyring:
        await vault.patiently(vault.check, definition.name, PATIENCE)
    server, resource, wanted = await find_target(http, records, definition, oauth, scopes)
    listener = Listener(urlsplit(oauth.redirect_uri).path or PATH if oauth.redirect_uri else PATH, person.say)
    try:
        client, redirect_uri = await _client(http, store, records, oauth, server, listener, wanted)
        request = Request(server, client, resource, redirect_uri, wanted)
        redirect = await _answer(listener, person, request)
        grant = await _grant(http, store, definition, request, _code(redirect, request))
        login = replace(_made(definition, oauth, request, grant), in_keyring=in_keyring)
        await _keep(store, login, before)
    except LoginError as error:
        await listener.finish(f"The login failed: {error}")
        raise
    except asyncio.CancelledError:
        await listener.finish("The login was broken off in the terminal.")
        raise
    await listener.finish(f"You are logged in to {definition.name!r}. You can close this page.")
    return login


# --- who asks ---------------------------------------------------------------------------------------


async def _client(
    http: httpx2.AsyncClient,
    store: LoginStore,
    records: Records,
    oauth: OAuth,
    server: AuthorizationServer,
    listener: Listener,
    scopes: tuple[str, ...],
) -> tuple[Client, str]:
    """The client, and the redirect url that it is known with; the listener listens there."""
    client = configured_client(oauth, server) or document_client(oauth, server)
    port = urlsplit(oauth.redirect_uri).port or oauth.callback_port
    if client is not None or port:
        await listener.start(port or 0)
        redirect_uri = oauth.redirect_uri or _redirect_uri(listener.port)
        if client is not None:
            return client, redirect_uri
        known = [
            each for each in known_registrations(records, server, scopes) if each.redirect_uri == redirect_uri
        ]
    else:
        known = await _listen_as_registered(known_registrations(records, server, scopes), listener)
        redirect_uri = _redirect_uri(listener.port)
    if known:
        return client_of(known[0]), redirect_uri
    registration = await register(http, server, redirect_uri, scopes)
    store.change(lambda records: records.with_registration(registration))
    return client_of(registration), redirect_uri


async def _listen_as_registered(registrations: list[Registration], listener: Listener) -> list[Registration]:
    """On the port of a registration, so that it can be used again; else on any, for a new one."""
    for registration in registrations:
        try:
            await listener.start(urlsplit(registration.redirect_uri).port or 0)
        except LoginError:
            continue
        return [registration]
    await listener.start(0)
    return []


def _redirect_uri(port: int) -> str:
    return f"http://{HOST}:{port}{PATH}"


# --- the person's part ------------------------------------------------------------------------------


async def _answer(listener: Listener, person: Person, request: Request) -> Redirect:
    """What came back: through the listener, or by hand. Raises LoginError after a long silence."""
    coming = asyncio.ensure_future(listener.redirect(request.state))
    person.send_to(request.url)
    pasting = asyncio.ensure_future(_pasted(person, request.state))
    try:
        done, _ = await asyncio.wait([coming, pasting], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise LoginError(f"nobody logged in within {PATIENCE / 60:.0f} minutes")
        return (coming if coming in done else pasting).result()
    finally:
        coming.cancel()
        pasting.cancel()


async def _pasted(person: Person, state: str) -> Redirect:
    while True:
        redirect = Redirect.parsed(await person.paste())
        if redirect.has_state(state):
            return redirect
        if redirect.state:
            person.say("that url belongs to another login (wrong `state`); paste the one of this login:")
        else:
            person.say(
                "that is not the url that the browser came back to: it holds `state=…`; paste it whole:"
            )


def _code(redirect: Redirect, request: Request) -> str:
    """The code, from whom it was asked for and from nobody else (RFC 9207). Raises LoginError."""
    server = request.server
    if redirect.issuer is None and server.announces_issuer:
        raise LoginRefused(f"the answer does not say that it comes from {server.issuer} (`iss`); refused")
    if redirect.issuer is not None and redirect.issuer != server.issuer:
        raise LoginRefused(f"the answer comes from another server than {server.issuer} (`iss`); refused")
    if redirect.error == "access_denied":
        raise LoginRefused("it was denied in the browser", redirect.error)
    if redirect.error or not redirect.code or not redirect.code.isprintable():
        secret = (request.client.secret, request.state, redirect.code)
        said = describe(redirect.error[:60], redirect.description, secret) or "it sent no code"
        raise LoginRefused(f"{server.issuer} refused: {said}")
    return redirect.code


# --- the tokens -------------------------------------------------------------------------------------


async def _grant(
    http: httpx2.AsyncClient, store: LoginStore, definition: ServerDefinition, request: Request, code: str
) -> Grant:
    server, client, oauth = request.server, request.client, (definition.oauth or OAuth()).for_person
    store.change(lambda records: pinned(records, oauth, definition.url, server.issuer))
    try:
        grant = await request_token(http, server.token_endpoint, client, request.form(code))
    except LoginRefused as error:
        if error.code in ("invalid_client", "unauthorized_client"):  # it has forgotten the registration
            store.change(lambda records: records.without_client(server.issuer, client.id))
        raise LoginRefused(f"{server.issuer} refused: {error}", error.code) from None
    if oauth.is_managed and not grant.id_token:
        raise LoginRefused(f"{server.issuer} did not say who you are: its answer has no ID token")
    return grant


async def _keep(store: LoginStore, login: Login, before: Login | None) -> None:
    """In the place of the one that there was."""
    if login.in_keyring:
        await vault.patiently(vault.put, login, PATIENCE)
    try:
        store.change(lambda records: records.with_login(login))
    except LoginsUnusable:
        with suppress(KeyringUnusable):
            await vault.patiently(vault.forget, login)  # nobody would look under its id
        raise
    if before is not None:
        store.refresh_lock(before.id).unlink(missing_ok=True)
        with suppress(KeyringUnusable):
            await vault.patiently(vault.forget, before)


def _made(definition: ServerDefinition, oauth: OAuth, request: Request, grant: Grant) -> Login:
    server, client, now = request.server, request.client, time.time()
    lifetime = lifetime_of(grant) if oauth.is_managed else grant.expires_in or 0.0
    return Login(
        server=definition.name,
        url=place_of(definition.url),
        issuer=server.issuer,
        resource=request.resource,
        client_id=client.id,
        client_secret="" if client.id == oauth.client_id else client.secret,
        auth_method=client.auth_method,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        scopes=grant.scopes if grant.scopes is not None else request.scopes,
        requested=request.scopes,
        access_token="" if oauth.is_managed else grant.access_token,
        refresh_token=grant.refresh_token,
        id_token=grant.id_token if oauth.is_managed else "",
        lifetime=lifetime,
        expires_at=now + lifetime if lifetime else 0.0,
        since=now,
    )
