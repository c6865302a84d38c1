"""Who we are at an authorization server: as configured, a document, or registered there (RFC 7591)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import __version__
from llm_tools_mcp.config.oauth import OAuth
from llm_tools_mcp.errors import LoginError, LoginRefused

from .discovery import AuthorizationServer
from .records import Records, Registration
from .token import BASIC, NONE, POST, PRIVATE_KEY_JWT, Client, describe
from .values import seconds, text
from .web import post

if TYPE_CHECKING:
    import httpx2

_NAME = "llm-tools-mcp"


def configured_client(oauth: OAuth, server: AuthorizationServer) -> Client | None:
    """The client that the config names, if it does."""
    if not oauth.client_id:
        return None
    if oauth.private_key:
        return Client(
            oauth.client_id,
            PRIVATE_KEY_JWT,
            server.issuer,
            private_key=oauth.private_key,
            algorithm=oauth.algorithm,
        )
    method = _method_for_secret(server) if oauth.client_secret else NONE
    return Client(oauth.client_id, method, server.issuer, oauth.client_secret)


def document_client(oauth: OAuth, server: AuthorizationServer) -> Client | None:
    """A client whose id is the url of its own description."""
    if oauth.client_metadata_url and server.takes_documents:
        return Client(oauth.client_metadata_url, NONE, server.issuer)
    return None


def known_registrations(
    records: Records, server: AuthorizationServer, scopes: tuple[str, ...]
) -> list[Registration]:
    """Those made earlier, at this issuer, that may still be used and cover the scopes."""
    return [
        each
        for each in records.registrations
        if each.issuer == server.issuer
        and (not each.expires_at or each.expires_at > time.time())
        and set(scopes) <= set(each.scopes)
    ]


def client_of(registration: Registration) -> Client:
    return Client(
        registration.client_id, registration.auth_method, registration.issuer, registration.client_secret
    )


async def register(
    http: httpx2.AsyncClient, server: AuthorizationServer, redirect_uri: str, scopes: tuple[str, ...]
) -> Registration:
    """Raises LoginError, with what to do where the server does not register clients by itself."""
    if not server.registration_endpoint:
        raise LoginError(how_to_register(server.issuer, redirect_uri))
    wanted = _method(server)
    answer = await post(
        http,
        server.registration_endpoint,
        "the registration endpoint",
        json={
            "client_name": _NAME,
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": wanted,
            "application_type": "native",
            "software_id": _NAME,
            "software_version": __version__,
            **({"scope": " ".join(scopes)} if scopes else {}),
        },
    )
    found = answer.object()
    if not server.has_metadata and not answer.is_success:
        raise LoginRefused(
            f"{server.issuer} asks for a login, but publishes nothing about one (OAuth); it may want "
            'a token instead: "headers": {"Authorization": "Bearer ${TOKEN}"} in its entry'
        )
    if not answer.is_success or not text(found, "client_id"):
        said = describe(str(found.get("error", ""))[:60], found.get("error_description"))
        reason = f"HTTP {answer.status}{f', {said}' if said else ''}"
        raise LoginRefused(
            f"{server.issuer} did not register this program ({reason})\n"
            f"{how_to_register(server.issuer, redirect_uri)}"
        )
    return _registration(found, server, redirect_uri, scopes, wanted)


def _registration(
    found: dict[str, Any],
    server: AuthorizationServer,
    redirect_uri: str,
    scopes: tuple[str, ...],
    wanted: str,
) -> Registration:
    given, secret = found.get("token_endpoint_auth_method"), text(found, "client_secret")
    if server.auth_methods is None and secret:
        wanted = BASIC  # what counts where neither side says anything (RFC 7591)
    method = given if given in (BASIC, POST, NONE) else wanted
    return Registration(
        server.issuer,
        redirect_uri,
        text(found, "client_id"),
        method,
        secret if method != NONE else "",
        scopes,
        seconds(found.get("client_secret_expires_at")) or 0.0,
    )


def how_to_register(issuer: str, redirect_uri: str) -> str:
    return (
        f"register a client there by hand ({issuer}), with the redirect url {redirect_uri}, "
        'and put what you get into the server\'s entry: "oauth": {"clientId": "…", "clientSecret": "…", '
        '"callbackPort": …}'
    )


def _method(server: AuthorizationServer) -> str:
    """As a public client if that is possible: a secret on a person's machine is none."""
    offered = server.auth_methods
    if offered is None or NONE in offered:
        return NONE
    return next((method for method in (BASIC, POST) if method in offered), NONE)


def _method_for_secret(server: AuthorizationServer) -> str:
    offered = server.auth_methods
    return POST if offered is not None and BASIC not in offered and POST in offered else BASIC
