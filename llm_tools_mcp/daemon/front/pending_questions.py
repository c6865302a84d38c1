"""Questions on their way to a client, and the answers that come back by an RPC of their own.

The id of a question is random, and known to nobody but the client whose call it belongs to.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable

from llm_tools_mcp import v1

Put = Callable[["v1.Question | v1.QuestionOver"], None]

# Of one request: a person is not to be flooded. The rest is cancelled unseen.
_MAX_OPEN, _MAX_IN_ALL = 8, 50

_CANCELLED = v1.AnswerRequest(action=v1.AnswerRequest.CANCEL)
_WITHDRAWN = "the server does not wait for an answer any more"
_STOPPING = "the daemon stops, and the answer would not reach the server"


class Questions:
    """All that are open in this daemon. Once it stops, none can be asked: the answer would miss it."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._is_stopping = False

    def asker(self, server: str, subject: str, put: Put) -> Asker:
        """For one request; `put` sends to its client."""
        return Asker(self, server, subject, put)

    def open(self, question: v1.Question, put: Put) -> asyncio.Future[v1.AnswerRequest]:
        opened = _Open(question.id, put)
        self._open[question.id] = opened
        put(question)
        if self._is_stopping:
            opened.end(_STOPPING)
        return opened.answer

    def forget(self, question: v1.Question) -> None:
        self._open.pop(question.id, None)

    def answer(self, request: v1.AnswerRequest) -> bool:
        """Whether somebody waited for it. Raises ValueError for an answer that is none."""
        _check(request)
        opened = self._open.pop(request.id, None)
        if opened is None or opened.answer.done():
            return False
        opened.answer.set_result(request)
        return True

    def stop(self) -> None:
        """The daemon drains: the clients reach the next one from now on, and it knows of no question."""
        self._is_stopping = True
        for opened in list(self._open.values()):
            opened.end(_STOPPING)


class _Open:
    """One question that waits."""

    def __init__(self, question_id: str, put: Put) -> None:
        self._id = question_id
        self._put = put
        self.answer: asyncio.Future[v1.AnswerRequest] = asyncio.get_running_loop().create_future()

    def end(self, why: str) -> None:
        if not self.answer.done():
            self._put(v1.QuestionOver(id=self._id, reason=why))
            self.answer.set_result(_CANCELLED)


class Asker:
    """What one request's questions are put to. After `close` there is nobody to ask any more."""

    def __init__(self, questions: Questions, server: str, subject: str, put: Put) -> None:
        self._questions = questions
        self._server = server
        self._subject = subject
        self._put = put
        self._waiting: set[asyncio.Future[v1.AnswerRequest]] = set()
        self._count = 0
        self._closed = False

    async def ask(self, question: v1.Question) -> v1.AnswerRequest:
        """The person's answer; CANCEL where there will be none."""
        self._count += 1
        if self._closed or self._is_flood():
            return _CANCELLED
        question.id = secrets.token_urlsafe(16)
        question.server, question.subject = self._server, self._subject
        answer = self._questions.open(question, self._put)
        self._waiting.add(answer)
        try:
            return await answer
        except asyncio.CancelledError:
            if not self._closed:
                self._put(v1.QuestionOver(id=question.id, reason=_WITHDRAWN))
            raise
        finally:
            self._waiting.discard(answer)
            self._questions.forget(question)

    def _is_flood(self) -> bool:
        if self._count == _MAX_IN_ALL + 1:
            text = f"more than {_MAX_IN_ALL} questions in one call: the rest was cancelled"
            self._put(v1.QuestionOver(reason=text))
        return self._count > _MAX_IN_ALL or len(self._waiting) >= _MAX_OPEN

    def close(self) -> None:
        """The request is over: what it still asks is cancelled."""
        self._closed = True
        for answer in self._waiting:
            if not answer.done():
                answer.set_result(_CANCELLED)


def _check(request: v1.AnswerRequest) -> None:
    if request.action not in (v1.AnswerRequest.ACCEPT, v1.AnswerRequest.DECLINE, v1.AnswerRequest.CANCEL):
        raise ValueError("an answer needs an action: ACCEPT, DECLINE or CANCEL")
    if request.content and not isinstance(json.loads(request.content), dict):
        raise ValueError("the content of an answer has to be a JSON object")
