"""Tokens that an employer's identity provider decides about: see llm_tools_mcp.login.identity."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.config.oauth import OAuth
from llm_tools_mcp.errors import LoginRefused
from llm_tools_mcp.login.records import Login

from .login_tokens import LoginTokens, lasting
from .logins import Logins
from .machine_tokens import MachineTokens
from .renewal import ClientFor, LoginNeeded, Token

if TYPE_CHECKING:
    from llm_tools_mcp.login.discovery import AuthorizationServer
    from llm_tools_mcp.login.token import Grant

# What a provider says to an ID token that it does not take any more.
_OVER = "invalid_grant"


class IdentityTokens(LoginTokens):
    """ID tokens of a person who logged in at the identity provider."""

    def _token_of(self, login: Login) -> Token:
        return Token(login.id_token, login.expires_at, login.lifetime)

    def _renewed(self, login: Login, grant: Grant) -> Login:
        """Not every provider gives a new ID token: then the old one shows whether it is still taken."""
        from llm_tools_mcp.login.identity import lifetime_of

        if not grant.id_token:
            return login
        return lasting(dataclasses.replace(login, id_token=grant.id_token), lifetime_of(grant))


class ManagedTokens(MachineTokens):
    """Access tokens for whom the provider says that one is: by the entry's `idToken`, or by a login there."""

    def __init__(self, definition: ServerDefinition, logins: Logins, client_for: ClientFor) -> None:
        super().__init__(definition, logins, client_for)
        self._identity = IdentityTokens(definition, logins, client_for) if definition.login else None
        self._provider: AuthorizationServer | None = None

    def adopt(self, definition: ServerDefinition) -> None:
        super().adopt(definition)
        if self._identity is not None:
            self._identity.adopt(definition)

    async def settle(self) -> None:
        await super().settle()
        if self._identity is not None:
            await self._identity.settle()

    async def _form(self, issuer: str, resource: str, scopes: Sequence[str]) -> dict[str, str]:
        from llm_tools_mcp.login.identity import JWT_BEARER

        return {"grant_type": JWT_BEARER, "assertion": await self._grant_for(issuer, resource, scopes)}

    async def _grant_for(self, issuer: str, resource: str, scopes: Sequence[str]) -> str:
        if self._identity is None:
            return await self._exchanged(self._oauth.id_token, issuer, resource, scopes)
        token = await self._identity.bearer()
        try:
            return await self._exchanged(token, issuer, resource, scopes)
        except LoginRefused as error:
            if error.code != _OVER:
                raise
            refusal = error
        fresh = await self._identity.renewed(token)
        if fresh in ("", token):
            await self._identity.end(refusal)
            raise LoginNeeded
        return await self._exchanged(fresh, issuer, resource, scopes)

    async def _exchanged(self, id_token: str, issuer: str, resource: str, scopes: Sequence[str]) -> str:
        from llm_tools_mcp.login.discovery import find_provider
        from llm_tools_mcp.login.identity import exchange_identity

        oauth = self._oauth
        async with self._client(oauth.idp_issuer) as http:
            provider = self._provider or await find_provider(http, oauth.idp_issuer)
            self._provider = provider
        async with self._client(provider.token_endpoint) as http:
            try:
                return await exchange_identity(http, provider, oauth, id_token, issuer, resource, scopes)
            except LoginRefused as error:
                what = "the `idToken` of its entry" if oauth.id_token else "to let you in there"
                raise LoginRefused(f"{provider.issuer} refused {what}: {error}", error.code) from None

    @property
    def _oauth(self) -> OAuth:
        assert self._definition.oauth is not None
        return self._definition.oauth
