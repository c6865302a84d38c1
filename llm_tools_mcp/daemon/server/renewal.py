"""Access tokens that are renewed in time: by one request for all who wait, while a good one goes on serving.

A rotated refresh token is on disk before anything of its answer is used. What a network error hinders is
tried again later, and the old token stays; only the authorization server's own no ends a login.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import retrieve
from llm_tools_mcp.errors import LoginError, LoginUnreachable
from llm_tools_mcp.system import access

from .logins import Logins

if TYPE_CHECKING:
    import httpx2

    from llm_tools_mcp.login.challenge import Demand

_log = logging.getLogger(__name__)

# A token is renewed this share of its life before its end, and at most so many seconds.
_SHARE, _MOST_EARLY = 0.1, 60.0
# Seconds between two tries after a network error: doubling.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# Seconds for which another daemon may be at it; its request is bounded by less.
_OTHERS_SECONDS, _POLL_SECONDS = 60.0, 0.05
# In the lock of a login while it is renewed.
_MARK = b"renewing"


# Makes a client for requests to an authorization server at this url, in this environment.
ClientFor = Callable[[str, dict[str, str]], "AbstractAsyncContextManager[httpx2.AsyncClient]"]


class LoginNeeded(LoginError):
    """Only a person can go on from here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """`expires_at` is in seconds since the epoch, 0 where it is not known."""

    text: str = dataclasses.field(repr=False)
    expires_at: float = 0.0
    lifetime: float = 0.0

    @property
    def is_good(self) -> bool:
        return bool(self.text) and (not self.expires_at or time.time() < self.expires_at)

    @property
    def is_due(self) -> bool:
        """Whether it ends soon."""
        early = min(_MOST_EARLY, _SHARE * self.lifetime)
        return not self.text or (bool(self.expires_at) and time.time() >= self.expires_at - early)


class Tokens(ABC):
    """The tokens of one login, for all its sessions."""

    def __init__(self, definition: ServerDefinition, logins: Logins, client_for: ClientFor) -> None:
        self._definition = definition
        self._logins = logins
        self._client_for = client_for
        self._renewing: asyncio.Task[Token] | None = None
        self._pause = 0.0
        self._next_try = 0.0
        self._trouble = ""

    def adopt(self, definition: ServerDefinition) -> None:
        """The latest caller's word: the client's secret in the entry, or the proxy, may be another by now."""
        self._definition = definition

    async def bearer(self) -> str:
        """One to send; empty where there is none yet. Raises LoginNeeded, LoginUnreachable."""
        token = self._current()
        if not token.is_due or not self._can_renew(token):
            return token.text
        renewal = self._renewal(token)
        return token.text if token.is_good else (await asyncio.shield(renewal)).text

    async def renewed(self, refused: str) -> str:
        """A better one than `refused`; empty where there is none. Raises LoginNeeded, LoginUnreachable."""
        token = self._current()
        if token.text != refused:
            return token.text  # somebody was faster
        if not self._can_renew(token):
            return ""
        return (await asyncio.shield(self._renewal(token))).text

    async def settle(self) -> None:
        """Wait until a renewal under way is stored: its answer is the only one of its kind."""
        if self._renewing is not None and not self._renewing.done():
            await asyncio.wait([self._renewing])

    def note(self, demand: Demand, refused: str) -> bool:  # noqa: ARG002 - all tokens of a login alike
        """What the server wants. Whether another token than the `refused` one may help without a person."""
        return not demand.lacks_scope

    def _client(self, url: str) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        return self._client_for(url, dict(self._definition.proxy_env))

    @abstractmethod
    def _current(self) -> Token:
        """Raises LoginNeeded."""

    @abstractmethod
    def _can_renew(self, token: Token) -> bool: ...

    @abstractmethod
    async def _renew(self, stale: Token) -> Token:
        """Raises LoginError."""

    def _renewal(self, stale: Token) -> asyncio.Task[Token]:
        """The one under way, or a new one."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._tried(stale), name="renewal of a login")
            self._renewing.add_done_callback(retrieve)
        return self._renewing

    async def _tried(self, stale: Token) -> Token:
        if (left := self._next_try - time.monotonic()) > 0:
            raise LoginUnreachable(f"{self._trouble} (next try in {max(1, round(left))} s)")
        try:
            token = await self._renew(stale)
        except LoginNeeded:
            raise
        except LoginError as error:
            self._pause = min(_LONGEST_PAUSE, 2 * self._pause or _FIRST_PAUSE)
            self._next_try = time.monotonic() + self._pause
            self._trouble = f"there is no token for it just now: {error}"
            _log.warning("a token cannot be had: %s", error)
            raise LoginUnreachable(self._trouble) from None
        self._pause = 0.0
        return token


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[bool]:
    """Among all daemons of this user: with rotation, two requests with one token end the login.

    Says whether the last attempt was cut off, so that the token may be used up: its mark is still there.
    """
    try:
        descriptor = access.open_private(path, os.O_RDWR)
    except OSError as error:
        raise LoginUnreachable(f"{path.parent} cannot be written: {error.strerror}") from None
    try:
        deadline = time.monotonic() + _OTHERS_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(_POLL_SECONDS)
        else:
            raise LoginUnreachable("another daemon has been at it for too long")
        was_cut_off = os.fstat(descriptor).st_size > 0
        with contextlib.suppress(OSError):  # a full disk
            os.pwrite(descriptor, _MARK, 0)
        yield was_cut_off
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
