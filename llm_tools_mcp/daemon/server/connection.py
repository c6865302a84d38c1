"""A connection while it lives: its tools, its errors, and what is watched meanwhile."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import UNREADABLE, Kind, NotSent, ServerFailure
from llm_tools_mcp.plain import plain

from . import questions, sdk
from .pages import all_tools
from .results import JsonObject
from .sanitize import clean_line
from .transport import Link, Verdict, without_quotes

_log = logging.getLogger(__name__)

OnProgress = Callable[[v1.Progress], None]
T = TypeVar("T")

# Protocol versions before 2026-07-28 shake hands with `initialize`, later ones with `server/discover`.
_MODERN_SINCE = "2026"
# The SDK's words. Its code for it is any server's code for an error of its own, too.
_CLOSED = re.compile("Connection closed$|SSE stream ")
# Seconds between two pings of an http server that is idle.
_PING_SECONDS = 60.0
# Seconds before a lost subscription is tried again: doubling up to the ping's pace.
_SUBSCRIBE_AGAIN = 1.0


class Connection:
    """A live connection. `lost` is set when it cannot be used any more."""

    def __init__(self, session: sdk.ClientSession, link: Link) -> None:
        self._session = session
        self._link = link
        self.pid = link.pid
        self.protocol_version = session.protocol_version or ""
        self.lost = link.lost

    @property
    def is_modern(self) -> bool:
        return self.protocol_version >= _MODERN_SINCE

    @property
    def is_usable(self) -> bool:
        return not self._link.ended

    @property
    def lost_why(self) -> str:
        return self._link.lost_why

    @property
    def is_stuck(self) -> bool:
        """Whether the server has not read all that it was sent."""
        return self._link.unwritten() > 0

    def lose(self, why: str) -> None:
        self._link.lose(why)

    # --- tools --------------------------------------------------------------------------------------

    async def list_tools(self) -> list[v1.Tool]:
        """All pages, in the server's order. Raises ServerFailure."""
        return await self._guarded(all_tools(self._session, self._link.log))

    async def call_tool(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        on_progress: OnProgress,
        ask: questions.Ask = questions.nobody,
    ) -> JsonObject:
        """Send one `tools/call` and await its result. Raises ServerFailure, or NotSent if it did not run."""
        return await self.request(
            "tools/call", {"name": tool, "arguments": dict(arguments)}, on_progress, ask
        )

    async def request(
        self, method: str, params: JsonObject, on_progress: OnProgress, ask: questions.Ask
    ) -> JsonObject:
        """Send one request and await its result; what the server wants to know meanwhile is put to `ask`.

        Raises ServerFailure, or NotSent if it did not run.
        """
        if self._link.is_deaf():
            self._link.lose("it closed its input")
        if not self.is_usable:
            raise NotSent(self.lost_why or "the connection was lost")

        async def forward(progress: float, total: float | None, message: str | None) -> None:
            text = self._link.cleaned(message or "")
            on_progress(v1.Progress(progress=progress, total=total or 0, message=text))

        async def send(more: JsonObject) -> dict[str, Any]:
            return await self._guarded(sdk.send_raw(self._session, method, {**params, **more}, forward))

        async def reply(asked: str, asked_params: JsonObject) -> dict[str, Any]:
            return await self._input(asked, asked_params, ask)

        with questions.asking(ask):
            return await questions.with_input(await send({}), send, reply)

    async def _input(self, method: str, params: JsonObject, ask: questions.Ask) -> dict[str, Any]:
        """One of the things that a server of the modern era needs before it goes on. Raises ServerFailure."""
        if method != "elicitation/create":
            raise ServerFailure(Kind.REJECTED, f"it asks for {clean_line(method)}, which is not offered")
        try:
            question = questions.question_of(params, self._link.redacted)
        except questions.Unaskable as why:
            raise ServerFailure(Kind.REJECTED, f"it asks what cannot be asked: {why}") from None
        return questions.result_of(await ask(question))

    # --- errors -------------------------------------------------------------------------------------

    async def _guarded(self, request: Awaitable[T]) -> T:
        """Translate the SDK's errors, once, here."""
        try:
            return await request
        except sdk.MCPError as error:
            raise self._failure(error) from error
        except ValidationError as error:
            text = f"{UNREADABLE} ({error.error_count()} errors)"
            raise ServerFailure(Kind.REJECTED, text) from error
        except PydanticSerializationError as error:
            text = "the arguments cannot be sent: they are nested too deeply, or hold half a character"
            raise ServerFailure(Kind.REJECTED, text) from error

    def _failure(self, error: sdk.MCPError) -> ServerFailure:
        text = self._link.redacted(plain(without_quotes(error.message)))
        verdict = self._link.verdict(error.error.data)
        if verdict is Verdict.NOT_SENT:
            return NotSent(text)
        if verdict is Verdict.SESSION_GONE:
            self._link.lose(text)
            return NotSent(text)
        if verdict is Verdict.BROKEN:
            return ServerFailure(Kind.OUTCOME_UNKNOWN, text)
        if verdict is None and error.code == sdk.mcp_types.CONNECTION_CLOSED and _CLOSED.match(error.message):
            # Of an http connection it may be one stream only that was cut: then nothing else is lost.
            why = self.lost_why or f"the connection was closed ({text})"
            return ServerFailure(Kind.OUTCOME_UNKNOWN, why)
        return ServerFailure(Kind.REJECTED, text)

    # --- while it is idle ---------------------------------------------------------------------------

    async def watch_tools(self, on_changed: Callable[[], None]) -> None:
        """In the modern era a client subscribes to changes of the tool list; before, they come unasked."""
        pause = _SUBSCRIBE_AGAIN
        while self.is_usable:
            began = anyio.current_time()
            try:
                async with sdk.listen(self._session, tools_list_changed=True) as subscription:
                    if pause > _SUBSCRIBE_AGAIN:
                        on_changed()  # what changed meanwhile went unnoticed
                    async for _ in subscription:
                        on_changed()
            except (sdk.SubscriptionLost, sdk.MCPError) as error:
                if getattr(error, "code", 0) == sdk.mcp_types.METHOD_NOT_FOUND:
                    return
            if anyio.current_time() - began > _PING_SECONDS:
                pause = _SUBSCRIBE_AGAIN  # it was a good one
            await anyio.sleep(pause)
            pause = min(_PING_SECONDS, 2 * pause)

    async def keep_in_touch(self) -> None:
        """The loss of an idle http session shows in nothing else; no answer is no reason to end it."""
        while self.is_usable:
            await anyio.sleep(_PING_SECONDS)
            with anyio.move_on_after(_PING_SECONDS):
                await self.ping()

    async def ping(self) -> None:
        """Find out whether the server still knows this connection. An error is an answer, too."""
        try:
            await self._guarded(sdk.send_raw(self._session, "ping", {}))
        except ServerFailure as failure:
            _log.debug("ping: %s", failure)
