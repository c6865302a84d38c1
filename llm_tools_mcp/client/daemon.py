"""The way to the daemon, whatever state it is in: running, gone, or being replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from llm_tools_mcp import v1
from llm_tools_mcp.config import ConfigSource
from llm_tools_mcp.errors import DaemonUnreachable, McpError

from .activation import await_answer, ensure_daemon
from .call_questions import Answerer
from .caller import make_caller
from .channel import AsyncDaemonClient, DaemonClient
from .early_start import EarlyStart
from .outcome import OnEvent
from .tools import Listing, Offer, listing_of, protocol_of

# A daemon that drains or is being replaced may refuse once or twice before its successor answers.
_ATTEMPTS = 5
# A killed daemon accepts until the kernel has cleared it away.
_PAUSE_SECONDS = 0.05

OnAnswer = Callable[[v1.ServerTools], None]


class Daemon:
    """The way to the daemon for as long as this process lives; each use makes sure that one answers.

    `by_hand` as in `make_caller`.
    """

    def __init__(self, starting: EarlyStart | None = None, *, by_hand: bool = False) -> None:
        self.by_hand = by_hand
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
        caller = make_caller(source, by_hand=self.by_hand)
        answers = self._answers(
            lambda: self.client().tools(caller, servers, protocol, refresh=refresh, will_search=will_search),
            on_answer or _ignore,
        )
        return listing_of(answers, source, caller, protocol, servers, globs, prefix)

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

    def offer_now(self, listing: Listing, offer: Offer) -> Offer:
        """The same tool as its server lists it at this moment: without a word where it does not any more.

        Raises McpError where the server cannot be asked.
        """
        servers = [offer.server]
        answers = self._answers(
            lambda: self.client().tools(listing.caller, servers, listing.protocol, refresh=True), _ignore
        )
        (answer,) = (answer for answer in answers if answer.server == offer.server)
        if answer.state == v1.ServerTools.FAILED:
            raise McpError(answer.failure.message)
        gone = v1.Tool(name=offer.tool, input_schema=offer.wire.input_schema)
        tool = next((tool for tool in answer.tools if tool.name == offer.tool), gone)
        return replace(offer, description=tool.description or tool.title, wire=tool)

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
