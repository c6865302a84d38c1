"""One server as the daemon keeps it: connected when wanted, reconnected when lost, ended when unused.

Each connection has an owner (see there). Calls run in their callers' tasks. What a synchronous step
decides (state, in-flight counts) needs no lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from llm_tools_mcp import v1
from llm_tools_mcp.config import Protocol as McpProtocol
from llm_tools_mcp.config import ServerDefinition, Transport
from llm_tools_mcp.daemon.failure import HeaderMismatch, Kind, NotSent, ServerFailure
from llm_tools_mcp.daemon.server.questions import Ask
from llm_tools_mcp.daemon.server.results import JsonObject
from llm_tools_mcp.text.redaction import redactor
from llm_tools_mcp.text.tokens import tokens_of

from .backoff import REMOTE_MOST, Backoff
from .calls import Call, Calls, OnEvent
from .deadline import Deadline
from .gate import Gate
from .listing import Listing
from .owner import Owner
from .sign_in import SignIn
from .statistics import State, Statistics

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection

_log = logging.getLogger(__name__)

# Characters of a line that an error quotes.
_QUOTED = 1000
# Tools that are named; the others are counted.
_NAMED = 5


class Connect(Protocol):
    """Opens a connection to a server; `connection.connect` with the composition root's parameters bound."""

    def __call__(
        self, definition: ServerDefinition, session: Session, protocol: McpProtocol
    ) -> AbstractAsyncContextManager[Connection]: ...


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
        gate: Gate,
        on_tools: Callable[[Session, list[v1.Tool]], None],
    ) -> None:
        self.definition = definition
        # Configs may call the same server by several names, and look for its tools under several keys.
        self.names = {definition.name: None}  # in the order of their first use
        self.cache_keys = {definition.cache_key}
        self.statistics = Statistics()
        self.last_error = ""
        self._list_error = ""
        self.refusal: ServerFailure | None = None  # until somebody logs in
        self.sign_in = SignIn()
        self._last_line = ""  # of the server's log, while it starts
        self.tool_count = 0
        self.tool_tokens = 0
        self.instructions = ""
        is_remote = definition.transport is not Transport.STDIO
        self.backoff = Backoff(clock, REMOTE_MOST) if is_remote else Backoff(clock)
        self.is_legacy = is_legacy
        self._schemas = schemas  # of the last known list, as JSON text, by tool
        self.in_use = 0
        self.is_retired = False
        self.last_used = clock()
        self._connect = connect
        self._gate = gate
        self._clock = clock
        self._on_tools = on_tools
        self._tools: list[v1.Tool] | None = None
        self._cleaned = redactor(definition.secrets)
        self._owner: Owner | None = None
        # One of them, `_owner`, takes new requests; others end, or wait for their last answer.
        self._owners: dict[asyncio.Task[None], Owner] = {}
        self._listing = Listing(definition.name)
        self.calls = Calls(asks=asks, on_asks=self._remember_asking)
        self._true_lists: set[str] = set()  # methods; of this connection
        self._changes = 0
        self._closed = False

    def adopt(self, definition: ServerDefinition) -> None:
        """The latest caller's word on timeouts and names; what was started stays as it is."""
        self.definition = definition
        self.names[definition.name] = None
        self.cache_keys.add(definition.cache_key)

    # --- what it is ---------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """The connection, if there is one that can be used."""
        return self._owner.connection if self._owner is not None else None

    @property
    def state(self) -> State:
        if self.refusal is not None:
            return State.NEEDS_LOGIN
        if self.connection is not None:
            return State.READY
        if self._is_starting:
            return State.STARTING
        if self.backoff.pause:
            return State.BACKING_OFF
        return State.STOPPING if self._owners else State.STOPPED

    @property
    def complaint(self) -> str:
        """What is to be said against it: the last error, or what is missing though it is connected."""
        if self.last_error or self.connection is None:
            return self.last_error
        if self._list_error:
            return f"connected, but it did not list its tools: {self._list_error}"
        left_out = self.connection.left_out
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        return f"left out of its tools: {', '.join(left_out[:_NAMED])}{more}" if left_out else ""

    @property
    def is_live(self) -> bool:
        """Whether it holds a connection, or is about to; not while it waits for its turn to start."""
        if self._owner is None or self._owner.is_queued:
            return False
        return self._owner.is_starting or self._owner.connection is not None

    @property
    def _is_starting(self) -> bool:
        return self._owner is not None and self._owner.is_starting

    @property
    def is_used(self) -> bool:
        """Whether somebody waits for an answer of it."""
        return self.in_use > 0 or self._listing.is_under_way

    @property
    def is_busy(self) -> bool:
        """A start goes on though nobody waits: the next prompt has its tools."""
        return self.is_used or self._is_starting

    @property
    def may_be_evicted(self) -> bool:
        """Not while it is used, nor if it is never to be stopped for being unused."""
        return not self.is_busy and self.definition.idle_timeout > 0

    @property
    def has_owner(self) -> bool:
        """Whether a connection exists, or one that ends has processes left."""
        return bool(self._owners)

    @property
    def is_over(self) -> bool:
        """Whether no config wants it any more, and nothing of it is left."""
        return self.is_retired and not self.has_owner and not self.is_busy

    @property
    def pid(self) -> int:
        return self.connection.pid if self.connection is not None else 0

    @property
    def protocol_version(self) -> str:
        return self.connection.protocol_version if self.connection is not None else ""

    @property
    def idle_seconds(self) -> float:
        return 0.0 if self.is_busy else self._clock() - self.last_used

    # --- using it -----------------------------------------------------------------------------------

    async def request(
        self,
        definition: ServerDefinition,
        method: str,
        params: JsonObject,
        on_event: OnEvent,
        ask: Ask,
    ) -> JsonObject:
        """Run a call or another request. Raises ServerFailure. What the server asks is put to `ask`.

        It is sent at most once; it is tried again only where it certainly did not run (NotSent).
        """
        self.statistics.calls += 1
        try:
            with self._used():
                try:
                    result = await self._in_turn(definition, method, params, on_event, ask)
                except (NotSent, HeaderMismatch) as failure:
                    if isinstance(failure, HeaderMismatch):
                        await self._shared_list(definition)
                    result = await self._in_turn(definition, method, params, on_event, ask)
        except Exception:  # a caller that gives up is no error of the server's
            self.statistics.errors += 1
            raise
        self.backoff.note_success()
        self.refusal = None
        self.statistics.tool_errors += method == "tools/call" and bool(result.get("isError"))
        return result

    async def list_tools(self, definition: ServerDefinition) -> list[v1.Tool]:
        """Ask the server for its tools. Raises ServerFailure."""
        with self._used():
            try:
                return await self._shared_list(definition)
            except NotSent:
                return await self._shared_list(definition)

    async def _shared_list(self, definition: ServerDefinition) -> list[v1.Tool]:
        connection = await self._connected(definition.connect_timeout)
        return await self._listing.shared(lambda: self._list(connection))

    async def _list(self, connection: Connection) -> list[v1.Tool]:
        try:
            tools = await self._listed(connection)
        except NotSent:
            raise  # it says nothing of the list
        except ServerFailure as failure:
            failure.clean_with(self._cleaned)
            self._note_refusal(failure)
            self._list_error = failure.text
            raise
        self.refusal, self._list_error = None, ""
        self._tools = tools
        self.tool_count = len(tools)
        self._schemas = {tool.name: tool.input_schema for tool in tools}
        self.tool_tokens = sum(tokens_of(tool.name, tool.description, tool.input_schema) for tool in tools)
        self.instructions = connection.instructions
        self._on_tools(self, tools)
        return tools

    async def _listed(self, connection: Connection) -> list[v1.Tool]:
        seconds = self.definition.connect_timeout
        with Deadline(seconds):
            return await connection.list_tools()
        raise ServerFailure(Kind.TIMED_OUT, f"it did not list its tools within {seconds:g} s")

    async def whole_list(self, definition: ServerDefinition, method: str) -> JsonObject:
        """All pages of another list than that of the tools. Raises ServerFailure."""
        with self._used():
            try:
                return await self._whole_list(definition, method)
            except NotSent:
                return await self._whole_list(definition, method)

    async def _whole_list(self, definition: ServerDefinition, method: str) -> JsonObject:
        connection = await self._connected(definition.connect_timeout)
        seconds, changes = definition.connect_timeout, self._changes
        with Deadline(seconds):
            result = await connection.whole_list(method)
            if changes == self._changes and connection.announces(method):
                self._true_lists.add(method)
            return result
        raise ServerFailure(Kind.TIMED_OUT, f"it did not answer {method} within {seconds:g} s")

    def vouches_for(self, method: str) -> bool:
        """Whether the server would have said that this list has changed since it gave it."""
        return method in self._true_lists

    async def _in_turn(
        self,
        definition: ServerDefinition,
        method: str,
        params: JsonObject,
        on_event: OnEvent,
        ask: Ask,
    ) -> JsonObject:
        connection = self.connection or await self._connected_for(on_event, definition.connect_timeout)
        is_call = method == "tools/call"
        if is_call and connection.may_lack_headers(self._schemas.get(params["name"])):
            with suppress(ServerFailure):  # the call will tell what is wrong
                await self._listing.shared(lambda: self._list(connection))
        seconds = definition.timeout
        deadline = Deadline(seconds)

        def on_progress(progress: v1.Progress) -> None:
            deadline.restart()
            on_event(progress)

        async def asked(question: v1.Question) -> v1.AnswerRequest:
            with deadline.paused():
                return await ask(question)

        call = Call(on_event, asked)
        with deadline:
            async with self.calls.turn(call):
                deadline.restart()  # it may have waited for its turn
                return await self._send(connection, call, method, params, on_progress)
        if call.is_waiting:
            text = (
                f"for {seconds:g} s another call of it has waited for a person's answer; this one was not run"
            )
            raise ServerFailure(Kind.TIMED_OUT, text)
        if connection.is_stuck and self.in_use == 1:
            connection.lose("it did not read its input any more")
        text = f"it took longer than {seconds:g} s and was cancelled (`timeout` in the config sets the limit)"
        raise ServerFailure(Kind.TIMED_OUT, text)

    async def _send(
        self,
        connection: Connection,
        call: Call,
        method: str,
        params: JsonObject,
        on_progress: Callable[[v1.Progress], None],
    ) -> JsonObject:
        began = self._clock()
        result = await connection.request(method, params, on_progress, call.ask)
        self.statistics.latencies.append(self._clock() - began)
        return result

    @contextmanager
    def _used(self) -> Iterator[None]:
        self.in_use += 1
        try:
            yield
        except ServerFailure as failure:
            failure.clean_with(self._cleaned)
            if self.definition.login:  # else it may be this one tool that wants a login
                self._note_refusal(failure)
            raise
        finally:
            self.in_use -= 1
            self.last_used = self._clock()

    def _remember_asking(self) -> None:
        """For the next connection, and the next daemon: from the first call on one at a time."""
        if self._tools is not None:  # else a listing is under way, and remembers it
            self._on_tools(self, self._tools)

    def on_changed(self, kind: str) -> None:
        """A list of this kind is another one now. That of the tools is kept, so the server is asked again."""
        if kind == "tools":
            self._listing.again(self._list_if_connected)  # once for a burst of notices
        else:
            self._changes += 1
            self._true_lists = {method for method in self._true_lists if not method.startswith(kind)}

    async def _list_if_connected(self) -> list[v1.Tool] | None:
        connection = self.connection
        return await self._list(connection) if connection is not None else None

    # --- connecting ---------------------------------------------------------------------------------

    async def _connected(self, seconds: float) -> Connection:
        """The live connection, made if need be. Raises ServerFailure when there is none in time."""
        while True:
            connection = self.connection
            if connection is not None:
                return connection
            owner = self._owner if self._owner is not None and self._owner.is_starting else self._start()
            await self._turn_of(owner)
            done, _ = await asyncio.wait([owner.ready], timeout=self.backoff.patience(seconds, owner.age))
            if not done:
                text = f"still starting after {owner.age:.0f} s{self._said()}"
                raise ServerFailure(Kind.STILL_STARTING, f"{text}; the start goes on, try again in a moment")
            if not owner.is_ending or self._closed:
                return owner.ready.result()

    async def _connected_for(self, on_event: OnEvent, seconds: float) -> Connection:
        """The same for a caller, who hears of a page that the server waits for somebody at."""
        if not self._is_starting:
            self.sign_in.forget()  # what it named in an earlier life
        with self.sign_in.told_to(on_event):
            return await self._connected(seconds)

    def note_line(self, line: str) -> None:
        """What the server has just written to its log."""
        self.sign_in.note(line)
        self._last_line = line

    def _said(self) -> str:
        """What it has to say while it starts; a page that it names is not cut."""
        line, url = self._last_line, self.sign_in.url
        quoted = line if len(line) <= _QUOTED else line[:_QUOTED] + "…"
        words = f"; its last line was: {quoted}" if line else ""
        return words if not url or url in quoted else f"{words}; it names {url}"

    async def _turn_of(self, owner: Owner) -> None:
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
            if owner.is_queued and self.in_use <= 1:
                owner.end()  # nobody waits any more

    def _start(self) -> Owner:
        if self._closed:
            raise ServerFailure(Kind.STOPPING, "the daemon stops; try again")
        if self.backoff.pause and self.refusal is not None:
            raise ServerFailure(self.refusal.kind, self.refusal.text)  # time does not help it
        if self.backoff.pause:
            raise ServerFailure(Kind.START_FAILED, f"{self.last_error} ({self.backoff.next_try})")
        self.statistics.starts += 1
        self.sign_in.forget()
        self._last_line = ""
        owner = Owner(
            self.definition.name,
            lambda protocol: self._connect(self.definition, self, protocol),
            self._protocols(),
            self._gate,
            on_ready=self._on_ready,
            on_over=self._on_over,
        )
        self._owner = owner
        self._owners[owner.task] = owner
        owner.task.add_done_callback(self._owners.pop)
        return owner

    def _protocols(self) -> tuple[McpProtocol, ...]:
        configured = self.definition.protocol
        if configured is not McpProtocol.AUTO:
            return (configured,)
        return (McpProtocol.LEGACY,) if self.is_legacy else (McpProtocol.AUTO, McpProtocol.LEGACY)

    def _on_ready(self, owner: Owner, connection: Connection) -> None:
        self.is_legacy = not connection.is_modern
        self.backoff.note_start()
        self.last_used = self._clock()
        self.last_error = self._list_error = ""
        self._changes += 1
        self._true_lists.clear()
        _log.info("connected to %s (protocol %s)", self.definition.name, connection.protocol_version)
        if not owner.is_ending:
            self._listing.begin(lambda: self._list(connection))  # keeps the known list true

    # --- failing and ending -------------------------------------------------------------------------

    def _on_over(self, owner: Owner, failure: ServerFailure | None) -> None:
        """The start failed, or the connection cannot be used any more."""
        if self._owner is owner:
            self._owner = None
        if owner.is_ending:
            return
        if failure is not None:
            self._note_failure(failure)
        else:
            why = owner.ready.result().lost_why
            self.last_error = why if self._owner is None else self.last_error
            self.backoff.note_loss(owner.age)
            _log.warning("lost %s: %s", self.definition.name, why)

    def _note_refusal(self, failure: ServerFailure) -> None:
        if failure.kind == Kind.NEEDS_LOGIN:
            self.refusal = failure
            self.last_error = failure.text

    def _note_failure(self, failure: ServerFailure) -> None:
        failure.clean_with(self._cleaned)
        self._note_refusal(failure)
        self.last_error = failure.text
        self.is_legacy = False  # what is remembered of its era may be what is wrong
        self.backoff.note_failure()
        _log.warning("%s did not start: %s", self.definition.name, failure)

    def stop(self) -> bool:
        """Begin to end the connection; a later call starts a new one. Returns whether there was one."""
        was_live = self.state in (State.READY, State.STARTING)
        self.backoff.forget()
        self._owner = None
        for owner in self._owners.values():
            owner.end()
        return was_live

    async def aclose(self) -> None:
        """End the connection for good, and wait until its processes are gone. Harmless when repeated."""
        self._closed = True
        self.stop()
        self._listing.cancel()
        if self._owners:
            await asyncio.wait(self._owners)
