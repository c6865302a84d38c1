"""Tokens of a login that a person made: by its refresh token, which is on disk before anything is used."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.errors import KeyringUnusable, LoginRefused
from llm_tools_mcp.login.records import Login, Records

from .logins import Logins
from .renewal import ClientFor, LoginNeeded, Token, Tokens, alone

if TYPE_CHECKING:
    from llm_tools_mcp.login.token import Grant

_log = logging.getLogger(__name__)

# Its answer was lost: only a server that takes the old token once more, as many do for a while, could go on.
_CUT_OFF = "; an earlier renewal was cut off, when the daemon was killed or the network lost"


class LoginTokens(Tokens):
    """Of a login that a person made, by its refresh token."""

    def __init__(self, definition: ServerDefinition, logins: Logins, client_for: ClientFor) -> None:
        super().__init__(definition, logins, client_for)
        self._unstored: Grant | None = None
        self._opened: Login | None = None
        self._opening: tuple[str, asyncio.Future[Login]] | None = None  # of which revision

    async def bearer(self) -> str:
        await self._open()
        return await super().bearer()

    async def renewed(self, refused: str) -> str:
        await self._open()
        return await super().renewed(refused)

    def _stored_login(self) -> Login:
        login = self._logins.by_id(self._definition.login)
        if login is None:
            raise LoginNeeded
        return login

    def _login(self) -> Login:
        login = self._stored_login()
        if self._opened is None or not self._is_open(login):
            return login
        return login.with_tokens(self._opened.tokens)

    def _is_open(self, login: Login) -> bool:
        return self._opened is not None and self._opened.revision == login.revision

    async def _open(self) -> None:
        """The keyring is asked where its tokens are other ones, once for all who wait."""
        login = self._stored_login()
        if not login.in_keyring or self._is_open(login):
            return
        from llm_tools_mcp.login import vault

        # A keyring that does not answer keeps its thread: who comes later waits for the same.
        revision, opening = self._opening or ("", None)
        if opening is None or opening.done() or revision != login.revision:
            opening = vault.begun(vault.opened, login)
            self._opening = login.revision, opening
        self._opened = await vault.in_time(opening, login, vault.PATIENCE)

    def _current(self) -> Token:
        return self._token_of(self._login())

    def _token_of(self, login: Login) -> Token:
        return Token(login.access_token, login.expires_at, login.lifetime)

    def _can_renew(self, token: Token) -> bool:  # noqa: ARG002 - all tokens of a login alike
        return bool(self._login().refresh_token)

    async def _renew(self, stale: Token) -> Token:
        login = self._login()
        async with alone(self._logins.store.refresh_lock(login.id)) as was_cut_off:
            await asyncio.to_thread(self._logins.store.recover)
            await self._open()
            if (now := self._current()).text != stale.text:
                return now  # another daemon did it: one that drains, say, while this one starts
            login = self._login()
            # A full disk must not cost the login: what was given and could not be stored is not asked again.
            grant = self._unstored or await self._granted(login, was_cut_off)
            self._unstored = grant
            token = await self._stored(login, grant)
            self._unstored = None
            return token

    async def _granted(self, login: Login, was_cut_off: bool) -> Grant:  # noqa: FBT001 - as alone() says it
        try:
            return await self._asked(login)
        except LoginRefused as error:
            if not error.code:  # no authorization server speaks so: something before it
                raise
            note = _CUT_OFF if was_cut_off else ""
            await self.end(LoginRefused(f"{error}{note}", error.code))
            raise LoginNeeded from None

    async def _asked(self, login: Login) -> Grant:
        from llm_tools_mcp.login.token import Client, request_token

        oauth = self._definition.oauth
        secret = login.client_secret or (oauth.for_person.client_secret if oauth is not None else "")
        client = Client(login.client_id, login.auth_method, login.issuer, secret)
        form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
        if login.resource:
            form["resource"] = login.resource
        async with self._client(login.token_endpoint) as http:
            return await request_token(http, login.token_endpoint, client, form, [login.access_token])

    def _renewed(self, login: Login, grant: Grant) -> Login:
        return lasting(dataclasses.replace(login, access_token=grant.access_token), grant.expires_in or 0.0)

    async def _stored(self, login: Login, grant: Grant) -> Token:
        renewed = dataclasses.replace(
            self._renewed(login, grant),
            refresh_token=grant.refresh_token or login.refresh_token,
            scopes=grant.scopes if grant.scopes is not None else login.scopes,
        )
        if login.in_keyring:
            renewed = dataclasses.replace(renewed, revision=secrets.token_hex(4))
            await _put(renewed)
        records = await self._logins.change(lambda records: _if_usable(records, renewed))
        if (kept := records.by_id(login.id)) is None or not kept.is_usable:
            await _forget(login)
            raise LoginNeeded  # logged out meanwhile
        _log.info("renewed the login of %s", login.server)
        self._opened = renewed if login.in_keyring else None
        return self._token_of(renewed)

    async def end(self, why: LoginRefused) -> None:
        """For good: a person is needed."""
        login = self._login()
        _log.warning("the login of %s is over: %s", login.server, why)

        def over(records: Records) -> Records:
            if why.code in ("invalid_client", "unauthorized_client"):
                records = records.without_client(login.issuer, login.client_id)
            return _if_usable(records, login.over(f"{why}"))

        await self._logins.change(over)
        await _forget(login)


# Only whoever needs it pays for loading it.


async def _put(login: Login) -> None:
    from llm_tools_mcp.login import vault

    await vault.patiently(vault.put, login)


async def _forget(login: Login) -> None:
    if login.in_keyring:
        from llm_tools_mcp.login import vault

        with suppress(KeyringUnusable):
            await vault.patiently(vault.forget, login)


def lasting(login: Login, lifetime: float) -> Login:
    return dataclasses.replace(
        login, lifetime=lifetime, expires_at=time.time() + lifetime if lifetime else 0.0
    )


def _if_usable(records: Records, login: Login) -> Records:
    """A logout meanwhile stays one."""
    kept = records.by_id(login.id)
    return records.with_changed_login(login) if kept is not None and kept.is_usable else records
