"""The RPCs of proto/llm_tools_mcp/v1: wire ↔ domain, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.config import Config, ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.pool.calls import OnEvent
from llm_tools_mcp.daemon.pool.pool import Pool
from llm_tools_mcp.daemon.pool.session import Session
from llm_tools_mcp.daemon.server.elicitation import Ask
from llm_tools_mcp.daemon.server.logins import Logins
from llm_tools_mcp.daemon.server.methods import LISTS
from llm_tools_mcp.daemon.server.to_wire import write_result
from llm_tools_mcp.errors import ConfigError
from llm_tools_mcp.text import strict_json

from .all_tools import AllTools
from .configs import ParsedConfigs, usable
from .long_results import keep_long
from .pending_questions import Questions
from .request_stream import run
from .rpc import Code, RpcError, Write
from .search_tools import ToolSearch
from .status import memory_of, server_status

# What would change the connection for everybody else who uses it, or has an RPC of its own.
_NOT_FORWARDED = frozenset(
    {
        *("initialize", "server/discover", "logging/setLevel"),
        *("resources/subscribe", "resources/unsubscribe", "subscriptions/listen"),
        *("tools/call", "tools/list"),
    }
)


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
        listing = AllTools(self._pool, self._logins, parsed, request)
        try:
            async for answer in listing.answers():
                await write(answer)
            if request.will_search:
                self._search.prepare(parsed)
        finally:
            await listing.aclose()

    def _claim(self, caller: v1.Caller, parsed: Config) -> None:
        """Each of the files for its own servers."""
        for path, is_project in ((caller.config_path, False), (caller.project_path, True)):
            if path:
                own = [d for d in usable(parsed) if (d.name in parsed.of_project) is is_project]
                written, limit = parsed.written.get(path, {}), None if is_project else parsed.max_servers
                self._pool.sessions.note_config(path, written, own, limit)
        if not caller.config_path:
            strangers = (d for d in usable(parsed) if d.name not in parsed.of_project)
            self._pool.sessions.registry.let_pass(strangers)

    async def _parsed(self, caller: v1.Caller, protocol: v1.Protocol.ValueType) -> Config:
        self._notice_logins()
        try:
            return self._logins.applied(await self._configs.found(caller, protocol))
        except ConfigError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from error

    def _notice_logins(self) -> None:
        """A command has logged in or out since the last look."""
        if self._logins.notice_change():
            self._pool.sessions.keep_logins(self._logins.usable_ids())

    # --- calls --------------------------------------------------------------------------------------

    async def CallTool(self, request: v1.CallToolRequest, write: Write) -> None:
        last = v1.CallToolEvent()

        async def call(forward: OnEvent, ask: Ask) -> None:
            definition = await self._definition(request)
            arguments = _json_object(request.arguments, "the arguments")
            if not definition.offers(request.tool):
                raise ServerFailure(Kind.UNKNOWN_TOOL, f"the config excludes the tool {request.tool!r}")
            at_once = request.caller.by_hand
            result = await self._pool.call(definition, request.tool, arguments, forward, ask, at_once=at_once)
            above = request.keep.above
            aside = write_result(result, last.result, text_alone=above > 0, longest=above)
            await keep_long(last.result, aside, request.keep)

        await run(call, last, write, self._questions, request)

    async def Request(self, request: v1.RequestMessage, write: Write) -> None:
        last = v1.RequestEvent()

        async def ask_server(forward: OnEvent, ask: Ask) -> None:
            definition = await self._definition(request)
            params = _json_object(request.params, "the parameters")
            known, at_once = request.only_known, request.caller.by_hand
            if request.method in LISTS:
                result = await self._pool.listed(
                    definition, request.method, refresh=request.refresh, only_known=known, at_once=at_once
                )
            elif request.method in _NOT_FORWARDED:
                raise ServerFailure(Kind.REJECTED, f"{request.method} is not for clients of the daemon")
            else:
                result = await self._pool.request(
                    definition, request.method, params, forward, ask, only_connected=known, at_once=at_once
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
        registry = self._pool.sessions.registry
        sessions = registry.all()
        memory = await asyncio.to_thread(memory_of, [session.pid for session in sessions])
        return v1.StatusResponse(
            health=self._health(),
            servers=[
                server_status(session, login=self._issuer(session), memory=memory.get(session.pid, 0))
                for session in sessions
                if not registry.is_gone(session)
            ],
            connections=self._connections(),
            calls_in_flight=self._pool.sessions.in_use,
            memory_bytes=psutil.Process().memory_info().rss,
            socket=self._socket,
        )

    def _issuer(self, session: Session) -> str:
        login = self._logins.of(session.definition) if session.definition.login else None
        return login.issuer if login is not None else ""

    async def RestartServer(self, request: v1.RestartServerRequest) -> v1.RestartServerResponse:
        """With a caller: of the connections of this name only the caller's own."""
        if request.forget:
            return v1.RestartServerResponse(stopped=self._pool.sessions.forget(request.server))
        if not request.HasField("caller"):
            return v1.RestartServerResponse(stopped=self._pool.restart(request.server))
        parsed = await self._parsed(request.caller, v1.Protocol.PROTOCOL_UNSPECIFIED)
        own = {definition.identity for definition in usable(parsed)}
        return v1.RestartServerResponse(stopped=self._pool.restart(request.server, own))

    async def Shutdown(self, request: v1.ShutdownRequest) -> v1.ShutdownResponse:
        self._shut_down("asked to stop")
        return v1.ShutdownResponse(pid=self._health().pid)


def _json_object(text: str, what: str) -> dict[str, Any]:
    """Raises ServerFailure."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ServerFailure(Kind.REJECTED, f"{what} are no JSON, or nested too deeply") from error
    if not isinstance(value, dict):
        raise ServerFailure(Kind.REJECTED, f"{what} are not a JSON object")
    return value
