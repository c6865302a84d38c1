"""One request over http and what comes of it: an answer, or the reason why there is none.

Words of a body decide nothing about a call that may have run: gateways say "404" and "no such session"
after they have passed it on.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

import anyio
import httpx2

from llm_tools_mcp.daemon.failure import UNREADABLE
from llm_tools_mcp.daemon.server import sdk
from llm_tools_mcp.errors import SERVER_SAID

from .authorization import refused
from .charset import UTF_8, charset_of
from .events import deliver, events_of, is_event_stream, messages_of
from .http_client import NOT_SENT, described, unreachable
from .link import MAX_MESSAGE_BYTES, TOO_LONG, Link, Verdict
from .messages import MAX_UNASKED, read
from .prescan import has_method
from .refusal import MAX_REFUSAL, Refusal, refusal_of

if TYPE_CHECKING:
    from .streams import Inbox

# What a connection begins with.
_FIRST = ("initialize", "server/discover")
# Seconds for the body of a refusal, which may have no end.
_SAY_SECONDS = 5.0
# How often a stream that brought nothing is resumed, and after how many seconds if the server does not say.
_RESUMPTIONS, _AGAIN_SECONDS = 2, 1.0
# Of an answer whose id is that of another call: what was left on a connection, or a gateway's muddle.
OF_ANOTHER = "it answered another call instead"
# Of what it says, which may be any number of digits: a day. Its call has a time limit of its own.
_MOST_MILLISECONDS = 24 * 3600 * 1000


class Far(Protocol):
    """The far end: what a request needs of it."""

    inbox: Inbox
    link: Link

    @property
    def target(self) -> str: ...

    def opened(
        self, method: str, headers: dict[str, str], body: bytes | None = None, *, may_follow: bool = True
    ) -> AbstractAsyncContextManager[httpx2.Response]: ...

    def resumed(self, last_event: str) -> AbstractAsyncContextManager[httpx2.Response]: ...

    def note_session(self, response: httpx2.Response) -> None: ...

    def is_of_another_call(self, answered: object, request_id: int | str) -> bool: ...


class Failed(Exception):
    """Why a request has no answer; `status` is HTTP's where that refused it, else 0."""

    def __init__(self, verdict: Verdict, text: str, status: int = 0) -> None:
        super().__init__(verdict, text, status)
        self.verdict, self.text, self.status = verdict, text, status


