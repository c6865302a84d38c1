"""One server as the daemon keeps it: connected when wanted, reconnected when lost, ended when unused.

Each connection has an owner (see there). Calls run in their callers' tasks. What a synchronous step
decides (state, in-flight counts) needs no lock.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from llm_tools_mcp import v1
from llm_tools_mcp.config import Protocol, ServerDefinition
from llm_tools_mcp.daemon.failure import HeaderMismatch, NotSent, ServerFailure
from llm_tools_mcp.daemon.server.elicitation import Ask
from llm_tools_mcp.daemon.server.to_wire import JsonObject
from llm_tools_mcp.text.redaction import redactor

from .backoff import Backoff
from .calls import Calls, OnEvent
from .connection_owner import ConnectionOwner, protocols_to_try
from .connector import Connector
from .error_state import ErrorState
from .offer import Offer
from .request import Request
from .shared_listing import SharedListing
from .start_gate import StartGate
from .statistics import State, Statistics

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

# Opens a connection to a server: `entry.connect` with the composition root's parameters bound.
Connect = Callable[[ServerDefinition, "Session", Protocol], AbstractAsyncContextManager["Connection"]]


class Session:
    """A server of one identity. `on_tools` receives each list that the server gave."""

    def __init__(
        self,
        definition: ServerDefinition,
        connect: Connect,
        *,
        clock: Callable[[], float],
        is_legacy: bool,
        asks: bool,
        schemas: Mapping[str, str],
        gate: StartGate,
        on_tools: Callable[[Session, list[v1.Tool]], None],
    ) -> None:
        self.definition = definition
        # Configs may call the same server by several names, and look for its tools under several keys.
        self.names = {definition.name: None}  # in the order of their first use
        self.cache_keys = {definition.cache_key}
        self.statistics = Statistics()
        self.error_state = ErrorState(Backoff(clock), redactor(definition.secrets))
        self.offer = Offer(schemas)
        self.is_legacy = is_legacy
        self.in_use = 0
        self.is_retired = False
        self.last_used = clock()
        self._connect = connect
        self._gate = gate
        self._clock = clock
        self._on_tools = on_tools
        self._connector = Connector(self._begin, self.error_state.backoff, lambda: self.in_use > 1)
        self._listing = SharedListing(definition.name)
        self.calls = Calls(asks=asks, on_asks=self._remember_asking)

    def adopt(self, definition: ServerDefinition) -> None:
        """The latest caller's word on timeouts and names; what was started stays as it is."""
        self.definition = definition
        self.names[definition.name] = None
        self.cache_keys.add(definition.cache_key)

    # --- what it is ---------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """The connection, if there is one that can be used."""
        return self._connector.connection

    @property
    def state(self) -> State:
        if self.error_state.refusal is not None:
            return State.NEEDS_LOGIN
        if self.connection is not None:
            return State.UNREACHABLE if self.connection.unreachable else State.READY
        if self._connector.is_starting:
            return State.STARTING
        if self.error_state.backoff.pause:
            return State.BACKING_OFF
        return State.STOPPED if self._connector.is_empty else State.STOPPING

    @property
    def is_live(self) -> bool:
        """Whether it holds a connection, or is about to; not while it waits for its turn to start."""
        return self._connector.is_live

    @property
    def is_used(self) -> bool:
        """Whether somebody waits for an answer of it."""
        return self.in_use > 0 or self._listing.is_under_way

    @property
    def is_busy(self) -> bool:
        """A start goes on though nobody waits: the next prompt has its tools."""
        return self.is_used or self._connector.is_starting

    @property
    def has_owner(self) -> bool:
        """Whether a connection exists, or one that ends has processes left."""
        return not self._connector.is_empty

    @property
    def pid(self) -> int:
        return self.connection.pid if self.connection is not None else 0

    @property
    def silence(self) -> str:
        return self._connector.silence(self.definition.connect_timeout)

    @property
    def idle_seconds(self) -> float:
        return 0.0 if self.is_busy else self._clock() - self.last_used

    # --- using it -----------------------------------------------------------------------------------

    async def request(
        self, definition: ServerDefinition, method: str, params: JsonObject, on_event: OnEvent, ask: Ask
    ) -> JsonObject:
        """Run a call or another request. Raises ServerFailure. What the server asks is put to `ask`.

        It is sent at most once; it is tried again only where it certainly did not run (NotSent).
        """
        self.statistics.calls += 1
        request = Request(method, params, on_event, ask, definition.timeout)
        try:
            with self._used():
                try:
                    result = await self._run(request, definition.connect_timeout)
                except (NotSent, HeaderMismatch) as failure:
                    if isinstance(failure, HeaderMismatch):
                        await self._shared_list(definition)
                    result = await self._run(request, definition.connect_timeout)
        except Exception:  # a caller that gives up is no error of the server's
            self.statistics.errors += 1
            raise
        self.error_state.note_success()
        self.statistics.tool_errors += request.is_call and bool(result.get("isError"))
        return result

    async def _run(self, request: Request, connect_seconds: float) -> JsonObject:
        connection = await self._connector.connected_for(request.on_event, connect_seconds)
        if request.is_call and connection.may_lack_headers(self.offer.schemas.get(request.params["name"])):
            with suppress(ServerFailure):  # the call will tell what is wrong
                await self._listing.shared(lambda: self._list(connection), connect_seconds)
        return await request.run(connection, self.calls, self.statistics, self._clock, self._on_silence)

    def _on_silence(self, connection: Connection) -> None:
        if connection.is_stuck and self.in_use == 1:
            connection.lose("it did not read its input any more")

    async def list_tools(self, definition: ServerDefinition) -> list[v1.Tool]:
        """Ask the server for its tools. Raises ServerFailure."""
        return await self._sent(lambda: self._shared_list(definition))

    async def _shared_list(self, definition: ServerDefinition) -> list[v1.Tool]:
        connection = await self._connector.connected(definition.connect_timeout)
        return await self._listing.shared(lambda: self._list(connection), definition.connect_timeout)

    async def _list(self, connection: Connection) -> list[v1.Tool]:
        try:
            tools = await self.offer.ask_for_tools(connection, self.definition.connect_timeout)
        except NotSent:
            raise  # it says nothing of the list
        except ServerFailure as failure:
            self.error_state.note_failed_list(failure)
            raise
        self.error_state.note_list()
        self._on_tools(self, tools)
        return tools

    async def whole_list(self, definition: ServerDefinition, method: str) -> JsonObject:
        """All pages of another list than that of the tools. Raises ServerFailure."""
        return await self._sent(lambda: self._whole_list(definition, method))

    async def _whole_list(self, definition: ServerDefinition, method: str) -> JsonObject:
        connection = await self._connector.connected(definition.connect_timeout)
        return await self.offer.ask_for_list(connection, method, definition.connect_timeout)

    async def _sent(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Once more where it certainly was not the first time."""
        with self._used():
            try:
                return await ask()
            except NotSent:
                return await ask()

    @contextmanager
    def _used(self) -> Iterator[None]:
        self.in_use += 1
        try:
            yield
        except ServerFailure as failure:
            self.error_state.clean(failure)
            if self.definition.login:  # else it may be this one tool that wants a login
                self.error_state.note_refusal(failure)
            raise
        finally:
            self.in_use -= 1
            self.last_used = self._clock()

    def _remember_asking(self) -> None:
        """For the next connection, and the next daemon: from the first call on one at a time."""
        if self.offer.tools is not None:  # else a listing is under way, and remembers it
            self._on_tools(self, self.offer.tools)

    def on_changed(self, kind: str) -> None:
        """A list of this kind is another one now. That of the tools is kept, so the server is asked again."""
        if kind == "tools":
            self._listing.again(self._list_if_connected)  # once for a burst of notices
        else:
            self.offer.note_change(kind)

    async def _list_if_connected(self) -> list[v1.Tool] | None:
        connection = self.connection
        return await self._list(connection) if connection is not None else None

    # --- connecting ---------------------------------------------------------------------------------

    @property
    def sign_in_url(self) -> str:
        """The page that the server waits for somebody at, while it starts; empty where there is none."""
        return self._connector.startup_output.sign_in.url if self.state is State.STARTING else ""

    def note_line(self, line: str) -> None:
        """What the server has just written to its log."""
        self._connector.startup_output.note(line)

    def _begin(self) -> ConnectionOwner:
        self.error_state.check()
        self.statistics.starts += 1
        return ConnectionOwner(
            self.definition.name,
            lambda protocol: self._connect(self.definition, self, protocol),
            protocols_to_try(self.definition.protocol, is_legacy=self.is_legacy),
            self._gate,
            on_ready=self._on_ready,
            on_over=self._on_over,
        )

    def _on_ready(self, owner: ConnectionOwner, connection: Connection) -> None:
        self.is_legacy = not connection.is_modern
        self.error_state.note_start()
        self.last_used = self._clock()
        self.offer.note_connection()
        _log.info("connected to %s (protocol %s)", self.definition.name, connection.protocol_version)
        if not owner.is_ending:
            self._listing.begin(lambda: self._list(connection))  # keeps the known list true

    # --- failing and ending -------------------------------------------------------------------------

    def _on_over(self, owner: ConnectionOwner, failure: ServerFailure | None) -> None:
        """The start failed, or the connection cannot be used any more."""
        self._connector.note_over(owner)
        if owner.is_ending:
            return
        if failure is not None:
            self._note_failure(failure)
        else:
            why = owner.ready.result().lost_why
            self.error_state.note_loss(why, owner.age, is_replaced=self._connector.has_current)
            _log.warning("lost %s: %s", self.definition.name, why)

    def _note_failure(self, failure: ServerFailure) -> None:
        self.error_state.note_failed_start(failure)
        self.is_legacy = False  # what is remembered of its era may be what is wrong
        _log.warning("%s did not start: %s", self.definition.name, failure)

    def stop(self) -> bool:
        """Begin to end the connection; a later call starts a new one. Returns whether there was one."""
        was_live = self.state in (State.READY, State.UNREACHABLE, State.STARTING)
        self.error_state.backoff.forget()
        self._connector.stop()
        return was_live

    async def aclose(self) -> None:
        """End the connection for good, and wait until its processes are gone. Harmless when repeated."""
        self.stop()
        self._listing.cancel()
        await self._connector.aclose()
