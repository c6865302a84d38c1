"""A connection while it lives: its tools, its errors, and what is watched meanwhile."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import UNREADABLE, HeaderMismatch, Kind, NotSent, ServerFailure
from llm_tools_mcp.text.plain import plain

from . import elicitation, sdk
from .error_words import is_of_a_session, words_of
from .methods import LISTS
from .pagination import all_tools, is_unknown_method, whole_list
from .subscription import OnChanged, watch_lists
from .to_wire import JsonObject
from .transport import Link, Verdict

OnProgress = Callable[[v1.Progress], None]
T = TypeVar("T")

# The SDK's words. Its code for it is any server's code for an error of its own, too.
_CLOSED = re.compile("Connection closed$")
# Seconds for the answer to a question about the session; none is no reason to end it.
_ASK_SECONDS = 3.0
# Characters that are kept of what a server says about its use.
_MAX_INSTRUCTIONS = 16_384
# Seconds between two pings of an http server that is idle.
_PING_SECONDS = 60.0
# Characters of a name that is told.
_MAX_NAME = 100


_KINDS = {
    Verdict.NEEDS_LOGIN: Kind.NEEDS_LOGIN,
    Verdict.NEEDS_SCOPE: Kind.NEEDS_SCOPE,
    Verdict.BROKEN: Kind.OUTCOME_UNKNOWN,
    Verdict.UNKNOWN_SESSION: Kind.OUTCOME_UNKNOWN,
    Verdict.TOO_LARGE: Kind.TOO_LARGE,
}
# What says nothing about whether the server still knows its session.
_NOT_OF_THE_SESSION = (Verdict.NOT_SENT, Verdict.TOO_LARGE, Verdict.NEEDS_SCOPE)
# What an error says of a session that worked: some servers ask for a login where they mean another session.
_AGAINST_THE_SESSION = (Verdict.BROKEN, Verdict.REFUSED, Verdict.UNKNOWN_SESSION, Verdict.NEEDS_LOGIN)


class Connection:
    """A live connection. `lost` is set when it cannot be used any more."""

    def __init__(
        self, session: sdk.ClientSession, link: Link, roots: list[dict[str, Any]] | None = None
    ) -> None:
        self._session = session
        self._link = link
        self._roots = roots
        self.pid = link.pid
        self.protocol_version = session.protocol_version or ""
        self.instructions = plain(session.instructions or "")[:_MAX_INSTRUCTIONS]
        self.lost = link.lost
        # What the server last said against a session that worked before; empty when it works.
        self._complaint = ""
        self._repeated = 0
        self.unreachable = ""  # why what was sent last did not even arrive
        self._requests = 0
        self._has_listed = False
        self.left_out: list[str] = []  # tools of its list that break the protocol, each with the reason
        self._why = ""

    @property
    def is_modern(self) -> bool:
        return sdk.is_modern(self._session)

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

    # --- requests -----------------------------------------------------------------------------------

    async def list_tools(self) -> list[v1.Tool]:
        """All pages, in the server's order. Raises ServerFailure, or NotSent where the session is lost."""
        await self._check()
        with self._under_way():
            left_out: list[str] = []

            def leave_out(name: str, why: str) -> None:
                self._link.log(f"the tool {name!r} is left out: {why}")
                left_out.append(self._link.cleaned(f"{name[:_MAX_NAME]!r} ({why})"))

            tools = await self._guarded(all_tools(self._session, self._link.log, leave_out))
        self._has_listed, self.left_out = True, left_out
        return tools

    def announces(self, method: str) -> bool:
        """Whether the server says when this list has changed."""
        capability = self._capability(method)
        return bool(capability and capability.list_changed)

    def _capability(self, method: str) -> Any:
        return getattr(self._session.server_capabilities, _capability_of(method), None)

    async def whole_list(self, method: str) -> JsonObject:
        """All pages as one; an empty one of a server that has nothing of the kind. Raises ServerFailure."""
        if not self._capability(method):
            return {LISTS[method]: []}
        await self._check()
        with self._under_way():
            return await self._guarded(whole_list(self._session, method, self._link.log))

    async def request(
        self, method: str, params: JsonObject, on_progress: OnProgress, ask: elicitation.Ask
    ) -> JsonObject:
        """Send one request and await its result; what the server wants to know meanwhile is put to `ask`.

        Raises ServerFailure, or NotSent if it did not run.
        """
        await self._check()

        async def forward(progress: float, total: float | None, message: str | None) -> None:
            text = self._link.cleaned(message or "")
            on_progress(v1.Progress(progress=progress, total=total or 0, message=text))

        async def send(more: JsonObject) -> dict[str, Any]:
            with self._naming_what_it_lacks(method):
                return await self._guarded(sdk.send_raw(self._session, method, {**params, **more}, forward))

        reply = elicitation.replier(ask, self._roots, self._link.redacted)
        with self._under_way(), elicitation.asking(ask):
            return await elicitation.with_input(await elicitation.with_pages(send, reply), send, reply)

    def may_lack_headers(self, schema: str | None) -> bool:
        """Whether a call of the tool with this schema, if it is known, needs a listing first.

        What goes into the headers `Mcp-Param-…` (SEP-2243) is known only of what this connection has listed.
        """
        if not self.is_modern or not self._link.is_http or self._has_listed:
            return False
        return schema is None or sdk.HEADER_KEY in schema

    # --- a session that the server may have forgotten -----------------------------------------------

    async def _check(self) -> None:
        """Before each request. Raises NotSent where it would not arrive."""
        if self._link.is_deaf():
            self._link.lose("it closed its input")
        if self._complaint and self.is_usable and await self._is_forgotten(self._complaint):
            self._give_up(self._complaint)
        if not self.is_usable:
            raise NotSent(self.lost_why or "the connection was lost")

    async def _is_forgotten(self, complaint: str) -> bool:
        """Ask. An error is an answer, too, unless it is the same again."""
        with anyio.move_on_after(_ASK_SECONDS):
            try:
                await sdk.send_raw(self._session, "server/discover" if self.is_modern else "ping", {})
            except sdk.MCPError as error:
                verdict = self._link.verdict(error.error.data)
                self.unreachable = self._link.redacted(error.message) if verdict is Verdict.NOT_SENT else ""
                if verdict is None and self.is_modern:
                    return True  # it has become an older one
                if verdict is None:
                    is_known = is_unknown_method(error)
                    is_same = error.message == complaint or is_of_a_session(error.message)
                    return is_same and not is_known
                return verdict in _AGAINST_THE_SESSION
            self._complaint = self.unreachable = ""
        return False

    def _give_up(self, why: str) -> None:
        """No new request begins here; those under way may still be answered."""
        self._link.ended = True
        self._why = why
        self._end_if_unused()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            if self._link.ended:
                self._end_if_unused()

    def _end_if_unused(self) -> None:
        if not self._requests:
            self._link.lose(self._why or "the connection was lost")

    # --- errors -------------------------------------------------------------------------------------

    async def _guarded(self, request: Awaitable[T]) -> T:
        """Translate the SDK's errors, once, here."""
        try:
            result = await request
        except sdk.MCPError as error:
            failure = await self._judged(error)
            failure.clean_with(self._link.redacted)
            raise failure from error
        except ValidationError as error:
            raise ServerFailure(Kind.REJECTED, f"{UNREADABLE}: {sdk.first_fault(error)}") from error
        except PydanticSerializationError as error:
            text = "the arguments cannot be sent: they are nested too deeply, or hold half a character"
            raise ServerFailure(Kind.REJECTED, text) from error
        self._complaint, self.unreachable, self._repeated = "", "", 0
        return result

    @contextmanager
    def _naming_what_it_lacks(self, method: str) -> Iterator[None]:
        """That a method was not found says nothing to a person who asked for a resource."""
        try:
            yield
        except ServerFailure as failure:
            if is_unknown_method(failure.__cause__) and not self._capability(method):
                failure.text = f"it offers no {_capability_of(method)}"
            raise

    async def _judged(self, error: sdk.MCPError) -> ServerFailure:
        """What became of a request; and a session that meets an error is asked before its next one."""
        verdict = self._link.verdict(error.error.data)
        failure = self._failure(error, verdict)
        if verdict in _NOT_OF_THE_SESSION or not (self._link.has_session or self._is_older_now(error)):
            return failure
        self._repeated += verdict is Verdict.UNKNOWN_SESSION
        self._complaint = failure.text
        if verdict is Verdict.UNKNOWN_SESSION:
            if await self._is_forgotten(failure.text):
                self._give_up(failure.text)
                return NotSent(failure.text)
            if self._repeated > 1:  # it answers pings of anybody
                self._give_up(failure.text)
        return failure

    def _is_older_now(self, error: sdk.MCPError) -> bool:
        """Whether a server without sessions speaks as if it had them: of before an upgrade, rolled back."""
        is_version = error.code == sdk.mcp_types.UNSUPPORTED_PROTOCOL_VERSION
        return self.is_modern and self._link.is_http and (is_version or is_of_a_session(error.message))

    def _failure(self, error: sdk.MCPError, verdict: Verdict | None) -> ServerFailure:
        data = error.error.data if verdict is None else None
        text = words_of(error.code, error.message, data, self._link.redacted)
        self.unreachable = text if verdict is Verdict.NOT_SENT else ""
        if verdict is Verdict.NOT_SENT:
            return NotSent(text)
        if verdict in _KINDS:
            return ServerFailure(_KINDS[verdict], text)
        if verdict is None and error.code == sdk.mcp_types.CONNECTION_CLOSED and _CLOSED.match(error.message):
            why = self.lost_why or f"the connection was closed ({text})"
            told = self._link.with_last_words(why) if self._link.has_exited else why
            return ServerFailure(Kind.OUTCOME_UNKNOWN, told)
        if verdict is None and error.code == sdk.HEADER_MISMATCH:
            self._has_listed = False  # what was listed is not so any more
            return HeaderMismatch(text)
        if verdict is None and error.code == sdk.mcp_types.URL_ELICITATION_REQUIRED:
            return elicitation.PagesNeeded(text, error.error.data)
        return ServerFailure(Kind.REJECTED, text)

    # --- while it is idle ---------------------------------------------------------------------------

    async def watch_lists(self, on_changed: OnChanged) -> None:
        """In the modern era a client subscribes to changes of the lists; before, they come unasked."""
        watched = [kind for kind in sdk.LIST_EVENTS.values() if self.announces(kind)]
        if watched:
            await watch_lists(self._session, watched, lambda: self.is_usable, on_changed)

    async def keep_in_touch(self) -> None:
        """The loss of an idle http session shows in nothing else; no answer is no reason to end it."""
        while self.is_usable:
            await anyio.sleep(_PING_SECONDS)
            with anyio.move_on_after(_PING_SECONDS):
                await self.ping()

    async def ping(self) -> None:
        """Find out whether the server still knows this connection."""
        if await self._is_forgotten("") and self._link.has_session:
            self._give_up("the server does not know this session any more")


def _capability_of(method: str) -> str:
    """As servers announce it: tools, resources, prompts, completions."""
    kind = method.partition("/")[0]
    return "completions" if kind == "completion" else kind
