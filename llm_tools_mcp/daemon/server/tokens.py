"""Where tokens come from: a person's login, or a client that logs in as itself."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.errors import LoginRefused
from llm_tools_mcp.login.records import Login, Records, place_of

from .logins import Logins
from .renewal import LoginNeeded, Token, Tokens, alone

if TYPE_CHECKING:
    import httpx2

    from llm_tools_mcp.login.challenge import Demand
    from llm_tools_mcp.login.discovery import AuthorizationServer, Resource
    from llm_tools_mcp.login.token import Grant

_log = logging.getLogger(__name__)

# Makes a client for requests to an authorization server at this url, in this environment.
ClientFor = Callable[[str, dict[str, str]], "AbstractAsyncContextManager[httpx2.AsyncClient]"]


class Renewals:
    """Of one daemon: sessions that share a login share its tokens."""

    def __init__(self, logins: Logins) -> None:
        self.logins = logins
        self._tokens: dict[str, Tokens] = {}

    def tokens_of(self, definition: ServerDefinition, client_for: ClientFor) -> Tokens | None:
        """None for a server that nobody is logged in to."""
        oauth = definition.oauth
        if definition.can_log_in and oauth is not None and oauth.is_for_machines:
            key = definition.identity
            return self._tokens.setdefault(key, MachineTokens(definition, self.logins, client_for))
        if not definition.login:
            return None
        return self._tokens.setdefault(definition.login, LoginTokens(definition, self.logins, client_for))

    async def aclose(self) -> None:
        """What is being renewed is stored first."""
        await asyncio.gather(*(tokens.settle() for tokens in self._tokens.values()))


class LoginTokens(Tokens):
    """Of a login that a person made, by its refresh token."""

    def __init__(self, definition: ServerDefinition, logins: Logins, client_for: ClientFor) -> None:
        super().__init__()
        self._definition = definition
        self._logins = logins
        self._unstored: Grant | None = None
        self._client_for = client_for

    def _client(self, url: str) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        return self._client_for(url, dict(self._definition.proxy_env))

    def _login(self) -> Login:
        login = self._logins.by_id(self._definition.login)
        if login is None:
            raise LoginNeeded
        return login

    def _current(self) -> Token:
        login = self._login()
        return Token(login.access_token, login.expires_at, login.lifetime)

    def _can_renew(self, token: Token) -> bool:  # noqa: ARG002 - all tokens of a login alike
        return bool(self._login().refresh_token)

    async def _renew(self, stale: Token) -> Token:
        login = self._login()
        async with alone(self._logins.store.refresh_lock(login.id)):
            if (now := self._current()).text != stale.text:
                return now  # another daemon did it: one that drains, say, while this one starts
            login = self._login()
            # A full disk must not cost the login: what was given and could not be stored is not asked again.
            grant = self._unstored or await self._granted(login)
            self._unstored = grant
            token = await self._stored(login, grant)
            self._unstored = None
            return token

    async def _granted(self, login: Login) -> Grant:
        try:
            return await self._asked(login)
        except LoginRefused as error:
            if not error.code:  # no authorization server speaks so: something before it
                raise
            await self._end(login, error)
            raise LoginNeeded from None

    async def _asked(self, login: Login) -> Grant:
        from llm_tools_mcp.login.token import Client, request_token

        oauth = self._definition.oauth
        secret = login.client_secret or (oauth.client_secret if oauth is not None else "")
        client = Client(login.client_id, login.auth_method, login.issuer, secret)
        form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
        if login.resource:
            form["resource"] = login.resource
        async with self._client(login.token_endpoint) as http:
            return await request_token(http, login.token_endpoint, client, form, [login.access_token])

    async def _stored(self, login: Login, grant: Grant) -> Token:
        lifetime = grant.expires_in or 0.0
        renewed = dataclasses.replace(
            login,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token or login.refresh_token,
            scopes=grant.scopes if grant.scopes is not None else login.scopes,
            lifetime=lifetime,
            expires_at=time.time() + lifetime if lifetime else 0.0,
        )
        records = await self._logins.change(lambda records: _if_usable(records, renewed))
        if (kept := records.by_id(login.id)) is None or not kept.is_usable:
            raise LoginNeeded  # logged out meanwhile
        _log.info("renewed the login of %s", login.server)
        return Token(renewed.access_token, renewed.expires_at, lifetime)

    async def _end(self, login: Login, why: LoginRefused) -> None:
        _log.warning("the login of %s is over: %s", login.server, why)

        def over(records: Records) -> Records:
            if why.code in ("invalid_client", "unauthorized_client"):
                records = records.without_client(login.issuer, login.client_id)
            return _if_usable(records, login.over(f"{why}"))

        await self._logins.change(over)


def _if_usable(records: Records, login: Login) -> Records:
    """A logout meanwhile stays one."""
    kept = records.by_id(login.id)
    return records.with_changed_login(login) if kept is not None and kept.is_usable else records


class MachineTokens(Tokens):
    """Of a client that logs in as itself (`client_credentials`). Kept in memory: a new one costs nobody."""

    def __init__(self, definition: ServerDefinition, logins: Logins, client_for: ClientFor) -> None:
        super().__init__()
        self._definition = definition
        self._logins = logins
        self._client_for = client_for
        self._token = Token("")
        self._found: tuple[Resource | None, AuthorizationServer] | None = None
        self._demand: Demand | None = None

    def _client(self, url: str) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        return self._client_for(url, dict(self._definition.proxy_env))

    def note(self, demand: Demand) -> None:
        """The server's own words: where its metadata is, and which scopes it wants."""
        self._demand = demand

    def _current(self) -> Token:
        return self._token

    def _can_renew(self, token: Token) -> bool:  # noqa: ARG002 - it depends on whether a token is wanted
        return self._demand is not None

    async def _renew(self, stale: Token) -> Token:  # noqa: ARG002 - nobody else has it
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
        scopes = oauth.scopes or asked or (resource.scopes if resource is not None else ())
        form = {"grant_type": "client_credentials", "resource": identifier}
        if scopes:
            form["scope"] = " ".join(scopes)
        async with self._client(server.token_endpoint) as http:
            grant = await request_token(http, server.token_endpoint, client, form, [self._token.text])
        self._found = (resource, server)
        lifetime = grant.expires_in or 0.0
        self._token = Token(grant.access_token, time.time() + lifetime if lifetime else 0.0, lifetime)
        return self._token

    async def _discovered(self) -> tuple[Resource | None, AuthorizationServer]:
        from llm_tools_mcp.login.discovery import find_resource, find_server

        definition, oauth = self._definition, self._definition.oauth
        assert oauth is not None
        metadata_url = self._demand.metadata_url if self._demand is not None else ""
        async with self._client(definition.url) as http:
            resource = await find_resource(http, definition.url, metadata_url)
            return resource, await find_server(http, resource, definition.url, oauth.issuer)
