"""All servers, as they are asked: calls, other requests, lists, and what is known of their tools."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server.elicitation import Ask, nobody
from llm_tools_mcp.daemon.server.sanitize import clean_line
from llm_tools_mcp.daemon.server.to_wire import JsonObject

from .cache_refresh import CacheRefresh
from .calls import OnEvent
from .list_cache import ListCache
from .output_schemas import OutputSchemas
from .session import Connect
from .sessions import MAX_LIVE, Sessions, facts_to_keep
from .tool_cache import ToolCache, ToolList

_log = logging.getLogger(__name__)


class Pool:
    """`sessions` decides; here it is asked, and what the servers told is remembered."""

    def __init__(
        self,
        connect: Connect,
        cache: ToolCache,
        lists: ListCache,
        *,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        max_live: int = MAX_LIVE,
    ) -> None:
        self.sessions = Sessions(connect, cache, clock=clock, on_change=on_change, max_live=max_live)
        self._cache = cache
        self._lists = lists
        self._clock = clock
        self._outputs = OutputSchemas()
        self._refreshing = CacheRefresh(self.list_tools, cache.clock)

    async def call(
        self,
        definition: ServerDefinition,
        tool: str,
        arguments: Mapping[str, Any],
        on_event: OnEvent,
        ask: Ask = nobody,
        *,
        at_once: bool = False,
    ) -> JsonObject:
        """Run one tool call; its result as the server gave it. Raises ServerFailure.

        What the server asks meanwhile is put to `ask`, and the call's clock stands still. `at_once`, here and
        below: a person waits for this very answer, so that a server that has failed is not left alone.
        """
        params = {"name": tool, "arguments": dict(arguments)}
        result = await self.request(definition, "tools/call", params, on_event, ask, at_once=at_once)
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
        at_once: bool = False,
    ) -> JsonObject:
        """The same for any other request. Raises ServerFailure.

        `only_connected`: nothing is started for it, and the server of another caller will do.
        """
        if only_connected:
            definition = self.sessions.registry.connected_as(definition) or definition
            self._check_connected(definition)
        session = self.sessions.take(definition, at_once=at_once)
        began, outcome = self._clock(), "cancelled"
        try:
            result = await session.request(definition, method, params, on_event, ask)
            outcome = "an error of the tool's own" if result.get("isError") else "answered"
        except ServerFailure as failure:
            outcome = v1.name_of(Kind, failure.kind)
            self.sessions.tell_of_twin(definition, failure)
            raise
        finally:
            _note(definition.name, method, params, self._clock() - began, outcome)
            self.sessions.settle(session)
        return result

    async def listed(
        self,
        definition: ServerDefinition,
        method: str,
        *,
        refresh: bool = False,
        only_known: bool = False,
        at_once: bool = False,
    ) -> JsonObject:
        """A list besides that of the tools, all pages. Raises ServerFailure.

        `only_known`: nothing is started for it, and an old list will do.
        """
        sessions = self.sessions.registry.of(definition.identity)
        known = None if refresh else self._lists.current(definition.identity, method, sessions)
        if known is None and only_known:
            known = self._lists.get(definition.identity, method)
        if known is not None:
            return known
        if only_known:
            self._check_connected(definition)
        session = self.sessions.take(definition, at_once=at_once)
        try:
            result = await session.whole_list(definition, method)
        except ServerFailure as failure:
            self.sessions.tell_of_twin(definition, failure)
            raise
        finally:
            self.sessions.settle(session)
        await self._lists.put(definition, method, result)
        return result

    def _check_connected(self, definition: ServerDefinition) -> None:
        if not self.sessions.registry.is_connected(definition):
            raise ServerFailure(Kind.STILL_STARTING, "it is not connected")

    def known_tools(self, definition: ServerDefinition) -> ToolList | None:
        """The last known list, without starting anything."""
        return self._cache.get(definition.cache_key)

    async def list_tools(self, definition: ServerDefinition, *, at_once: bool = False) -> ToolList:
        """Ask the server for its tools, now. Raises ServerFailure."""
        session = self.sessions.take(definition, at_once=at_once)
        self._refreshing.note_asked(definition)
        try:
            tools = await session.list_tools(definition)
        except ServerFailure as failure:
            self.sessions.tell_of_twin(definition, failure)
            raise
        finally:
            self.sessions.settle(session)
        return self._cache.listed(tools, **facts_to_keep(session))

    def refresh_if_stale(self, definition: ServerDefinition, known: ToolList) -> None:
        """Ask again in the background where the known list is old, of another version of the program, or of
        a time before this daemon.
        """
        self._refreshing.begin_if_stale(definition, self._cache.age(known))

    def restart(self, name: str, identities: Container[str] | None = None) -> int:
        """End the connections of servers of this name (of these identities); returns how many there were."""
        wanted = self.sessions.registry.called(name, identities)
        self._refreshing.doubt(set().union(*(session.cache_keys for session in wanted)))
        return self.sessions.end(wanted, "a restart was asked for")

    async def aclose(self) -> None:
        """End everything, and wait until no process is left. Harmless when repeated."""
        self._refreshing.cancel()
        await self.sessions.aclose()


def _note(server: str, method: str, params: JsonObject, seconds: float, outcome: str) -> None:
    """Each request, for who watches (`--log-level debug`); never what it was about: the arguments."""
    if not _log.isEnabledFor(logging.DEBUG):  # to clean the names takes 20 us
        return
    what = params.get("name", "") if method == "tools/call" else method
    _log.debug("%s: %s: %s after %.3f s", clean_line(server), clean_line(str(what)), outcome, seconds)
