"""What a server asks the person whose request it serves (elicitation): MCP, both eras → the wire, and back.

Before 2026-07-28 a question is a request of the server's own; since then it is an answer (`input_required`)
to ours, which is then sent again with what the person said.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import anyio

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import UNREADABLE, Kind, ServerFailure
from llm_tools_mcp.text.plain import plain

from .sanitize import clean_line
from .to_wire import JsonObject

# Answers a question, when somebody has; never raises for a person who does not want to.
Ask = Callable[[v1.Question], Awaitable[v1.AnswerRequest]]
# Sends a request once more, with these parameters beside its own.
Send = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
# The answer to one of `inputRequests`, by its method and parameters.
Reply = Callable[[str, JsonObject], Awaitable[dict[str, Any]]]

_MAX_ROUNDS = 10
_MAX_PAGES = 5
_ELICITATION = "elicitation/create"
_DONE = {"message": "Are you done there? Then the call is made again.", "requestedSchema": {"type": "object"}}
# Characters.
_MAX_MESSAGE = 4000
_MAX_FORM = 64 * 1024
_MAX_URL = 8192
# Browsers read a backslash as a slash, and so another host than we.
_MISREAD = {" ", "\\"}
# Seconds before a server that only needs time is asked again; doubling.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.25

_ACTIONS = {v1.AnswerRequest.ACCEPT: "accept", v1.AnswerRequest.DECLINE: "decline"}

# Whom the request of this context belongs to. The SDK runs what comes on the stream of an http request in the
# context of who sent it; what comes over stdio has none.
_asked: ContextVar[Ask | None] = ContextVar("asked", default=None)


@contextmanager
def asking(ask: Ask) -> Iterator[None]:
    """Within, questions that name the request they belong to are put to `ask`."""
    token = _asked.set(ask)
    try:
        yield
    finally:
        _asked.reset(token)


def current_ask() -> Ask | None:
    """Who is asked, where the question itself tells."""
    return _asked.get()


async def nobody(question: v1.Question) -> v1.AnswerRequest:  # noqa: ARG001 - an Ask
    """For requests that no person waits for."""
    return v1.AnswerRequest(action=v1.AnswerRequest.CANCEL)


class Unaskable(Exception):
    """A question that cannot be put to anybody; the text tells the server why."""


def question_of(params: Mapping[str, Any], cleaned: Callable[[str], str]) -> v1.Question:
    """The question of an `elicitation/create`. `cleaned` takes secrets out. Raises Unaskable."""
    text = cleaned(plain(str(params.get("message") or "")))
    question = v1.Question(message=text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…")
    if params.get("mode", "form") == "url":
        question.url = _url(params.get("url"))
    else:
        question.form = _form(params.get("requestedSchema"))
    return question


def _url(url: object) -> str:
    """As it came: what is shown has to be what is opened."""
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.isprintable() or set(url) & _MISREAD:
        raise Unaskable(f"a url of at most {_MAX_URL} characters is needed, without spaces and controls")
    if not url.lower().startswith(("http://", "https://")):
        raise Unaskable("only http:// and https:// urls are opened")
    try:
        parts = urlsplit(url)
        is_one = bool(parts.hostname) and "%" not in parts.netloc and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise Unaskable("the url has no host that can be read in one way only")
    return url


def _form(schema: object) -> str:
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties", {}), Mapping):
        raise Unaskable("requestedSchema has to be an object schema")
    try:
        form = json.dumps(schema)
    except (ValueError, RecursionError):  # a number with more digits than Python writes
        raise Unaskable("requestedSchema cannot be written as JSON") from None
    if len(form) > _MAX_FORM:
        raise Unaskable(f"requestedSchema is larger than {_MAX_FORM // 1024} KiB")
    return form


def result_of(answer: v1.AnswerRequest) -> dict[str, Any]:
    """An ElicitResult."""
    result: dict[str, Any] = {"action": _ACTIONS.get(answer.action, "cancel")}
    if answer.action == v1.AnswerRequest.ACCEPT and answer.content:
        result["content"] = json.loads(answer.content)
    return result


def replier(ask: Ask, roots: Sequence[Mapping[str, Any]] | None, cleaned: Callable[[str], str]) -> Reply:
    """Gives a server of the modern era what it needs before it goes on. It raises ServerFailure."""

    async def reply(method: str, params: JsonObject) -> dict[str, Any]:
        if method == "roots/list" and roots is not None:
            return {"roots": list(roots)}
        if method != _ELICITATION:
            raise ServerFailure(Kind.REJECTED, f"it asks for {clean_line(method)}, which is not offered")
        try:
            question = question_of(params, cleaned)
        except Unaskable as why:
            raise ServerFailure(Kind.REJECTED, f"it asks what cannot be asked: {why}") from None
        return result_of(await ask(question))

    return reply


class PagesNeeded(ServerFailure):
    """The request was not processed: pages have to be visited before (2025-11-25, error -32042)."""

    def __init__(self, text: str, data: object) -> None:
        super().__init__(Kind.REJECTED, text)
        pages = data.get("elicitations") if isinstance(data, Mapping) else None
        self.pages = [page for page in pages if isinstance(page, Mapping)] if isinstance(pages, list) else []


async def with_pages(send: Send, reply: Reply) -> dict[str, Any]:
    """Send a request; where pages have to be visited first, have them visited, and send it once more.

    Raises ServerFailure, PagesNeeded where the person did not want to.
    """
    try:
        return await send({})
    except PagesNeeded as needed:
        for page in needed.pages[:_MAX_PAGES]:
            if (await reply(_ELICITATION, {**page, "mode": "url"}))["action"] != "accept":
                raise
        if not needed.pages or (await reply(_ELICITATION, _DONE))["action"] != "accept":
            raise
        return await send({})


async def with_input(first: dict[str, Any], send: Send, reply: Reply) -> dict[str, Any]:
    """The result of a request once the server has all the input that it asks for. Raises ServerFailure."""
    result, pause = first, _FIRST_PAUSE
    for _ in range(_MAX_ROUNDS):
        if result.get("resultType") != "input_required":
            return result
        more: dict[str, Any] = {}
        if requests := result.get("inputRequests"):
            more["inputResponses"] = await _replies(requests, reply)
        elif result.get("requestState") is None:  # nothing says that it goes on, and does not begin anew
            raise ServerFailure(Kind.REJECTED, "it asks for input, and does not say for which")
        else:
            await anyio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if result.get("requestState") is not None:
            more["requestState"] = result["requestState"]
        result = await send(more)
    if result.get("resultType") != "input_required":
        return result
    raise ServerFailure(Kind.REJECTED, f"it asked for input {_MAX_ROUNDS} times, and asks again")


async def _replies(requests: object, reply: Reply) -> dict[str, Any]:
    """One after the other: a person answers one question at a time."""
    if not isinstance(requests, Mapping):
        raise ServerFailure(Kind.REJECTED, UNREADABLE)
    replies = {}
    for key, request in requests.items():
        if not isinstance(request, Mapping):
            raise ServerFailure(Kind.REJECTED, UNREADABLE)
        params = request.get("params")
        replies[key] = await reply(str(request.get("method")), params if isinstance(params, Mapping) else {})
    return replies
