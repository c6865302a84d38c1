"""List and call tools through the daemon, whatever state it is in: running, gone, or being replaced."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_tools_mcp import naming, paths, v1
from llm_tools_mcp.config import ConfigSource, is_disabled, named_entries
from llm_tools_mcp.config.approval import NEVER
from llm_tools_mcp.errors import SERVER_SAID, DaemonUnreachable, McpError, UnknownTool
from llm_tools_mcp.tokens import tokens_of

from .activation import await_answer, ensure_daemon
from .asking import Answerer
from .channel import AsyncDaemonClient, DaemonClient, make_call, make_caller
from .outcome import OnEvent
from .starting import Starting

# A daemon that drains or is being replaced may refuse once or twice before its successor answers.
_ATTEMPTS = 5
# A killed daemon accepts until the kernel has cleared it away.
_PAUSE_SECONDS = 0.05

# More servers than these that fail are told in a line each, of so many characters.
FEW = 3
_SHORT = 80

OnAnswer = Callable[[v1.ServerTools], None]

_PROTOCOLS = {
    None: v1.Protocol.PROTOCOL_UNSPECIFIED,
    "auto": v1.Protocol.PROTOCOL_AUTO,
    "legacy": v1.Protocol.PROTOCOL_LEGACY,
    "modern": v1.Protocol.PROTOCOL_MODERN,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as it is offered to a model: `name` is unique, `tool` is the server's own name of it."""

    name: str
    server: str
    tool: str
    description: str
    wire: v1.Tool = field(repr=False)

    @property
    def input_schema(self) -> dict[str, Any]:
        return _object(self.wire.input_schema)

    @property
    def output_schema(self) -> dict[str, Any]:
        return _object(self.wire.output_schema)

    @property
    def annotations(self) -> dict[str, Any]:
        """Hints, which are the server's word only."""
        return _object(self.wire.annotations)

    @property
    def meta(self) -> dict[str, Any]:
        return _object(self.wire.meta)

    @property
    def is_read_only(self) -> bool:
        return self.annotations.get("readOnlyHint") is True

    @property
    def needs_task(self) -> bool:
        """Whether it can be called as a task alone, which is not done here."""
        return self.wire.task_support == "required"

    @property
    def tokens(self) -> int:
        """What its definition costs in every request, estimated."""
        return tokens_of(self.name, self.description, self.wire.input_schema)


@dataclass(frozen=True, slots=True)
class Failed:
    """A server whose tools are missing, and why. `login` is what to type where it needs a login."""

    server: str
    reason: str
    traceback: str = field(default="", repr=False)
    login: str = ""
    is_config: bool = False  # its entry is what is wrong

    @property
    def line(self) -> str:
        """Of one that needs a login, all there is to say."""
        return f"{self.server!r} needs a login: {self.login}"

    @property
    def words(self) -> str:
        """What the server itself said with its refusal, if it said anything."""
        return self.reason.partition(SERVER_SAID)[2]

    @property
    def short_reason(self) -> str:
        """Within a line, where there are many."""
        line = self.reason.strip().split("\n", 1)[0]
        return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether a person is asked before tools of a server are called: see config.approval."""

    consent_key: str = field(repr=False)
    approve: str
    always_allow: tuple[str, ...] = ()

    def allows(self, tool: str) -> bool:
        """Whether the config lets it through unasked."""
        return bool(self.always_allow) and naming.matches(",".join(self.always_allow), tool)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a config offers now. `offers` is in config order, then server order.

    `others` are the last known tools of servers that were not asked for: names depend on them.
    """

    caller: v1.Caller = field(repr=False)
    protocol: v1.Protocol.ValueType
    offers: tuple[Offer, ...]
    failed: tuple[Failed, ...]
    others: tuple[Offer, ...] = ()
    left_out: tuple[Offer, ...] = ()  # cannot be called from here
    instructions: Mapping[str, str] = field(default_factory=dict, repr=False)  # of servers that have some

    output_limits: Mapping[str, int] = field(default_factory=dict)  # of servers whose entry has one
    prefix: str = ""
    policies: Mapping[str, Policy] = field(default_factory=dict)  # of servers, for asking the person
    always_loaded: frozenset[str] = frozenset()  # servers whose tools are there where others are searched for

    def read_only(self) -> Listing:
        """The same, with the tools alone that say that they change nothing."""
        return replace(self, offers=tuple(offer for offer in self.offers if offer.is_read_only))

    def free_name(self, name: str, others: Iterable[str] = ()) -> str:
        """A name for a tool of our own that no tool of a server has, nor one of `others`; with the prefix."""
        taken = {offer.name for offer in (*self.offers, *self.others)} | set(others)
        found = f"{self.prefix}{name}"
        while found in taken:
            found = f"{self.prefix}mcp_{found.removeprefix(self.prefix)}"
        return found

    def call(self, offer: Offer, arguments: Mapping[str, Any]) -> v1.CallToolRequest:
        return make_call(self.caller, offer.server, offer.tool, arguments, self.protocol)


