"""The RPCs of proto/llm_tools_mcp/v1: wire ↔ domain, and nothing else."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from llm_tools_mcp import paths, strict_json, v1
from llm_tools_mcp.config import Config, ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure, unexpected
from llm_tools_mcp.daemon.pool.calls import OnEvent
from llm_tools_mcp.daemon.pool.pool import Pool
from llm_tools_mcp.daemon.pool.session import Session
from llm_tools_mcp.daemon.pool.tool_cache import ToolList
from llm_tools_mcp.daemon.server.logins import Logins
from llm_tools_mcp.daemon.server.methods import LISTS
from llm_tools_mcp.daemon.server.questions import Ask
from llm_tools_mcp.daemon.server.results import write_result
from llm_tools_mcp.daemon.turn import Turn
from llm_tools_mcp.errors import ConfigError

from .configs import ParsedConfigs, usable
from .questions import Questions
from .rpc import Code, RpcError, Write
from .running import run
from .searching import ToolSearch

_log = logging.getLogger(__name__)

# What would change the connection for everybody else who uses it, or has an RPC of its own.
_NOT_FORWARDED = frozenset(
    {
        *("initialize", "server/discover", "logging/setLevel"),
        *("resources/subscribe", "resources/unsubscribe", "subscriptions/listen"),
        *("tools/call", "tools/list"),
    }
)


# Seconds between two looks at whether a server that starts waits for a person.
_LOOK_SECONDS = 0.25


class Servicer:
    """`health` describes the daemon, `shut_down` begins its drain, `is_outdated` asks the disk."""

    def __init__(
        self,
        pool: Pool,
        logins: Logins,
        questions: Questions,
        *,
        health: Callable[[], v1.HealthResponse],
        connections: Callable[[], int],
        socket: str,
        shut_down: Callable[[str], None],
        is_outdated: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._logins = logins
        self._questions = questions
        self._configs = ParsedConfigs()
        self._search = ToolSearch(pool)
        self._health = health
        self._connections = connections
        self._socket = socket
        self._shut_down = shut_down
        self._is_outdated = is_outdated

    def forget_configs(self) -> None:
        self._configs = ParsedConfigs()

    # --- tools --------------------------------------------------------------------------------------

    async def GetAllTools(self, request: v1.GetAllToolsRequest, write: Write) -> None:
        if self._is_outdated():
            self._shut_down("a newer version is installed")
            raise RpcError(Code.UNAVAILABLE, "a newer version is installed; connect again")
        parsed = await self._parsed(request.caller, request.protocol)
        self._claim(request.caller, parsed)
        listing = _Listing(self._pool, self._logins, parsed, request)
        try:
            async for answer in listing.answers():
                await write(answer)
            if request.will_search:
                self._search.prepare(parsed)
        finally:
            await listing.aclose()

    def _claim(self, caller: v1.Caller, parsed: Config) -> None:
        """Each of the files for its own servers."""
        for path, text, is_project in (
            (caller.config_path, caller.config, False),
            (caller.project_path, caller.project_config, True),
        ):
            if path:
                own = [d for d in usable(parsed) if (d.name in parsed.of_project) is is_project]
                self._pool.claim(path, text, own, None if is_project else parsed.max_servers)
        if not caller.config_path:
            self._pool.let_pass(d for d in usable(parsed) if d.name not in parsed.of_project)

    async def _parsed(self, caller: v1.Caller, protocol: v1.Protocol.ValueType) -> Config:
        self._notice_logins()
        try:
            return self._logins.applied(await self._configs.found(caller, protocol))
        except ConfigError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from error

    def _notice_logins(self) -> None:
        """A command has logged in or out since the last look."""
        if self._logins.notice_change():
            self._pool.keep_logins(self._logins.usable_ids())

    # --- calls --------------------------------------------------------------------------------------

    async def CallTool(self, request: v1.CallToolRequest, write: Write) -> None:
        last = v1.CallToolEvent()

        async def call(forward: OnEvent, ask: Ask) -> None:
            definition = await self._definition(request)
            arguments = _json_object(request.arguments, "the arguments")
            if not definition.offers(request.tool):
                raise ServerFailure(Kind.UNKNOWN_TOOL, f"the config excludes the tool {request.tool!r}")
            result = await self._pool.call(definition, request.tool, arguments, forward, ask)
            write_result(result, last.result)

        await run(call, last, write, self._questions, request)

    async def Request(self, request: v1.RequestMessage, write: Write) -> None:
        last = v1.RequestEvent()

        async def ask_server(forward: OnEvent, ask: Ask) -> None:
            definition = await self._definition(request)
            params = _json_object(request.params, "the parameters")
            if request.method in LISTS:
                result = await self._pool.listed(
                    definition, request.method, refresh=request.refresh, only_known=request.only_known
                )
            elif request.method in _NOT_FORWARDED:
                raise ServerFailure(Kind.REJECTED, f"{request.method} is not for clients of the daemon")
            else:
                result = await self._pool.request(
                    definition, request.method, params, forward, ask, only_connected=request.only_known
                )
            last.result = strict_json.dumps(result)

        await run(ask_server, last, write, self._questions, request)

    async def Answer(self, request: v1.AnswerRequest) -> v1.AnswerResponse:
        try:
            return v1.AnswerResponse(was_open=self._questions.answer(request))
        except (ValueError, RecursionError) as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from error

    async def _definition(self, request: v1.CallToolRequest | v1.RequestMessage) -> ServerDefinition:
        self._notice_logins()
        parsed = await self._configs.found(request.caller, request.protocol, request.server)
        servers = parsed.servers
        definition = servers.get(request.server)
        if definition is None:
            known = ", ".join(servers) or "none"
            text = f"no server {request.server!r} is configured (there are: {known})"
            raise ServerFailure(Kind.UNKNOWN_SERVER, text)
        if isinstance(definition, ConfigError):
            raise definition
        return self._logins.applied_to(definition)

    async def SearchTools(self, request: v1.SearchToolsRequest) -> v1.SearchToolsResponse:
        return await self._search.answer(await self._parsed(request.caller, request.protocol), request)

    # --- the daemon ---------------------------------------------------------------------------------

    async def Health(self, request: v1.HealthRequest) -> v1.HealthResponse:
        return self._health()

    async def Status(self, request: v1.StatusRequest) -> v1.StatusResponse:
        import psutil  # who asks for this can wait for it

        self._notice_logins()
        return v1.StatusResponse(
            health=self._health(),
            servers=[
                self._status(session) for session in self._pool.sessions() if not self._pool.is_gone(session)
            ],
            connections=self._connections(),
            calls_in_flight=self._pool.in_use,
            memory_bytes=psutil.Process().memory_info().rss,
            socket=self._socket,
        )

    def _status(self, session: Session) -> v1.ServerStatus:
        login = self._logins.of(session.definition) if session.definition.login else None
        return _status(session, login.issuer if login is not None else "")

    async def RestartServer(self, request: v1.RestartServerRequest) -> v1.RestartServerResponse:
        """With a caller: of the connections of this name only the caller's own."""
        if request.forget:
            return v1.RestartServerResponse(stopped=self._pool.forget(request.server))
        if not request.HasField("caller"):
            return v1.RestartServerResponse(stopped=self._pool.restart(request.server))
        parsed = await self._parsed(request.caller, v1.Protocol.PROTOCOL_UNSPECIFIED)
        own = {definition.identity for definition in usable(parsed)}
        return v1.RestartServerResponse(stopped=self._pool.restart(request.server, own))

    async def Shutdown(self, request: v1.ShutdownRequest) -> v1.ShutdownResponse:
        self._shut_down("asked to stop")
        return v1.ShutdownResponse(pid=self._health().pid)


