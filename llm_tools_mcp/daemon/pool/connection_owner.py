"""The task that enters, holds and leaves one connection. Nobody else does: anyio demands one task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import anyio

from llm_tools_mcp.config import Protocol
from llm_tools_mcp.daemon.failure import HandshakeLost, Kind, ServerFailure, retrieve, unexpected

from .start_gate import Slot, StartGate

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection

_log = logging.getLogger(__name__)

# Seconds. A first `npx` or `uvx` start downloads for minutes: the start goes on though nobody waits.
START_SECONDS = 300.0
# Leaving takes the time that the transport allows a server to exit (6 s); this is for what it overlooks.
_LEAVE_SECONDS = 10.0

Open = Callable[[Protocol], AbstractAsyncContextManager["Connection"]]


class ConnectionOwner:
    """One connection's life. `on_ready` is told that it begins, `on_over` that it cannot be used any more.

    `protocols` are tried in turn, the next one where the server left during the handshake.
    """

    def __init__(
        self,
        name: str,
        open_connection: Open,
        protocols: Sequence[Protocol],
        gate: StartGate,
        *,
        on_ready: Callable[[ConnectionOwner, Connection], None],
        on_over: Callable[[ConnectionOwner, ServerFailure | None], None],
    ) -> None:
        self.ready: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.ready.add_done_callback(retrieve)
        # Whether it has had its turn at the gate: from then on its time counts.
        self.begun = asyncio.Event()
        self.began_at = asyncio.get_running_loop().time()
        self._name = name
        self._open = open_connection
        self._protocols = protocols
        self._on_ready = on_ready
        self._on_over = on_over
        self._end = asyncio.Event()
        self._gate = gate
        self._slot: Slot | None = None
        self._scope = anyio.CancelScope()
        self.task = asyncio.create_task(self._run(), name=f"owner of {name}")

    @property
    def connection(self) -> Connection | None:
        """The connection while it can be used."""
        if not self.ready.done() or self.is_ending or self.ready.exception() is not None:
            return None
        connection = self.ready.result()
        return connection if connection.is_usable else None

    def outcome(self) -> Connection:
        """Once it is `ready`. Raises ServerFailure."""
        failure = self.ready.exception()
        if isinstance(failure, ServerFailure):
            raise failure.again()
        return self.ready.result()

    @property
    def is_starting(self) -> bool:
        return not self.ready.done() and not self.is_ending

    @property
    def is_queued(self) -> bool:
        return self.is_starting and not self.begun.is_set()

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end; not when the connection ends by itself."""
        return self._end.is_set()

    @property
    def age(self) -> float:
        """Seconds since it began; 0 while it waits for its turn."""
        return asyncio.get_running_loop().time() - self.began_at if self.begun.is_set() else 0.0

    def end(self) -> None:
        """Begin to leave. Harmless when repeated, and at any moment: a start is broken off."""
        self._end.set()
        if not self.ready.done():
            self._scope.cancel()

    async def _run(self) -> None:
        failure: ServerFailure | None = None
        try:
            with self._scope:
                self._slot = await self._gate.enter()
                self.began_at = asyncio.get_running_loop().time()
                self._scope.deadline = self.began_at + START_SECONDS
                self.begun.set()
                await self._try_protocols()
        except ServerFailure as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: nothing may escape
            _log.exception("the connection to %s failed", self._name)
            failure = ServerFailure(Kind.START_FAILED, unexpected(error))
            failure.__cause__ = error
        finally:
            self._give_way()
            self._settle(failure)

    def _give_way(self) -> None:
        """To the next start."""
        if self._slot is not None:
            self._slot.release()

    def _settle(self, failure: ServerFailure | None) -> None:
        """Whoever waits for the start learns why there is none."""
        if self.ready.done():
            return
        if self.is_ending:
            failure = ServerFailure(Kind.STOPPING, "it was stopped while it started; try again")
        elif failure is None:
            text = f"it did not start within {START_SECONDS:g} s: is it an MCP server?"
            failure = ServerFailure(Kind.START_FAILED, text)
        self._on_over(self, failure)
        failure.detach()
        self.ready.set_exception(failure)

    async def _try_protocols(self) -> None:
        *others, last = self._protocols
        for protocol in others:
            try:
                return await self._hold(protocol)
            except HandshakeLost:
                continue  # it died of a first request that it did not know
        return await self._hold(last)

    async def _hold(self, protocol: Protocol) -> None:
        async with self._open(protocol) as connection:
            self._scope.deadline = float("inf")
            self._give_way()
            self._on_ready(self, connection)
            self.ready.set_result(connection)
            try:
                await _first(connection.lost, self._end)
            finally:
                connection.lose("it was stopped" if self.is_ending else "the connection broke")
                self._on_over(self, None)
                self._scope.deadline = anyio.current_time() + _LEAVE_SECONDS


def protocols_to_try(configured: Protocol, *, is_legacy: bool) -> tuple[Protocol, ...]:
    """`is_legacy`: the server is known to need the older handshake."""
    if configured is not Protocol.AUTO:
        return (configured,)
    return (Protocol.LEGACY,) if is_legacy else (Protocol.AUTO, Protocol.LEGACY)


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