class Daemon:
    """The way to the daemon for as long as this process lives; each use makes sure that one answers."""

    def __init__(self, starting: Starting | None = None) -> None:
        self._starting = starting
        self._client: DaemonClient | None = None

    def client(self) -> DaemonClient:
        """A client of a daemon that accepts, started if need be. Raises DaemonError."""
        socket, is_known = self._find()
        if self._client is not None and not self._client.leads_to(socket):
            self.forget_client()
        if self._client is None:
            client = DaemonClient(socket)
            try:
                if not is_known:
                    await_answer(client.health)
            except McpError:
                client.close()  # its connection would hold up a daemon that drains
                raise
            self._client = client
        return self._client

    def _find(self) -> tuple[Path, bool]:
        """A socket that accepts, and whether its daemon is known to answer."""
        starting, self._starting = self._starting, None
        return starting.wait() if starting is not None else (ensure_daemon(), False)

    def list_tools(
        self,
        source: ConfigSource,
        servers: Sequence[str] = (),
        globs: str = "",
        prefix: str = "",
        mode: str | None = None,
        *,
        refresh: bool = False,
        will_search: bool = False,
        on_answer: OnAnswer | None = None,
    ) -> Listing:
        """The tools of a config. Raises ConfigError, DaemonError, and UnknownTool for an unknown server.

        `on_answer` is told of each server as it becomes known, of one that has to be waited for twice.
        """
        protocol = protocol_of(mode)
        caller = make_caller(source)
        answers = self._answers(
            lambda: self.client().tools(caller, servers, protocol, refresh=refresh, will_search=will_search),
            on_answer or _ignore,
        )
        _check_servers(answers, source)
        offers = _offers(answers, prefix)
        asked = [offer for offer in offers if not servers or offer.server in servers]
        wanted = [offer for offer in asked if naming.matches(globs, offer.tool, offer.name)]
        return Listing(
            caller,
            protocol,
            tuple(offer for offer in wanted if not offer.needs_task),
            tuple(_failed(answer, source) for answer in answers if answer.state == v1.ServerTools.FAILED),
            tuple(offer for offer in offers if servers and offer.server not in servers),
            tuple(offer for offer in wanted if offer.needs_task),
            {answer.server: answer.instructions for answer in answers if answer.instructions},
            {answer.server: answer.output_limit for answer in answers if answer.HasField("output_limit")},
            naming.fitted_prefix(prefix),
            {answer.server: _policy(answer) for answer in answers},
            frozenset(answer.server for answer in answers if answer.always_load),
        )

    def _answers(
        self, ask: Callable[[], Iterator[v1.ServerTools]], on_answer: OnAnswer
    ) -> list[v1.ServerTools]:
        """The last word of each server, in config order. Listing is safe to repeat."""
        for attempt in range(1, _ATTEMPTS + 1):
            answers = []
            try:
                for answer in ask():
                    answers.append(answer)
                    on_answer(answer)
            except DaemonUnreachable:
                if attempt == _ATTEMPTS:
                    raise
                self.forget_client()
                time.sleep(attempt * _PAUSE_SECONDS)
                continue
            final = [answer for answer in answers if answer.state != v1.ServerTools.STARTING]
            return sorted(final, key=lambda answer: answer.position)
        raise AssertionError("unreachable")

    def offer_now(self, listing: Listing, offer: Offer) -> Offer | None:
        """The same tool as its server lists it at this moment; None where it does not any more.

        Raises McpError where the server cannot be asked.
        """
        servers = [offer.server]
        answers = self._answers(
            lambda: self.client().tools(listing.caller, servers, listing.protocol, refresh=True), _ignore
        )
        (answer,) = (answer for answer in answers if answer.server == offer.server)
        if answer.state == v1.ServerTools.FAILED:
            raise McpError(answer.failure.message)
        found = (tool for tool in answer.tools if tool.name == offer.tool)
        return next(
            (replace(offer, description=tool.description or tool.title, wire=tool) for tool in found), None
        )

    def forget_client(self) -> None:
        """The next use connects anew."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def call(
        self, request: v1.CallToolRequest, on_event: OnEvent, answerer: Answerer | None = None
    ) -> v1.ToolResult:
        """Run one tool call; Ctrl-C cancels it. Raises ToolCallError, DaemonError."""
        try:
            return self.client().call(request, on_event, answerer)
        except DaemonUnreachable:  # certainly not sent: the daemon went away just now
            self.forget_client()
            return self.client().call(request, on_event, answerer)

    def request(self, request: v1.RequestMessage, on_event: OnEvent, answerer: Answerer | None = None) -> str:
        """Any other request to a server; its result as JSON text. Raises as `call`."""
        try:
            return self.client().request(request, on_event, answerer)
        except DaemonUnreachable:  # as there
            self.forget_client()
            return self.client().request(request, on_event, answerer)

    def requests(self, requests: Sequence[v1.RequestMessage]) -> list[str | McpError]:
        """Many at the same time; of each its result or why there is none. Raises DaemonError for all."""
        import asyncio

        async def result(client: AsyncDaemonClient, request: v1.RequestMessage) -> str | McpError:
            try:
                return await client.request(request, _ignore_event)
            except McpError as error:
                return error

        async def run() -> list[str | McpError]:
            client = AsyncDaemonClient(socket)
            try:
                return await asyncio.gather(*(result(client, request) for request in requests))
            finally:
                await client.aclose()

        socket = self.client().socket
        return asyncio.run(run())

    async def call_async(
        self, request: v1.CallToolRequest, on_event: OnEvent, answerer: Answerer | None = None
    ) -> v1.ToolResult:
        """As `call`, for an event loop: concurrent, and cancelled with its task."""
        import asyncio

        for last in (False, True):
            socket = await asyncio.to_thread(ensure_daemon)
            client = AsyncDaemonClient(socket)
            try:
                return await client.call(request, on_event, answerer)
            except DaemonUnreachable:
                if last:
                    raise
            finally:
                await client.aclose()
        raise AssertionError("unreachable")


def _ignore(_: v1.ServerTools) -> None:
    """Nobody watches."""


def _ignore_event(_: v1.Progress | v1.LogMessage) -> None:
    """Nor that."""


def protocol_of(mode: str | None) -> v1.Protocol.ValueType:
    """Raises McpError for a mode that there is not."""
    if mode not in _PROTOCOLS:
        raise McpError(f"unknown mode {mode!r}; there are: auto, legacy, modern")
    return _PROTOCOLS[mode]


def _check_servers(answers: Sequence[v1.ServerTools], source: ConfigSource) -> None:
    unknown = [a.server for a in answers if a.failure.kind == v1.Failure.UNKNOWN_SERVER]
    if unknown:
        if off := [name for name in configured_names(source) if name in unknown]:
            raise UnknownTool(_disabled(off[0], source))
        known = ", ".join(a.server for a in answers if a.server not in unknown) or "none"
        raise UnknownTool(f"no MCP server is called {', '.join(map(repr, unknown))}; the config has: {known}")


def enabled_names(source: ConfigSource) -> list[str]:
    """Those that are in use, in the order of the config."""
    project = source.project.text if source.project is not None else ""
    entries = named_entries(source.text) | named_entries(project)
    return [name for name, entry in entries.items() if not is_disabled(entry)]


def configured_names(source: ConfigSource) -> list[str]:
    """All that are written there, also those that are not in use."""
    project = source.project.text if source.project is not None else ""
    return list(named_entries(source.text) | named_entries(project))


def _disabled(server: str, source: ConfigSource) -> str:
    enable = f"llm mcp enable{paths.config_option(source.path)} {shlex.quote(server)}"
    return f"{server!r} is disabled; to enable it: {enable}"


def _offers(answers: Sequence[v1.ServerTools], prefix: str) -> list[Offer]:
    """Named over all servers, so that one that is down or left out renames nothing."""
    names = naming.exposed_names({a.server: [tool.name for tool in a.tools] for a in answers}, prefix)
    offers: dict[tuple[str, str], Offer] = {}
    for answer in answers:
        if answer.state == v1.ServerTools.FAILED:
            continue
        for tool in answer.tools:
            key = (answer.server, tool.name)
            if key not in offers:
                description = tool.description or tool.title
                offers[key] = Offer(names[key], answer.server, tool.name, description, tool)
    return list(offers.values())


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def _failed(answer: v1.ServerTools, source: ConfigSource) -> Failed:
    failure = answer.failure
    login = login_command(answer.server, source) if failure.kind == v1.Failure.NEEDS_LOGIN else ""
    is_config = failure.kind == v1.Failure.CONFIG
    return Failed(answer.server, failure.message, failure.traceback, login, is_config)


def login_command(server: str, source: ConfigSource) -> str:
    """What to type; one that is known by its url alone is named by it, without what is a secret there."""
    if not source.path:
        from llm_tools_mcp.config.definition import public_url

        server = public_url(json.loads(source.text)["mcpServers"][server]["url"])
    option = paths.config_option(source.path) if source.path else ""
    return f"llm mcp login{option} {shlex.quote(server)}"


def _policy(answer: v1.ServerTools) -> Policy:
    return Policy(answer.consent_key, answer.approve or NEVER, tuple(answer.always_allow))
