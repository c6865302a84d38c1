"""All servers: which session serves a definition, which one makes room, what is known of their tools.

Every decision is a synchronous step; what awaits comes after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.config import Footing, ServerDefinition, Transport
from llm_tools_mcp.config import Protocol as McpProtocol
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server.questions import Ask, nobody
from llm_tools_mcp.daemon.server.results import JsonObject
from llm_tools_mcp.daemon.server.sanitize import clean_line

from .calls import OnEvent
from .claims import Claims
from .gate import gate_of_programs, gate_of_remote_servers
from .lists import Lists
from .outputs import Outputs
from .session import Connect, Session
from .statistics import State
from .tool_cache import ToolCache, ToolList

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection

_log = logging.getLogger(__name__)

MAX_LIVE = 32
# Sessions that are stopped are kept for their statistics and backoff, but not for ever.
_MAX_KNOWN = 256
# Seconds after its last use that a server which no config names is still told of.
_GHOST_SECONDS = 3600.0
# Bounds what grows with every edit of a program; to forget costs a listing.
_MAX_ASKED = 4096
_TWIN = "it runs for another folder already"
_STALE_SECONDS = 24 * 3600.0
# Seconds: the prompt that finds a list old goes first; servers that start take its processor time.
_REFRESH_PAUSE = 0.5


class Pool:
    """Sessions by identity. `on_change` is told whenever work begins or ends.

    What happens around each call and listing, in this order; 1, 3, 4 are synchronous steps, so that nothing
    changes between looking and deciding:
    1. `_take`: the least busy session of the identity; a new one where there is none, or where all are busy
       and `instances` allows one more.
    2. The session connects if it has to, once its turn at the gate has come, and works: in its owner's task
       and in its caller's.
    3. `_make_room`, as it begins to connect: idle ones over the limit end, copies of a name first, then the
       least recently used. If all are busy there are more than the limit, for a while.
    4. `_settle`: it ends if no config wants it any more; idle ones end that 3 could not end; and the timer is
       set that ends what stays unused.
    """

    def __init__(
        self,
        connect: Connect,
        cache: ToolCache,
        lists: Lists,
        *,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        max_live: int = MAX_LIVE,
    ) -> None:
        self._connect = connect
        self._cache = cache
        self._lists = lists
        self._clock = clock
        self._on_change = on_change
        self._max_live = max_live
        self._sessions: OrderedDict[str, list[Session]] = OrderedDict()
        # Those that were live when last looked at, in the order of their starts: few, of thousands.
        self._awake: dict[Session, None] = {}
        self._working = 0  # calls and listings under way
        self._gates = {True: gate_of_remote_servers(), False: gate_of_programs()}
        self._claims = Claims()
        self._passing: set[str] = set()  # identities that no config has: servers by command or URL
        self._outputs = Outputs()
        self._refreshing: dict[str, asyncio.Task[None]] = {}
        # By lineage: the identity that stands for it now.
        self._latest: dict[str, str] = {}
        # Lists that were asked for since this daemon began, with the program that was asked.
        self._asked: set[tuple[str, Footing]] = set()
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    # --- using servers ------------------------------------------------------------------------------

    async def call(
        self,
        definition: ServerDefinition,
        tool: str,
        arguments: Mapping[str, Any],
        on_event: OnEvent,
        ask: Ask = nobody,
    ) -> JsonObject:
        """Run one tool call; its result as the server gave it. Raises ServerFailure.

        What the server asks meanwhile is put to `ask`, and the call's clock stands still.
        """
        params = {"name": tool, "arguments": dict(arguments)}
        result = await self.request(definition, "tools/call", params, on_event, ask)
        self._outputs.check(definition.name, tool, self.known_tools(definition), result)
        return result

    async def request(
        self,
        definition: ServerDefinition,
        method: str,
        params: JsonObject,
        on_event: OnEvent,
        ask: Ask = nobody,
        *,
        only_connected: bool = False,
    ) -> JsonObject:
        """The same for any other request. Raises ServerFailure."""
        if only_connected:
            self._check_connected(definition)
        session = self._take(definition)
        began, outcome = self._clock(), "cancelled"
        try:
            result = await session.request(definition, method, params, on_event, ask)
            outcome = "an error of the tool's own" if result.get("isError") else "answered"
        except ServerFailure as failure:
            outcome = v1.name_of(Kind, failure.kind)
            self._tell_of_twin(definition, failure)
            raise
        finally:
            _note(definition.name, method, params, self._clock() - began, outcome)
            self._settle(session)
        return result

    async def listed(
        self, definition: ServerDefinition, method: str, *, refresh: bool = False, only_known: bool = False
    ) -> JsonObject:
        """A list besides that of the tools, all pages. Raises ServerFailure.

        `only_known`: nothing is started for it, and an old list will do.
        """
        sessions = self._sessions.get(definition.identity, [])
        known = None if refresh else self._lists.current(definition.identity, method, sessions)
        if known is None and only_known:
            known = self._lists.get(definition.identity, method)
        if known is not None:
            return known
        if only_known:
            self._check_connected(definition)
        session = self._take(definition)
        try:
            result = await session.whole_list(definition, method)
        except ServerFailure as failure:
            self._tell_of_twin(definition, failure)
            raise
        finally:
            self._settle(session)
        self._lists.put(definition.identity, method, result)
        return result

    def _check_connected(self, definition: ServerDefinition) -> None:
        sessions = self._sessions.get(definition.identity, ())
        if not any(session.connection is not None for session in sessions):
            raise ServerFailure(Kind.STILL_STARTING, "it is not connected")

    def known_tools(self, definition: ServerDefinition) -> ToolList | None:
        """The last known list, without starting anything."""
        return self._cache.get(definition.cache_key)

    def trouble_of(self, definition: ServerDefinition) -> str:
        """Why the server cannot be used just now; empty where nothing is known against it."""
        sessions = self._sessions.get(definition.identity, ())
        return next((one.trouble.last_error for one in sessions if one.state is State.BACKING_OFF), "")

    async def list_tools(self, definition: ServerDefinition) -> ToolList:
        """Ask the server for its tools, now. Raises ServerFailure."""
        session = self._take(definition)
        self._note_asked(definition)
        try:
            tools = await session.list_tools(definition)
        except ServerFailure as failure:
            self._tell_of_twin(definition, failure)
            raise
        finally:
            self._settle(session)
        return self._cache.listed(tools, **_facts(session))

    def refresh_if_stale(self, definition: ServerDefinition, known: ToolList) -> None:
        """Ask again in the background where the known list is old, of another version of the program, or of
        a time before this daemon.
        """
        is_young = 0 <= self._cache.age(known) <= _STALE_SECONDS
        is_known = is_young and (definition.cache_key, definition.program) in self._asked
        if is_known or definition.cache_key in self._refreshing:
            return
        self._note_asked(definition)  # also if it fails: a server that is out of order is not tried each time
        task = asyncio.create_task(self._refresh(definition), name=f"refresh of {definition.name}")
        self._refreshing[definition.cache_key] = task
        task.add_done_callback(lambda _: self._refreshing.pop(definition.cache_key, None))

    async def _refresh(self, definition: ServerDefinition) -> None:
        await asyncio.sleep(_REFRESH_PAUSE)
        try:
            await self.list_tools(definition)
        except ServerFailure as failure:
            _log.info("the old tool list of %s stays: %s", definition.name, failure)

    def _note_asked(self, definition: ServerDefinition) -> None:
        if len(self._asked) > _MAX_ASKED:
            self._asked.clear()
        self._asked.add((definition.cache_key, definition.program))

    # --- which session ------------------------------------------------------------------------------

    def _take(self, definition: ServerDefinition) -> Session:
        """The least busy session of this identity; one more while `instances` allows and all are busy."""
        self._replace_former(definition)
        sessions = self._sessions.setdefault(definition.identity, [])
        self._sessions.move_to_end(definition.identity)
        best = min(sessions, key=_reluctance, default=None)
        if best is None or (best.in_use and len(sessions) < definition.instances):
            best = self._new_session(definition)
            sessions.append(best)
        best.adopt(definition)
        self._working += 1
        self._on_change()
        return best

    def _open(
        self, definition: ServerDefinition, session: Session, protocol: McpProtocol
    ) -> AbstractAsyncContextManager[Connection]:
        """Its turn has come."""
        self._awake[session] = None
        self._make_room()
        return self._connect(definition, session, protocol)

    def _replace_former(self, definition: ServerDefinition) -> None:
        """What ran in a folder that is gone, or an older version of the program, ends once it is unused."""
        former = self._latest.get(definition.lineage)
        self._latest[definition.lineage] = definition.identity
        if former in (None, definition.identity):
            return
        for session in self._sessions.get(former, ()):
            session.is_retired = True
            self._end_if_retired(session)

    def _tell_of_twin(self, definition: ServerDefinition, failure: ServerFailure) -> None:
        """A server of which only one can run (a browser's profile, a port) fails in a second folder."""
        if failure.kind != Kind.START_FAILED or definition.cwd_is_pinned or _TWIN in failure.text:
            return  # several may wait for one start
        for session in self._awake:
            twin = session.definition
            if definition.cache_key in session.cache_keys and twin.cwd != definition.cwd and session.is_live:
                failure.text += (
                    f"; {_TWIN}, {twin.public_cwd}: if there can be only one of it, give its entry a `cwd`, "
                    "and all folders share it"
                )
                return

    def _new_session(self, definition: ServerDefinition) -> Session:
        known = self._cache.get(definition.cache_key)
        return Session(
            definition,
            self._open,
            clock=self._clock,
            is_legacy=known is not None and known.is_legacy,
            asks=known is not None and known.asks,
            schemas={} if known is None else {tool.name: tool.input_schema for tool in known.tools},
            gate=self._gates[definition.transport is not Transport.STDIO],
            on_tools=self._store_tools,
        )

    def _store_tools(self, session: Session, tools: list[v1.Tool]) -> None:
        for key in session.cache_keys:
            self._cache.put(key, tools, **_facts(session))

    def sessions(self) -> list[Session]:
        return [session for group in self._sessions.values() for session in group]

    @property
    def in_use(self) -> int:
        """Calls and listings under way."""
        return sum(session.in_use for session in self.sessions())

    @property
    def is_busy(self) -> bool:
        return self._working > 0 or any(session.is_busy for session in self._awake)

    # --- config changes -----------------------------------------------------------------------------

    def let_pass(self, definitions: Iterable[ServerDefinition]) -> None:
        """No config has these: once they have ended nobody looks for them any more."""
        self._passing.update(definition.identity for definition in definitions)

    def is_gone(self, session: Session) -> bool:
        """Whether nothing of it is left, and nobody wants it."""
        is_passing = session.definition.identity in self._passing
        is_over = session.is_retired and not session.has_owner and not session.is_busy
        return is_over or (is_passing and session.state is State.STOPPED and not session.is_busy)

    def claim(
        self, path: str, text: str, definitions: Iterable[ServerDefinition], max_servers: int | None = None
    ) -> None:
        """A prompt uses this config: what a change of it has replaced ends once it is unused.

        Of several configs that set `max_servers` the largest counts.
        """
        wanted = list(definitions)
        unwanted = self._claims.note(path, text, wanted, max_servers)
        self._passing.difference_update(definition.identity for definition in wanted)
        for definition in wanted:
            self._replace_former(definition)
            for session in self._sessions.get(definition.identity, ()):
                session.is_retired = False
        for identity in unwanted:
            for session in self._sessions.get(identity, ()):
                session.is_retired = True
                self._end_if_retired(session)

    def keep_logins(self, usable: Container[str]) -> None:
        """Somebody has logged in or out: what a login opened that is over ends once it is unused, and so
        does what was refused for want of one. A config that still wants it says so.
        """
        for session in self.sessions():
            login = session.definition.login
            if login not in usable if login else session.trouble.refusal is not None:
                session.is_retired = True
                self._end_if_retired(session)

    def sign_in_url(self, definition: ServerDefinition) -> str:
        """The page that the server waits for somebody at, while it starts."""
        group = self._sessions.get(definition.identity, ())
        return next((session.sign_in_url for session in group if session.sign_in_url), "")

    def is_refused(self, definition: ServerDefinition) -> bool:
        """Whether the server, when it was last asked, wanted a login that it was not given."""
        return any(
            session.trouble.refusal is not None for session in self._sessions.get(definition.identity, ())
        )

    # --- making room --------------------------------------------------------------------------------

    def _settle(self, session: Session) -> None:
        """After each piece of work: end it if it is retired, and live ones over the limit."""
        self._working -= 1
        self._tend(session)

    def _tend(self, session: Session) -> None:
        self._end_if_retired(session)
        self._make_room()
        self._expect_expiry(session)
        self._on_change()

    def _end_if_retired(self, session: Session) -> None:
        if session.is_retired and session.is_live and not session.is_used:
            self._end(session, "its config, its login, its folder or its program has changed")

    def _make_room(self) -> None:
        """Never a busy one, nor one that is never to be stopped: then there are more than the limit."""
        self._awake = {session: None for session in self._awake if session.is_live}
        limit = self._claims.max_servers or self._max_live
        excess = len(self._awake) - limit
        if excess <= 0:
            return
        idle = [session for session in _eviction_order(self._awake) if _may_be_evicted(session)]
        for session in idle[:excess]:
            session.statistics.evictions += self._end(session, f"more than {limit} servers are live")

    def expire(self) -> None:
        """End what was unused for longer than its `idleTimeout`, and forget what is over."""
        self._cancel_expiry()
        for session in list(self._awake):
            self._end_if_expired(session)
            self._tend(session)  # a start or a listing may have ended that nobody waited for
        self._forget()

    def _forget(self) -> None:
        """What no config wants any more, and of the rest the longest unused."""
        surplus = len(self._sessions) - _MAX_KNOWN
        for position, (identity, group) in enumerate(list(self._sessions.items())):
            is_unused = not any(session.has_owner or session.is_busy for session in group)
            is_useless = position < surplus or self._is_ghost(identity, group)
            if all(map(self.is_gone, group)) or (is_useless and is_unused):
                del self._sessions[identity]
                self._passing.discard(identity)
        if len(self._latest) > _MAX_ASKED:
            self._latest = {key: now for key, now in self._latest.items() if now in self._sessions}

    def _is_ghost(self, identity: str, group: Sequence[Session]) -> bool:
        idle = min(session.idle_seconds for session in group)
        return idle > _GHOST_SECONDS and not self._claims.holds(identity)

    def forget(self, name: str) -> int:
        """Drop servers of this name with their figures, ended first; all that do not run where it is empty.

        Returns how many there were.
        """
        wanted = [
            session
            for session in self.sessions()
            if (name in session.names if name else not session.is_live and not session.is_busy)
        ]
        for session in wanted:
            self._end(session, "it is to be forgotten")
            session.is_retired = True  # it goes once nothing of it is left
        self._forget()
        return len(wanted)

    def _end_if_expired(self, session: Session) -> None:
        limit = session.definition.idle_timeout
        if limit and session.is_live and not session.is_busy and session.idle_seconds >= limit:
            self._end(session, "it was unused for its idleTimeout")

    def _expect_expiry(self, session: Session) -> None:
        """One timer for all. It may ring early, when a session was used since, and is set anew then."""
        limit = session.definition.idle_timeout
        if not limit or self._closed or not session.is_live:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.05, limit - session.idle_seconds)
        if self._expiry is None or due < self._expiry.when():
            self._cancel_expiry()
            self._expiry = loop.call_at(due, self.expire)

    def _cancel_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def restart(self, name: str, identities: Container[str] | None = None) -> int:
        """End the connections of servers of this name (of these identities); returns how many there were."""
        wanted = [
            session
            for identity, group in self._sessions.items()
            for session in group
            if name in session.names and (identities is None or identity in identities)
        ]
        doubtful = set().union(*(session.cache_keys for session in wanted))
        self._asked -= {asked for asked in self._asked if asked[0] in doubtful}
        return sum(self._end(session, "a restart was asked for") for session in wanted)

    def _end(self, session: Session, why: str) -> bool:
        if was_live := session.stop():
            _log.info("stopping %s: %s", session.definition.name, why)
        return was_live

    async def aclose(self) -> None:
        """End everything, and wait until no process is left. Harmless when repeated."""
        self._closed = True
        self._cancel_expiry()
        for task in list(self._refreshing.values()):
            task.cancel()
        await asyncio.gather(*(session.aclose() for session in self.sessions()))
        self._sessions.clear()


