"""Questions that come during a call: a person is asked while the call's stream is read on.

A call without questions pays nothing for this: it is read in its caller's thread to the end.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import grpc

from llm_tools_mcp import v1

# Seconds for an answer to reach the daemon.
ANSWER_SECONDS = 10.0

_OVER = "the call is over"

T = TypeVar("T")


class Withdrawal:
    """Says when nobody waits for an answer any more, and why. `fileno` becomes readable then."""

    def __init__(self) -> None:
        self.reason = ""
        self._read, self._write = os.pipe()
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._read

    def withdraw(self, reason: str) -> None:
        """Harmless when repeated, and after `close`."""
        with self._lock:
            if not self.reason and self._write >= 0:
                self.reason = reason
                os.write(self._write, b"\0")

    def close(self) -> None:
        with self._lock:
            if self._write >= 0:
                os.close(self._read)
                os.close(self._write)
                self._read = self._write = -1


class Answerer(Protocol):
    """Asks a person. Several threads may do so at once."""

    def ask(self, question: v1.Question, withdrawal: Withdrawal) -> v1.AnswerRequest:
        """Returns early when the question is withdrawn."""
        ...

    def note(self, text: str) -> None:
        """Something about questions that the person should know."""
        ...


class Nobody:
    """Where no person can be asked."""

    def ask(self, question: v1.Question, withdrawal: Withdrawal) -> v1.AnswerRequest:  # noqa: ARG002 - an Answerer
        return v1.AnswerRequest(action=v1.AnswerRequest.DECLINE)

    def note(self, text: str) -> None:
        pass


def too_late(question: v1.Question) -> str:
    return f"the answer came too late: {question.server} does not wait for it any more"


# --- in the caller's thread ------------------------------------------------------------------------


def heard(
    call: Iterator[v1.CallToolEvent],
    answerer: Answerer,
    answer: Callable[[v1.AnswerRequest], bool],
) -> Iterator[v1.CallToolEvent]:
    """The events of a call but for its questions, which are answered on the way.

    A person is asked in this thread, which Ctrl-C interrupts; another one reads the stream meanwhile.
    `answer` sends an answer and says whether it was waited for.
    """
    for event in call:
        if event.WhichOneof("event") in ("question", "question_over"):
            yield from _Conversation(call, event, answerer, answer).events()
            return
        yield event


class _Conversation:
    def __init__(
        self,
        call: Iterator[v1.CallToolEvent],
        first: v1.CallToolEvent,
        answerer: Answerer,
        answer: Callable[[v1.AnswerRequest], bool],
    ) -> None:
        self._call = call
        self._answerer = answerer
        self._answer = answer
        self._events: deque[v1.CallToolEvent] = deque([first])
        self._withdrawn: dict[str, str] = {}
        self._asked: tuple[str, Withdrawal] | None = None
        self._error: Exception | None = None
        self._is_over = False
        self._changed = threading.Condition()

    def events(self) -> Iterator[v1.CallToolEvent]:
        reader = threading.Thread(target=self._read, name="events of a call", daemon=True)
        reader.start()
        while (event := self._next()) is not None:
            kind = event.WhichOneof("event")
            if kind == "question":
                self._ask(event.question)
            elif kind == "question_over":
                if not event.question_over.id:
                    self._answerer.note(event.question_over.reason)
            else:
                yield event
        reader.join()
        if self._error is not None:
            raise self._error

    def _next(self) -> v1.CallToolEvent | None:
        with self._changed:
            while not self._events and not self._is_over:
                self._changed.wait()
            return self._events.popleft() if self._events else None

    def _read(self) -> None:
        try:
            for event in self._call:
                self._take(event)
        except Exception as error:  # noqa: BLE001 - raised where the call was made
            self._error = error
        with self._changed:
            self._is_over = True
            self._changed.notify()
            if self._asked is not None:
                self._asked[1].withdraw(_OVER)

    def _take(self, event: v1.CallToolEvent) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify()
            if event.WhichOneof("event") == "question_over":
                over = event.question_over
                self._withdrawn[over.id] = over.reason
                if self._asked is not None and self._asked[0] == over.id:
                    self._asked[1].withdraw(over.reason)

    def _ask(self, question: v1.Question) -> None:
        withdrawal = Withdrawal()
        with self._changed:
            self._asked = (question.id, withdrawal)
            reason = self._withdrawn.get(question.id) or (_OVER if self._is_over else "")
        try:
            if not reason:
                self._send(question, withdrawal)
        finally:
            with self._changed:
                self._asked = None
            withdrawal.close()

    def _send(self, question: v1.Question, withdrawal: Withdrawal) -> None:
        given = self._answerer.ask(question, withdrawal)
        if withdrawal.reason:
            return
        given.id = question.id
        with suppress(grpc.RpcError):  # the daemon has gone: the call's own stream says so
            if not self._answer(given):
                self._answerer.note(too_late(question))


def in_a_thread(ask: Callable[[], T], close: Callable[[], None]) -> Future[T]:
    """Ask somebody in a thread of its own, which no end of the program waits for; `close` comes after it."""
    asked: Future[T] = Future()

    def run() -> None:
        try:
            asked.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            asked.set_exception(error)
        finally:
            close()

    threading.Thread(target=run, name="question", daemon=True).start()
    return asked


# --- from an event loop ----------------------------------------------------------------------------


class AsyncConversation:
    """The questions of one call that is read by an event loop; each is asked in a thread of its own."""

    def __init__(self, answerer: Answerer, answer: Callable[[v1.AnswerRequest], Any]) -> None:
        self._answerer = answerer
        self._answer = answer
        self._open: dict[str, Withdrawal] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, event: v1.CallToolEvent) -> bool:
        """Whether the event was about a question."""
        kind = event.WhichOneof("event")
        if kind == "question":
            task = asyncio.ensure_future(self._ask(event.question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif kind == "question_over":
            self._end(event.question_over)
        return kind in ("question", "question_over")

    def _end(self, over: v1.QuestionOver) -> None:
        if not over.id:
            self._answerer.note(over.reason)
        elif over.id in self._open:
            self._open[over.id].withdraw(over.reason)

    async def _ask(self, question: v1.Question) -> None:
        withdrawal = self._open[question.id] = Withdrawal()
        try:
            given = await asyncio.shield(asyncio.wrap_future(self._begin(question, withdrawal)))
            if withdrawal.reason:
                return
            given.id = question.id
            with suppress(grpc.RpcError):
                if not (await self._answer(given)).was_open:
                    self._answerer.note(too_late(question))
        finally:
            del self._open[question.id]

    def _begin(self, question: v1.Question, withdrawal: Withdrawal) -> Future[v1.AnswerRequest]:
        return in_a_thread(lambda: self._answerer.ask(question, withdrawal), withdrawal.close)

    def close(self) -> None:
        """The call is over, or was given up."""
        for withdrawal in self._open.values():
            withdrawal.withdraw(_OVER)
        for task in self._tasks:
            task.cancel()