class Exchange:
    """A request under way. Cancelling its `scope` ends it, and closes its socket."""

    def __init__(
        self, server: Far, request: sdk.mcp_types.JSONRPCRequest, *, is_modern: bool, has_session: bool
    ) -> None:
        self.id, self.method = request.id, request.method
        self.is_modern = is_modern
        self.scope = anyio.CancelScope()
        self._server, self._link = server, server.link
        self._has_session = has_session
        self._last_event = ""
        self._pause = _AGAIN_SECONDS

    async def answer(self, body: bytes, headers: dict[str, str]) -> tuple[sdk.SessionMessage, int]:
        """The answer; or, in the server's place, why there is none. And HTTP's status if that refused it."""
        try:
            return await self._asked(body, headers), 0
        except Failed as failed:
            return self._error(failed.verdict, failed.text), failed.status
        except NOT_SENT as error:
            return self._error(Verdict.NOT_SENT, unreachable(self._server.target, error, self._link)), 0
        except httpx2.HTTPError as error:
            text = f"the connection to {self._server.target} broke: {described(error, self._link)}"
            if self.method in _FIRST and self._server.target.startswith("http:"):
                text += "; it may speak TLS there: should the url begin with https://?"
            return self._error(Verdict.BROKEN, text), 0

    def _error(self, verdict: Verdict, text: str) -> sdk.SessionMessage:
        return sdk.error_message(self.id, self._link.error(verdict, text))

    def _own(self, answer: Any) -> sdk.SessionMessage:
        """With the id of this request: some servers write another one."""
        answer.message.id = self.id
        return cast("sdk.SessionMessage", answer)

    async def _asked(self, body: bytes, headers: dict[str, str]) -> sdk.SessionMessage:
        may_follow = self.method != "tools/call"  # whoever answers it with a redirect may have run it
        async with self._server.opened("POST", headers, body, may_follow=may_follow) as response:
            if response.is_success and self._names_the_session():
                self._server.note_session(response)
            if not is_event_stream(response):
                try:
                    return await self._from_body(response)
                except Failed:
                    await _give_up_connection(response)
                    raise
            if answer := await self._from_stream(response):
                return answer
        return await self._resumed()

    def _names_the_session(self) -> bool:
        """Its answer: that to `initialize`; some servers give the session another name later on."""
        return self.method == "initialize" or (self._has_session and not self.is_modern)

    # --- a body -------------------------------------------------------------------------------------

    async def _from_body(self, response: httpx2.Response) -> sdk.SessionMessage:
        status, content = response.status_code, await _body_of(response)
        content = _as_utf8(content, response)
        refusal = None
        if status >= 400:
            refusal = refusal_of(status, response.headers, content, self._link.redacted)
            self._fail_at_the_door(response, refusal)
        may_be_json = _may_be_json(content, response)
        found = await read(content, self._link, "a response", asked=self.id) if may_be_json else []
        answer = await deliver(found, self._server.inbox)
        if answer is not None and self._server.is_of_another_call(answer.message.id, self.id):
            raise Failed(Verdict.BROKEN, OF_ANOTHER)
        if answer is not None and self._is_the_answer(answer.message.id, status):
            return self._own(answer)
        refusal = refusal or refusal_of(status, response.headers, content, self._link.redacted)
        if may_be_json and response.is_success:
            says = f": {self._link.cleaned(refusal.words)}" if _is_of_another_kind(content) else ""
            raise Failed(Verdict.BROKEN, UNREADABLE + says)
        text = self._link.cleaned(refusal.text(self._server.target))
        raise Failed(self._verdict(refusal, is_error_of_mcp=answer is not None), text, status)

    def _fail_at_the_door(self, response: httpx2.Response, refusal: Refusal) -> None:
        """Where nothing has run: of a call only if the server asks for a login as RFC 6750 has it."""
        meaning = refused(response)
        if meaning and (self.method != "tools/call" or refusal.challenge is not None):
            verdict, text = meaning
            words = self._link.cleaned(refusal.words)
            raise Failed(verdict, f"{text}{SERVER_SAID}{words}" if words else text)

    def _is_the_answer(self, answered: object, status: int) -> bool:
        """What answers this request does so whatever the status; an error of no id if that says no more."""
        if str(answered) == str(self.id):
            return True
        return status < 400 or (status == httpx2.codes.BAD_REQUEST and not self._has_session)

    def _verdict(self, refusal: Refusal, *, is_error_of_mcp: bool) -> Verdict:
        if self._has_session and not refusal.is_page:
            if refusal.status == httpx2.codes.NOT_FOUND:
                return Verdict.UNKNOWN_SESSION
            if refusal.status == httpx2.codes.BAD_REQUEST and is_error_of_mcp:
                return Verdict.UNKNOWN_SESSION  # as the SDK for node has it
        if refusal.status in (401, 403) and refusal.challenge is not None:
            return Verdict.REFUSED  # at the door: who asks for a login has let nothing in
        return Verdict.BROKEN

    # --- a stream -----------------------------------------------------------------------------------

    async def _from_stream(self, response: httpx2.Response) -> sdk.SessionMessage | None:
        """None where the stream ends without the answer, and can be resumed."""
        size = 0
        try:
            async with aclosing(events_of(response)) as events:
                async for event in events:
                    size += len(event.data)
                    if answer := await self._from_event(event):
                        return answer
        except httpx2.SSEError as error:
            raise Failed(Verdict.BROKEN, TOO_LONG) from error
        except httpx2.TransportError as error:
            if not self._can_resume:
                text = f"the stream was closed before the answer: {described(error, self._link)}"
                raise Failed(Verdict.BROKEN, text) from error
        finally:
            self._link.note_size(size)
        if not self._can_resume:
            raise Failed(Verdict.BROKEN, "the stream was closed before the answer")
        return None

    async def _from_event(self, event: httpx2.ServerSentEvent) -> sdk.SessionMessage | None:
        self._last_event = event.id or self._last_event
        self._pause = self._pause if event.retry is None else min(event.retry, _MOST_MILLISECONDS) / 1000
        answer = await deliver(await messages_of(event, self._link, self.id), self._server.inbox)
        if answer is None and event.event == "error" and event.data:
            raise Failed(Verdict.BROKEN, self._link.cleaned(f"it reports an error: {event.data}"))
        if answer is None or self._server.is_of_another_call(answer.message.id, self.id):
            return None  # of a muddled stream ours may follow
        return self._own(answer)

    @property
    def _can_resume(self) -> bool:
        """What has no id cannot be; and since 2026-07-28 nothing can."""
        return bool(self._last_event) and not self.is_modern

    async def _resumed(self) -> sdk.SessionMessage:
        """The rest of a stream that ended, which servers do also to save connections (SEP-1699)."""
        fruitless = 0
        while fruitless < _RESUMPTIONS:
            await anyio.sleep(max(self._pause, 0.01))
            fruitless += 1
            with suppress(httpx2.HTTPError):
                async with self._server.resumed(self._last_event) as response:
                    if response.is_success and is_event_stream(response):
                        if answer := await self._from_stream(response):
                            return answer
                        fruitless = 0
        raise Failed(Verdict.BROKEN, "the stream was closed before the answer, and could not be resumed")


