"""Who guards a server: its metadata (RFC 9728), then its authorization server's (RFC 8414, OpenID).

Servers of the specification 2025-03-26 have no metadata of their own, and perhaps none at all: then the
endpoints are at fixed places. Identifiers are compared to the letter, as they were written: the SDK's models
would normalize them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llm_tools_mcp.errors import LoginError

from .address_guard import check_reach
from .records import place_of
from .values import text, texts
from .web import check_secure, get

if TYPE_CHECKING:
    import httpx2

# Of the authorization servers that a server names, so many are tried.
_MOST_ISSUERS = 4
_RESOURCE = "the server's metadata"
_SERVER = "the authorization server's metadata"


@dataclass(frozen=True, slots=True)
class Resource:
    """A protected server, as it describes itself. `issuers` are its authorization servers."""

    identifier: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """None is what it does not say. `has_metadata` is false for one whose endpoints are only assumed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    scopes: tuple[str, ...] | None = None
    auth_methods: tuple[str, ...] | None = None
    challenge_methods: tuple[str, ...] | None = None
    announces_issuer: bool = False
    takes_documents: bool = False
    has_metadata: bool = True


async def find_resource(client: httpx2.AsyncClient, url: str, metadata_url: str) -> Resource | None:
    """None where nothing is published. `metadata_url` is what the server named, if it did.

    Raises LoginError where the metadata is of another server, LoginUnreachable where nobody answers.
    """
    from mcp.client.auth.utils import build_protected_resource_metadata_discovery_urls

    if metadata_url:
        check_secure(metadata_url, _RESOURCE)
        await check_reach(metadata_url, _RESOURCE, url)
    for place in build_protected_resource_metadata_discovery_urls(metadata_url or None, place_of(url)):
        answer = await get(client, place, _RESOURCE)
        if answer.status >= 500:
            raise LoginError(f"{_RESOURCE} cannot be read: {place_of(place)} answered HTTP {answer.status}")
        found = answer.object() if answer.is_success else {}
        if found.get("resource"):
            return _resource(found, url)
    return None


def _resource(found: dict[str, Any], url: str) -> Resource:
    from mcp.shared.auth_utils import check_resource_allowed

    identifier = text(found, "resource")
    try:
        is_allowed = check_resource_allowed(place_of(url), identifier)
    except ValueError:  # http://[
        is_allowed = False
    if not is_allowed:
        raise LoginError(f"the metadata is of another server ({identifier}), not of {place_of(url)}; refused")
    issuers = texts(found, "authorization_servers") or ()
    if not issuers:
        raise LoginError(f"{_RESOURCE} names no authorization server")
    return Resource(identifier, issuers, texts(found, "scopes_supported") or ())


async def find_server(
    client: httpx2.AsyncClient, resource: Resource | None, url: str, wanted_issuer: str = ""
) -> AuthorizationServer:
    """The first of the resource's that answers, `wanted_issuer` alone if that is given. Raises LoginError.

    `wanted_issuer` is the person's word: it may be anywhere.
    """
    if resource is None:
        return await _server_of_2025_03_26(client, url, wanted_issuer)
    named_by = wanted_issuer or url
    issuers = resource.issuers
    if wanted_issuer:
        issuers = tuple(issuer for issuer in issuers if issuer == wanted_issuer)
        if not issuers:
            known = ", ".join(resource.issuers)
            raise LoginError(f"`issuer` in the config is {wanted_issuer}, but the server names {known[:300]}")
    failures: list[LoginError] = []
    for issuer in issuers[:_MOST_ISSUERS]:
        try:
            return await _described(client, issuer, named_by)
        except LoginError as error:
            failures.append(error)
    raise failures[0]


async def find_provider(client: httpx2.AsyncClient, issuer: str) -> AuthorizationServer:
    """The identity provider that the config names. Raises LoginError."""
    return await _described(client, issuer, issuer)


def _places(issuer: str | None, url: str) -> Sequence[str]:
    from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls

    return build_oauth_authorization_server_metadata_discovery_urls(issuer, place_of(url))


async def _described(client: httpx2.AsyncClient, issuer: str, named_by: str) -> AuthorizationServer:
    check_secure(issuer, "the authorization server")
    await check_reach(issuer, "the authorization server", named_by, issuer)
    for place in _places(issuer, issuer):
        answer = await get(client, place, _SERVER)
        if answer.is_success and (found := answer.object()):
            return await _server(found, issuer, named_by)
        if answer.status >= 500:
            raise LoginError(f"{_SERVER} cannot be read: {place_of(place)} answered HTTP {answer.status}")
    raise LoginError(f"the authorization server {issuer} publishes no metadata")


async def _server_of_2025_03_26(
    client: httpx2.AsyncClient, url: str, wanted_issuer: str
) -> AuthorizationServer:
    parts = urlsplit(place_of(url))
    origin = f"{parts.scheme}://{parts.netloc}"
    if wanted_issuer and wanted_issuer != origin:
        return await _described(client, wanted_issuer, wanted_issuer)
    for place in _places(None, url):
        answer = await get(client, place, _SERVER)
        if answer.is_success and (found := answer.object()):
            return await _server(found, origin, url)
    return AuthorizationServer(
        origin, f"{origin}/authorize", f"{origin}/token", f"{origin}/register", has_metadata=False
    )


async def _server(found: dict[str, Any], issuer: str, named_by: str) -> AuthorizationServer:
    """Raises LoginError for another issuer: its answers would pass for those of the one that was asked."""
    if found.get("issuer") != issuer:
        named = text(found, "issuer")[:200] or "nobody"
        raise LoginError(f"the metadata of {issuer} says that it is {named}'s; refused")
    return AuthorizationServer(
        issuer,
        await _endpoint(found, "authorization_endpoint", issuer, named_by),
        await _endpoint(found, "token_endpoint", issuer, named_by),
        await _endpoint(found, "registration_endpoint", issuer, named_by),
        await _endpoint(found, "revocation_endpoint", issuer, named_by),
        texts(found, "scopes_supported"),
        texts(found, "token_endpoint_auth_methods_supported"),
        texts(found, "code_challenge_methods_supported"),
        found.get("authorization_response_iss_parameter_supported") is True,
        found.get("client_id_metadata_document_supported") is True,
    )


async def _endpoint(found: dict[str, Any], key: str, issuer: str, named_by: str) -> str:
    what = f"`{key}` of the authorization server"
    url = text(found, key)
    return await check_reach(check_secure(url, what), what, named_by, issuer) if url else ""