def _facts(session: Session) -> dict[str, Any]:
    """What is remembered of a server beside its tools."""
    return {
        "is_legacy": session.is_legacy,
        "asks": session.calls.asks,
        "instructions": session.offer.instructions,
    }


def _note(server: str, method: str, params: JsonObject, seconds: float, outcome: str) -> None:
    """Each request, for who watches (`--log-level debug`); never what it was about: the arguments."""
    what = params.get("name", "") if method == "tools/call" else method
    _log.debug("%s: %s: %s after %.3f s", clean_line(server), clean_line(str(what)), outcome, seconds)


def _reluctance(session: Session) -> tuple[bool, int, bool]:
    return (session.state is State.BACKING_OFF, session.in_use, session.state is not State.READY)


def _may_be_evicted(session: Session) -> bool:
    """Not while it is used, nor if it is never to be stopped for being unused."""
    return not session.is_busy and session.definition.idle_timeout > 0


def _eviction_order(live: Iterable[Session]) -> list[Session]:
    """First copies of a server, of which another of the same name stays; then the least recently used."""
    latest_first = sorted(live, key=lambda session: (session.is_busy, session.last_used), reverse=True)
    seen: set[str] = set()
    copies: list[Session] = []
    others: list[Session] = []
    for session in latest_first:
        (copies if session.definition.name in seen else others).append(session)
        seen.add(session.definition.name)
    return copies[::-1] + others[::-1]
