"""The connections of one server: made when one is wanted, made again when it is lost, ended when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_tools_mcp.daemon.failure import Kind, ServerFailure

from .backoff import Backoff
from .calls import OnEvent
from .connection_owner import START_SECONDS, ConnectionOwner
from .startup_output import StartupOutput

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection


class Connector:
    """One of them, the current one, takes new requests; others end, or wait for their last answer.

    `begin` makes one, or raises ServerFailure. `others_wait`: whether more than one caller uses the server.
    """

    def __init__(
        self, begin: Callable[[], ConnectionOwner], backoff: Backoff, others_wait: Callable[[], bool]
    ) -> None:
        self.startup_output = StartupOutput()
        self._begin = begin
        self._backoff = backoff
        self._others_wait = others_wait
        self._current: ConnectionOwner | None = None
        self._all: dict[asyncio.Task[None], ConnectionOwner] = {}
        self._closed = False

    @property
    def connection(self) -> Connection | None:
        """The connection, if there is one that can be used."""
        return self._current.connection if self._current is not None else None

    @property
    def has_current(self) -> bool:
        return self._current is not None

    @property
    def is_starting(self) -> bool:
        return self._current is not None and self._current.is_starting

    @property
    def is_live(self) -> bool:
        """Whether there is a connection, or soon will be; not while it waits for its turn to start."""
        if self._current is None or self._current.is_queued:
            return False
        return self._current.is_starting or self._current.connection is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is no connection, nor one that ends and has processes left."""
        return not self._all

    async def connected(self, seconds: float) -> Connection:
        """The live connection, made if need be. Raises ServerFailure when there is none in time."""
        while True:
            connection = self.connection
            if connection is not None:
                return connection
            if not self.is_starting and (rest := self._backoff.rest):
                await asyncio.sleep(rest)  # of all who wait here the first one starts it
                continue
            owner = self._current if self._current is not None and self._current.is_starting else self.start()
            await self._turn_of(owner)
            done, _ = await asyncio.wait([owner.ready], timeout=self._backoff.patience(seconds, owner.age))
            if not done:
                raise ServerFailure(Kind.STILL_STARTING, self._why_not_yet(owner, seconds))
            if not owner.is_ending or self._closed:
                return owner.outcome()

    def _why_not_yet(self, owner: ConnectionOwner, patience: float) -> str:
        if silence := self.startup_output.silence(owner.age, patience):
            return f"{silence} It may still download; its start is given up after {START_SECONDS:g} s"
        text = f"still starting after {owner.age:.0f} s{self.startup_output.quoted()}"
        return f"{text}; the start goes on, try again in a moment"

    def silence(self, patience: float) -> str:
        """Of a start that takes much longer than these seconds; see `StartupOutput`."""
        if self._current is None or not self._current.is_starting:
            return ""
        return self.startup_output.silence(self._current.age, patience)

    async def connected_for(self, on_event: OnEvent, seconds: float) -> Connection:
        """The same for a caller, who hears of a page that the server waits for somebody at."""
        if self.connection is not None:
            return self.connection
        if not self.is_starting:
            self.startup_output.forget()
        with self.startup_output.sign_in.told_to(on_event):
            return await self.connected(seconds)

    async def _turn_of(self, owner: ConnectionOwner) -> None:
        """Whoever waits pays for the start alone, and not for others in front of it."""
        if not owner.is_queued:
            return
        begun: asyncio.Future[object] = asyncio.ensure_future(owner.begun.wait())
        ready: asyncio.Future[object] = asyncio.ensure_future(asyncio.wait([owner.ready]))
        try:
            await asyncio.wait([begun, ready], return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            ready.cancel()
            if owner.is_queued and not self._others_wait():
                owner.end()  # nobody waits any more

    def start(self) -> ConnectionOwner:
        if self._closed:
            raise ServerFailure(Kind.STOPPING, "the daemon stops; try again")
        self._current = owner = self._begin()
        self.startup_output.forget()
        self._all[owner.task] = owner
        owner.task.add_done_callback(self._all.pop)
        return owner

    def note_over(self, owner: ConnectionOwner) -> None:
        """It has failed to start, or its connection cannot be used any more."""
        if self._current is owner:
            self._current = None

    def stop(self) -> None:
        """Begin to end all; a later caller starts a new one."""
        self._current = None
        for owner in self._all.values():
            owner.end()

    async def aclose(self) -> None:
        """End them for good, and wait until their processes are gone. Harmless when repeated."""
        self._closed = True
        self.stop()
        if self._all:
            await asyncio.wait(self._all)
