"""The stored logins as the daemon sees them: which one a definition is used with, and when that changes."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from llm_tools_mcp.config import Config, ServerDefinition
from llm_tools_mcp.errors import LoginsUnusable
from llm_tools_mcp.login.records import Challenge, Login, Records, place_of
from llm_tools_mcp.login.store import LoginStore, Stamp

_log = logging.getLogger(__name__)


class Logins:
    """Read again whenever the file has changed: a command has logged in or out. `trouble` says why not."""

    def __init__(self, store: LoginStore) -> None:
        self.store = store
        self.trouble = ""
        self._noticed: Stamp | None = None
        self._by_place: dict[tuple[str, str], Login] = {}
        self._applied: dict[tuple[str, str, str], ServerDefinition] = {}
        self._noting: dict[tuple[str, str], asyncio.Future[Records]] = {}
        with suppress(LoginsUnusable):  # which is told when somebody needs it
            store.recover()

    def notice_change(self) -> bool:
        """Whether the file is another one than at the last look. Costs one look at it."""
        stamp = self.store.stamp()
        if stamp == self._noticed:
            return False
        self._noticed = stamp
        self._applied.clear()
        records = self._read()
        self._by_place = {(login.server, login.url): login for login in records.logins}
        return True

    def _read(self) -> Records:
        try:
            records = self.store.read()
        except LoginsUnusable as error:
            self.trouble = str(error)
            _log.warning("%s", error)
            return Records()
        self.trouble = ""
        return records

    def applied(self, config: Config) -> Config:
        """Each server with its login."""
        if not self._by_place:
            return config
        servers = {
            name: self.applied_to(server) if isinstance(server, ServerDefinition) else server
            for name, server in config.servers.items()
        }
        return replace(config, servers=servers)

    def applied_to(self, definition: ServerDefinition) -> ServerDefinition:
        """The definition with its login, if there is one that can be used."""
        login = self.of(definition) if self._by_place else None
        if login is None or not login.is_usable:
            return definition
        key = (definition.identity, definition.name, login.id)
        if key not in self._applied:
            self._applied[key] = definition.with_login(login.id)
        return self._applied[key]

    def of(self, definition: ServerDefinition) -> Login | None:
        """The login of this server, usable or not; never one of another url, issuer or client."""
        if not definition.can_log_in or definition.oauth is None or definition.oauth.is_for_machines:
            return None
        login = self._by_place.get((definition.name, place_of(definition.url)))
        return login if login is not None and _fits(login, definition) else None

    def has_ended(self, definition: ServerDefinition) -> bool:
        """Whether somebody was logged in, and is no more: known without asking the server."""
        if definition.login or not self._by_place or not definition.can_log_in:
            return False
        return (definition.name, place_of(definition.url)) in self._by_place

    def needs_login(self, definition: ServerDefinition) -> str:
        """What a person is told."""
        trouble = f"; {self.trouble}" if self.trouble else ""
        return f"needs a login: {login_command(definition.name)}{trouble}"

    def usable_ids(self) -> frozenset[str]:
        return frozenset(login.id for login in self._by_place.values() if login.is_usable)

    def by_id(self, login_id: str) -> Login | None:
        """As it is now. None where it is over."""
        login = self._read().by_id(login_id)
        return login if login is not None and login.is_usable else None

    async def note(self, challenge: Challenge) -> None:
        """What a server asked for. Of many refusals at once one is written: it may vary them without end.

        Raises LoginsUnusable.
        """
        place = (challenge.server, challenge.url)
        if place not in self._noting:
            if self.store.read().challenge(*place) == challenge:
                return
            self._noting[place] = asyncio.ensure_future(
                self.change(lambda records: records.with_challenge(challenge))
            )
            self._noting[place].add_done_callback(lambda _: self._noting.pop(place))
        await asyncio.shield(self._noting[place])

    async def change(self, change: Callable[[Records], Records]) -> Records:
        """On disk when this returns; the loop goes on meanwhile. Raises LoginsUnusable."""
        return await asyncio.to_thread(self.store.change, change)


def login_command(name: str) -> str:
    return f"llm mcp login {shlex.quote(name)}"


def _fits(login: Login, definition: ServerDefinition) -> bool:
    if definition.oauth is None or definition.oauth.is_managed == bool(login.resource):
        return False
    oauth = definition.oauth.for_person
    return oauth.client_id in ("", login.client_id) and oauth.issuer in ("", login.issuer)
