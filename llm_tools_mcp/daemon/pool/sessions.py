"""Which session serves a definition, which one makes room, and which one ends.

Every decision is a synchronous step; what awaits comes after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.config import Protocol, ServerDefinition, Transport
from llm_tools_mcp.daemon.failure import ServerFailure

from .configured_servers import ConfiguredServers
from .eviction import evicted
from .expiry import Expiry
from .registry import Registry
from .session import Connect, Session
from .single_instance import tell_of_twin
from .start_gate import gate_of_programs, gate_of_remote_servers
from .statistics import State
from .tool_cache import ToolCache

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection

_log = logging.getLogger(__name__)

# How many servers may be live at once, where no config says it.
MAX_LIVE = 32


class Sessions:
    """`on_change` is told whenever work begins or ends.

    What happens around each call and listing, in this order; 1, 3, 4 are synchronous steps, so that nothing
    changes between looking and deciding:
    1. `take`: the least busy session of the identity; a new one where there is none, or where all are busy
       and `instances` allows one more.
    2. The session connects if it has to, once its turn at the gate has come, and works: in its owner's task
       and in its caller's.
    3. `_make_room`, as it begins to connect: idle ones over the limit end, copies of a name first, then the
       least recently used. If all are busy there are more than the limit, for a while.
    4. `settle`: it ends if no config wants it any more; idle ones end that 3 could not end; and the timer is
       set that ends what stays unused.
    """

    def __init__(
        self,
        connect: Connect,
        cache: ToolCache,
        *,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        max_live: int,
    ) -> None:
        self._connect = connect
        self._cache = cache
        self._clock = clock
        self._on_change = on_change
        self._max_live = max_live
        # Those that were live when last looked at, in the order of their starts: few, of thousands.
        self._awake: dict[Session, None] = {}
        self._working = 0  # calls and listings under way
        self._gates = {True: gate_of_remote_servers(), False: gate_of_programs()}
        self._configured = ConfiguredServers()
        self.registry = Registry(self._configured.holds)
        self._expiry = Expiry(self.expire)

    # --- which session ------------------------------------------------------------------------------

    def take(self, definition: ServerDefinition, *, at_once: bool = False) -> Session:
        """The least busy session of this identity; one more while `instances` allows and all are busy.

        `at_once`: also if it has failed and is left alone for a while.
        """
        self._replace_former(definition)
        sessions = self.registry.group_in_use(definition.identity)
        best = min(sessions, key=_reluctance, default=None)
        if best is None or (best.in_use and len(sessions) < definition.instances):
            best = self._new_session(definition)
            sessions.append(best)
        best.adopt(definition)
        if at_once:
            best.error_state.backoff.waive()
        self._working += 1
        self._on_change()
        return best

    def _open(
        self, definition: ServerDefinition, session: Session, protocol: Protocol
    ) -> AbstractAsyncContextManager[Connection]:
        """Its turn has come."""
        self._awake[session] = None
        self._make_room()
        return self._connect(definition, session, protocol)

    def _replace_former(self, definition: ServerDefinition) -> None:
        """What ran in a folder that is gone, or an older version of the program, ends once it is unused."""
        self._retire(self.registry.replaced_by(definition))

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
            self._cache.put(key, tools, **facts_to_keep(session))

    def tell_of_twin(self, definition: ServerDefinition, failure: ServerFailure) -> None:
        """Where it did not start since there can be only one of it."""
        tell_of_twin(definition, failure, self._awake)

    @property
    def in_use(self) -> int:
        """Calls and listings under way."""
        return self._working

    @property
    def live(self) -> int:
        """How many servers are; of thousands that are known few ever were."""
        return sum(session.is_live for session in self._awake)

    @property
    def is_busy(self) -> bool:
        return self._working > 0 or any(session.is_busy for session in self._awake)

    # --- config changes -----------------------------------------------------------------------------

    def note_config(
        self,
        path: str,
        entries: Mapping[str, Any],
        definitions: Iterable[ServerDefinition],
        max_servers: int | None = None,
    ) -> None:
        """A prompt uses this config: what a change of it has replaced ends once it is unused.

        `entries`: those in use, as they are written.
        Of several configs that set `max_servers` the largest counts.
        """
        wanted = list(definitions)
        edited, unwanted = self._configured.note(path, entries, wanted, max_servers)
        self.registry.keep(wanted)
        for definition in wanted:
            self._replace_former(definition)
            for session in self.registry.of(definition.identity):
                session.is_retired = False
                if definition.identity in edited:
                    session.error_state.backoff.waive()
        for identity in unwanted:
            self._retire(self.registry.of(identity))

    def keep_logins(self, usable: Container[str]) -> None:
        """Somebody has logged in or out: what a login opened that is over ends once it is unused, and so
        does what was refused for want of one. A config that still wants it says so.
        """
        for session in self.registry.all():
            login = session.definition.login
            if login not in usable if login else session.error_state.refusal is not None:
                self._retire([session])

    # --- making room --------------------------------------------------------------------------------

    def settle(self, session: Session) -> None:
        """After each piece of work: end it if it is retired, and live ones over the limit."""
        self._working -= 1
        self._tend(session)

    def _tend(self, session: Session) -> None:
        self._end_if_retired(session)
        self._make_room()
        self._expiry.expect(session)
        self._on_change()

    def _retire(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            session.is_retired = True
            self._end_if_retired(session)

    def _end_if_retired(self, session: Session) -> None:
        if session.is_retired and session.is_live and not session.is_used:
            self._end(session, "its config, its login, its folder or its program has changed")

    def _make_room(self) -> None:
        """Never a busy one, nor one that is never to be stopped: then there are more than the limit."""
        self._awake = {session: None for session in self._awake if session.is_live}
        limit = self._configured.max_servers or self._max_live
        excess = len(self._awake) - limit
        if excess <= 0:
            return
        for session in evicted(self._awake, excess):
            session.statistics.evictions += self._end(session, f"more than {limit} servers are live")

    def expire(self) -> None:
        """End what was unused for longer than its `idleTimeout`, and forget what is over."""
        self._expiry.cancel()
        for session in list(self._awake):
            self._end_if_expired(session)
            self._tend(session)  # a start or a listing may have ended that nobody waited for
        self.registry.forget()

    def forget(self, name: str) -> int:
        """Drop servers of this name with their figures, ended first; all that do not run where it is empty.

        Returns how many there were.
        """
        wanted = [
            session
            for session in self.registry.all()
            if (name in session.names if name else not session.is_live and not session.is_busy)
        ]
        for session in wanted:
            self._end(session, "it is to be forgotten")
            session.is_retired = True  # it goes once nothing of it is left
        self.registry.forget()
        return len(wanted)

    def _end_if_expired(self, session: Session) -> None:
        limit = session.definition.idle_timeout
        if limit and session.is_live and not session.is_busy and session.idle_seconds >= limit:
            self._end(session, "it was unused for its idleTimeout")

    def end(self, sessions: Iterable[Session], why: str) -> int:
        """Returns how many were live."""
        return sum(self._end(session, why) for session in sessions)

    def _end(self, session: Session, why: str) -> bool:
        if was_live := session.stop():
            _log.info("stopping %s: %s", session.definition.name, why)
        return was_live

    async def aclose(self) -> None:
        """End all, and wait until no process is left. Harmless when repeated."""
        self._expiry.close()
        await asyncio.gather(*(session.aclose() for session in self.registry.all()))
        self.registry.clear()


def facts_to_keep(session: Session) -> dict[str, Any]:
    """What is remembered of a server beside its tools."""
    return {
        "is_legacy": session.is_legacy,
        "asks": session.calls.asks,
        "instructions": session.offer.instructions,
    }


def _reluctance(session: Session) -> tuple[bool, int, bool]:
    return (session.state is State.BACKING_OFF, session.in_use, session.state is not State.READY)