async def _give_up_connection(response: httpx2.Response) -> None:
    """What follows an answer that is none, such as the rest of a wrong length, is no answer to the next."""
    if response.is_success and (stream := response.extensions.get("network_stream")) is not None:
        await stream.aclose()


# --- bodies -----------------------------------------------------------------------------------------


async def _body_of(response: httpx2.Response) -> bytes:
    """Of a refusal only the beginning, and what comes soon. Raises Failed for a body that is too long."""
    chunks: list[bytes] = []
    try:
        with anyio.move_on_after(None if response.is_success else _SAY_SECONDS):
            await _collect(chunks, response)
    except httpx2.RemoteProtocolError:
        if not b"".join(chunks[-1:]).rstrip().endswith(b"}"):
            raise
        # The server announced more than it had: what ends as an object does may be whole.
    return b"".join(chunks)


async def _collect(chunks: list[bytes], response: httpx2.Response) -> None:
    size = 0
    async for chunk in response.aiter_bytes():
        chunks.append(chunk)
        if size <= MAX_UNASKED < size + len(chunk) and has_method(b"".join(chunks)):
            raise Failed(Verdict.BROKEN, UNREADABLE)  # a notification, and no answer
        size += len(chunk)
        if size > MAX_MESSAGE_BYTES:
            raise Failed(Verdict.BROKEN, TOO_LONG)
        if size > MAX_REFUSAL and not response.is_success:
            return


def _as_utf8(content: bytes, response: httpx2.Response) -> bytes:
    """JSON is UTF-8, and its type has no charset; but a server that names another one means it."""
    charset = charset_of(response)
    return content if charset in (UTF_8, "ascii") else content.decode(charset, "replace").encode()


def _is_of_another_kind(content: bytes) -> bool:
    """JSON that is no message, as of the API behind the server: what it says may be the reason."""
    return content.lstrip()[:1] in (b"{", b"[", b'"') and b'"jsonrpc"' not in content[:MAX_REFUSAL]


def _may_be_json(content: bytes, response: httpx2.Response) -> bool:
    if "json" in response.headers.get("content-type", "").lower():
        return bool(content)
    return content[:100].lstrip()[:1] in (b"{", b"[") or b'"jsonrpc"' in content[:MAX_REFUSAL]
