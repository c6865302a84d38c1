"""GetAllTools: known lists at once, then each server that had to be asked, as it answers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from llm_tools_mcp import v1
from llm_tools_mcp.config import Config, ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure, unexpected
from llm_tools_mcp.daemon.pool.pool import Pool
from llm_tools_mcp.daemon.pool.tool_cache import ToolList
from llm_tools_mcp.daemon.server.logins import Logins
from llm_tools_mcp.daemon.time_slice import TimeSlice
from llm_tools_mcp.errors import ConfigError

_log = logging.getLogger(__name__)

# Seconds between two looks at whether a server that starts waits for a person.
_LOOK_SECONDS = 0.25


class AllTools:
    """One listing, of all servers of a config or of those that are `request`ed."""

    def __init__(self, pool: Pool, logins: Logins, parsed: Config, request: v1.GetAllToolsRequest) -> None:
        self._pool = pool
        self._registry = pool.sessions.registry
        self._logins = logins
        self._servers = list(parsed.servers.items())
        self._wanted = set(request.servers)
        self._refresh = request.refresh
        self._by_hand = request.caller.by_hand
        self._asked: dict[asyncio.Task[ToolList], int] = {}
        self._answered: deque[asyncio.Task[ToolList]] = deque()
        self._news = asyncio.Event()
        self._signing_in: dict[int, str] = {}  # by position

    async def answers(self) -> AsyncIterator[v1.ServerTools]:
        """There may be thousands: others get their turns meanwhile."""
        time_slice = TimeSlice()
        for position in range(len(self._servers)):
            asked = len(self._asked)
            yield self._at_once(position)
            if len(self._asked) > asked:
                await asyncio.sleep(0)  # what was begun takes longer than to begin it
            await time_slice.give_way()
        for name in self._wanted - {name for name, _ in self._servers}:
            text = f"no server {name!r} is configured"
            failure = v1.Failure(kind=Kind.UNKNOWN_SERVER, message=text)
            yield v1.ServerTools(
                server=name, position=len(self._servers), state=v1.ServerTools.FAILED, failure=failure
            )
        while self._asked:
            for answer in await self._sign_ins():
                yield answer
            while self._answered:
                task = self._answered.popleft()
                yield self._answer(self._asked.pop(task), task)
                await time_slice.give_way()

    async def _sign_ins(self) -> list[v1.ServerTools]:
        """Wait for the next answer, for a moment; what is to be visited meanwhile."""
        self._news.clear()
        if not self._answered:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_SECONDS)
        if self._answered:
            return []
        found = ((position, self._new_sign_in(position)) for position in self._asked.values())
        return [
            v1.ServerTools(
                server=self._servers[position][0],
                position=position,
                state=v1.ServerTools.STARTING,
                sign_in_url=url,
            )
            for position, url in found
            if url
        ]

    def _note_answer(self, task: asyncio.Task[ToolList]) -> None:
        self._answered.append(task)
        self._news.set()

    def _at_once(self, position: int) -> v1.ServerTools:
        name, definition = self._servers[position]
        if isinstance(definition, ConfigError):
            failure = v1.Failure(kind=Kind.CONFIG, message=definition.reason_in_file)
            return v1.ServerTools(
                server=name, position=position, state=v1.ServerTools.FAILED, failure=failure
            )
        known = self._pool.known_tools(definition)
        if self._wanted and name not in self._wanted:
            return self._message(position, v1.ServerTools.SKIPPED, known)
        if known is not None and not self._refresh and self._needs_login(definition):
            answer = self._message(position, v1.ServerTools.FAILED, known)
            text = self._logins.needs_login(definition)
            answer.failure.CopyFrom(v1.Failure(kind=Kind.NEEDS_LOGIN, message=text))
            return answer
        if known is not None and not self._refresh and (known.tools or not self._by_hand):
            self._pool.refresh_if_stale(definition, known)
            return self._message(position, v1.ServerTools.CACHED, known)
        task = asyncio.ensure_future(self._pool.list_tools(definition, at_once=self._by_hand))
        task.add_done_callback(self._note_answer)
        self._asked[task] = position
        return self._message(position, v1.ServerTools.STARTING, None)

    def _new_sign_in(self, position: int) -> str:
        definition = self._servers[position][1]
        url = "" if isinstance(definition, ConfigError) else self._registry.sign_in_url(definition)
        is_new = url != self._signing_in.get(position, "")
        self._signing_in[position] = url
        return url if is_new else ""

    def _needs_login(self, definition: ServerDefinition) -> bool:
        return self._logins.has_ended(definition) or self._registry.is_refused(definition)

    def _answer(self, position: int, task: asyncio.Task[ToolList]) -> v1.ServerTools:
        error = task.exception()  # not raised: its frames would hold the task, and with it the error itself
        if error is None:
            return self._message(position, v1.ServerTools.LISTED, task.result())
        if isinstance(error, ServerFailure):
            wire = error.to_wire()
        else:  # one server must not cost the others
            _log.error("listing the tools of %s failed", self._servers[position][0], exc_info=error)
            wire = v1.Failure(kind=Kind.START_FAILED, message=unexpected(error))
        definition = self._servers[position][1]
        known = None if isinstance(definition, ConfigError) else self._pool.known_tools(definition)
        answer = self._message(position, v1.ServerTools.FAILED, known)
        answer.failure.CopyFrom(wire)
        return answer

    def _message(
        self, position: int, state: v1.ServerTools.State.ValueType, known: ToolList | None
    ) -> v1.ServerTools:
        name, definition = self._servers[position]
        tools = known.tools if known is not None else ()
        if isinstance(definition, ServerDefinition) and (definition.include or definition.exclude):
            tools = tuple(tool for tool in tools if definition.offers(tool.name))
        answer = v1.ServerTools(server=name, position=position, state=state, tools=tools)
        answer.instructions = known.instructions if known is not None else ""
        if isinstance(definition, ServerDefinition):
            answer.always_load = definition.always_load
            if definition.output_limit is not None:
                answer.output_limit = definition.output_limit
            answer.consent_key, answer.approve = definition.consent_key, definition.approve
            answer.always_allow.extend(definition.always_allow)
        return answer

    async def aclose(self) -> None:
        """The client has gone: nobody waits any more. What is starting goes on."""
        for task in list(self._asked):
            task.cancel()
            await asyncio.sleep(0)  # there may be thousands, each with something to end
        if self._asked:
            await asyncio.wait(self._asked)
