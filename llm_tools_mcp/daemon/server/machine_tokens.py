"""Tokens of a client that logs in as itself (`client_credentials`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.errors import LoginRefused
from llm_tools_mcp.login.records import place_of

from .logins import Logins
from .renewal import ClientFor, Token, Tokens

if TYPE_CHECKING:
    from llm_tools_mcp.login.challenge import Demand
    from llm_tools_mcp.login.discovery import AuthorizationServer, Resource


class MachineTokens(Tokens):
    """Of a client that logs in as itself (`client_credentials`). Kept in memory: a new one costs nobody."""

    def __init__(self, definition: ServerDefinition, logins: Logins, client_for: ClientFor) -> None:
        super().__init__(definition, logins, client_for)
        self._token = Token("")
        self._found: tuple[Resource | None, AuthorizationServer] | None = None
        self._demand: Demand | None = None
        self._scopes: tuple[str, ...] = ()  # which the token was asked for with
        self._more: tuple[str, ...] = ()  # which a 403 asked for

    def note(self, demand: Demand, refused: str) -> bool:
        """The server's own words: where its metadata is, and which scopes it wants."""
        if not demand.lacks_scope:
            self._demand = demand
            return True
        more = [scope for scope in demand.scopes if scope not in self._scopes]
        self._more = (*self._more, *more)
        return bool(more) or refused != self._token.text  # somebody was faster

    def _current(self) -> Token:
        return self._token

    def _can_renew(self, token: Token) -> bool:  # noqa: ARG002 - it depends on whether a token is wanted
        return self._demand is not None

    async def _renew(self, stale: Token) -> Token:
        try:
            return await self._asked(stale)
        except LoginRefused:
            self._more = ()  # which may have been too much
            raise

    async def _asked(self, stale: Token) -> Token:
        from llm_tools_mcp.login.pins import pinned
        from llm_tools_mcp.login.registration import configured_client
        from llm_tools_mcp.login.token import request_token

        oauth = self._definition.oauth
        assert oauth is not None
        resource, server = self._found or await self._discovered()
        client = configured_client(oauth, server)
        assert client is not None  # the config was checked
        if oauth.client_secret and not oauth.issuer:  # else no file is needed
            url = self._definition.url
            await self._logins.change(lambda records: pinned(records, oauth, url, server.issuer))
        identifier = resource.identifier if resource is not None else place_of(self._definition.url)
        asked = self._demand.scopes if self._demand is not None else ()
        due = oauth.scopes or asked or (resource.scopes if resource is not None else ())
        scopes = tuple(dict.fromkeys([*due, *self._more]))
        form = {**await self._form(server.issuer, identifier, scopes), "resource": identifier}
        if scopes:
            form["scope"] = " ".join(scopes)
        async with self._client(server.token_endpoint) as http:
            grant = await request_token(http, server.token_endpoint, client, form, [stale.text])
        self._found, self._scopes = (resource, server), scopes
        lifetime = grant.expires_in or 0.0
        self._token = Token(grant.access_token, time.time() + lifetime if lifetime else 0.0, lifetime)
        return self._token

    async def _form(self, issuer: str, resource: str, scopes: Sequence[str]) -> dict[str, str]:  # noqa: ARG002 - of no weight here
        """What the token endpoint of this issuer is asked with, besides the resource and scopes."""
        return {"grant_type": "client_credentials"}

    async def _discovered(self) -> tuple[Resource | None, AuthorizationServer]:
        from llm_tools_mcp.login.discovery import find_resource, find_server

        definition, oauth = self._definition, self._definition.oauth
        assert oauth is not None
        metadata_url = self._demand.metadata_url if self._demand is not None else ""
        async with self._client(definition.url) as http:
            resource = await find_resource(http, definition.url, metadata_url)
            return resource, await find_server(http, resource, definition.url, oauth.issuer)