class _Listing:
    """One GetAllTools: known lists at once, then each server that had to be asked, as it answers."""

    def __init__(self, pool: Pool, logins: Logins, parsed: Config, request: v1.GetAllToolsRequest) -> None:
        self._pool = pool
        self._logins = logins
        self._servers = list(parsed.servers.items())
        self._wanted = set(request.servers)
        self._refresh = request.refresh
        self._asked: dict[asyncio.Task[ToolList], int] = {}
        self._answered: deque[asyncio.Task[ToolList]] = deque()
        self._news = asyncio.Event()
        self._signing_in: dict[int, str] = {}  # by position

    async def answers(self) -> AsyncIterator[v1.ServerTools]:
        """There may be thousands: others get their turns meanwhile."""
        turn = Turn()
        for position in range(len(self._servers)):
            asked = len(self._asked)
            yield self._at_once(position)
            if len(self._asked) > asked:
                await asyncio.sleep(0)  # what was begun takes longer than to begin it
            await turn.give_way()
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
                await turn.give_way()

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
        if known is not None and not self._refresh:
            self._pool.refresh_if_stale(definition, known)
            return self._message(position, v1.ServerTools.CACHED, known)
        task = asyncio.ensure_future(self._pool.list_tools(definition))
        task.add_done_callback(self._note_answer)
        self._asked[task] = position
        return self._message(position, v1.ServerTools.STARTING, None)

    def _new_sign_in(self, position: int) -> str:
        definition = self._servers[position][1]
        url = "" if isinstance(definition, ConfigError) else self._pool.sign_in_url(definition)
        is_new = url != self._signing_in.get(position, "")
        self._signing_in[position] = url
        return url if is_new else ""

    def _needs_login(self, definition: ServerDefinition) -> bool:
        return self._logins.has_ended(definition) or self._pool.is_refused(definition)

    def _answer(self, position: int, task: asyncio.Task[ToolList]) -> v1.ServerTools:
        try:
            return self._message(position, v1.ServerTools.LISTED, task.result())
        except ServerFailure as failure:
            wire = failure.to_wire()
        except Exception as error:  # noqa: BLE001 - one server must not cost the others
            _log.exception("listing the tools of %s failed", self._servers[position][0])
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


def _json_object(text: str, what: str) -> dict[str, Any]:
    """Raises ServerFailure."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ServerFailure(Kind.REJECTED, f"{what} are no JSON, or nested too deeply") from error
    if not isinstance(value, dict):
        raise ServerFailure(Kind.REJECTED, f"{what} are not a JSON object")
    return value


def _status(session: Session, login: str) -> v1.ServerStatus:
    definition, statistics = session.definition, session.statistics
    name, *others = session.names
    return v1.ServerStatus(
        server=name,
        also_called=others,
        state=session.state.value,
        transport=definition.transport.value,
        target=paths.sendable(definition.target),
        cwd=paths.sendable(definition.cwd),
        pid=session.pid,
        memory_bytes=_memory(session.pid),
        tools=session.tool_count,
        calls=statistics.calls,
        errors=statistics.errors,
        restarts=max(0, statistics.starts - statistics.evictions - 1),
        evictions=statistics.evictions,
        tool_errors=statistics.tool_errors,
        calls_in_flight=session.in_use,
        latency_p50_seconds=statistics.quantile(0.5),
        latency_p95_seconds=statistics.quantile(0.95),
        idle_seconds=session.idle_seconds,
        last_error=session.last_error,
        protocol_version=session.protocol_version,
        login=login,
        tool_tokens=session.tool_tokens,
    )


def _memory(pid: int) -> int:
    """Resident bytes of the server and the processes below it; 0 where there is none."""
    if not pid:
        return 0
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0
