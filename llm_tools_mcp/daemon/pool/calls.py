"""The requests that a server has in hand, and which of them a question of its belongs to.

Over stdio a question of the older eras does not say. Then it is the only one in hand; and a server that has
asked so once gets one at a time from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server.elicitation import Ask

OnEvent = Callable[["v1.Progress | v1.LogMessage"], None]

_CANCELLED = v1.AnswerRequest(action=v1.AnswerRequest.CANCEL)
_UNCLEAR = (
    "asked a question while it had several calls in hand, and it cannot be told whose question it is: it was "
    "cancelled. From now on this server gets one call at a time; try again."
)


@dataclass(eq=False)
class Call:
    """One request in hand."""

    on_event: OnEvent
    ask: Ask
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_waiting: bool = True  # for its turn
    is_answered: bool = False  # by the server, so that no question of it can be open


class Calls:
    """`asks`: the server's questions do not say whose they are. `on_asks` is called when that shows."""

    def __init__(self, *, asks: bool, on_asks: Callable[[], None]) -> None:
        self.asks = asks
        self._on_asks = on_asks
        self._turn = asyncio.Lock()
        self._in_hand: list[Call] = []
        self._unclear = 0  # questions of which it is not known yet whose they are

    @asynccontextmanager
    async def turn(self, call: Call) -> AsyncIterator[None]:
        """Wait until the server may be given this one; within, it is in hand."""
        if not self.asks:
            with self._given(call):
                yield
            return
        async with self._turn:
            with self._given(call):
                yield

    @contextmanager
    def _given(self, call: Call) -> Iterator[None]:
        call.is_waiting = False
        self._in_hand.append(call)
        try:
            yield
            call.is_answered = True
        except ServerFailure as failure:
            call.is_answered = failure.kind == Kind.REJECTED
            raise
        finally:
            self._in_hand.remove(call)
            call.over.set()

    def note(self, message: v1.LogMessage) -> None:
        """A log message of the server. It names no call: it is shown to a caller only if there is one."""
        if len(self._in_hand) == 1:
            self._in_hand[0].on_event(message)

    async def ask(self, question: v1.Question) -> v1.AnswerRequest:
        """Put a question that names no call to whom it belongs."""
        if not self.asks:
            self.asks = True
            self._on_asks()
        call = await self._whose()
        return _CANCELLED if call is None else await call.ask(question)

    async def _whose(self) -> Call | None:
        """Of several calls in hand: the one that is left when all others have been answered."""
        candidates = list(self._in_hand)
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        self._unclear += 1
        try:
            while len(candidates) > 1 and self._unclear < len(self._in_hand):
                await _first_over(candidates)
                if any(call.over.is_set() and not call.is_answered for call in candidates):
                    return None  # it may have been the one that asked
                candidates = [call for call in candidates if not call.over.is_set()]
        finally:
            self._unclear -= 1
        if len(candidates) == 1:
            return candidates[0]
        self._tell(candidates)
        return None

    def _tell(self, calls: list[Call]) -> None:
        for call in calls:
            call.on_event(v1.LogMessage(level="warning", text=_UNCLEAR))


async def _first_over(calls: list[Call]) -> None:
    waits = [asyncio.ensure_future(call.over.wait()) for call in calls]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
