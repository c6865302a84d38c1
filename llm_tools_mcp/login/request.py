"""What is asked of an authorization server for a person: of which, for which resource, with which scopes."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.config.oauth import OAuth
from llm_tools_mcp.errors import LoginError

from .discovery import AuthorizationServer, Resource, find_provider, find_resource, find_server
from .pins import pinned
from .records import LOGGED_OUT, Challenge, Login, Records, place_of
from .token import Client

if TYPE_CHECKING:
    import httpx2

_OFFLINE, _OPENID = "offline_access", "openid"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the authorization server. `verifier` and `state` are made up for this time alone.

    `resource` is empty at an identity provider, where one says who one is, and not what for.
    """

    server: AuthorizationServer
    client: Client
    resource: str
    redirect_uri: str
    scopes: tuple[str, ...]
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if self.resource:
            parameters["resource"] = self.resource
        if self.scopes:
            parameters["scope"] = " ".join(self.scopes)
        if _OFFLINE in self.scopes:
            parameters["prompt"] = "consent"  # OpenID gives no refresh token without it
        parts = urlsplit(self.server.authorization_endpoint)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()])
        return urlunsplit(parts._replace(query=query, fragment=""))

    def form(self, code: str) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **({"resource": self.resource} if self.resource else {}),
        }


async def find_target(
    http: httpx2.AsyncClient,
    records: Records,
    definition: ServerDefinition,
    oauth: OAuth,
    scopes: Sequence[str],
) -> tuple[AuthorizationServer, str, tuple[str, ...]]:
    """Where to log in, for which resource, with which scopes. Raises LoginError."""
    url = definition.url
    if oauth.is_managed:
        provider = await find_provider(http, oauth.idp_issuer)
        _check_endpoints(provider)
        lasting = [_OFFLINE] if _OFFLINE in (provider.scopes or ()) else []
        return provider, "", tuple(dict.fromkeys([_OPENID, *scopes, *lasting]))
    challenge = records.challenge(definition.name, url) or Challenge(definition.name, place_of(url))
    resource = await find_resource(http, url, challenge.metadata_url)
    server = await find_server(http, resource, url, oauth.issuer)
    _check(server)
    pinned(records, oauth, url, server.issuer)
    previous = records.login(definition.name, url)
    wanted = _wanted_scopes(oauth, scopes, challenge, previous, resource, server)
    return server, resource.identifier if resource is not None else place_of(url), wanted


def _check_endpoints(server: AuthorizationServer) -> None:
    if not server.authorization_endpoint or not server.token_endpoint:
        raise LoginError(
            f"{server.issuer} offers no login for people: an endpoint is missing in its metadata"
        )


def _check(server: AuthorizationServer) -> None:
    _check_endpoints(server)
    if server.has_metadata and "S256" not in (server.challenge_methods or ()):
        reason = "does not announce PKCE (`code_challenge_methods_supported` without S256)"
        raise LoginError(f"{server.issuer} {reason}; refused, since the code could be stolen on its way")


def _wanted_scopes(
    oauth: OAuth,
    given: Sequence[str],
    challenge: Challenge,
    previous: Login | None,
    resource: Resource | None,
    server: AuthorizationServer,
) -> tuple[str, ...]:
    """What the server asked for, else what it lists; and nothing that is held already is lost."""
    from mcp.client.auth.utils import union_scopes

    due = oauth.scopes or challenge.scopes or (resource.scopes if resource is not None else ())
    held: tuple[str, ...] = ()
    if previous is not None and previous.issuer == server.issuer and previous.ended != LOGGED_OUT:
        held = previous.scopes
    found = union_scopes(union_scopes(" ".join(held), " ".join(due)), " ".join(given)) or ""
    wanted = tuple(found.split())
    if wanted and _OFFLINE in (server.scopes or ()) and _OFFLINE not in wanted:
        return (*wanted, _OFFLINE)
    return wanted
