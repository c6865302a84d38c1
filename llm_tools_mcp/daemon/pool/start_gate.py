"""How many servers start at once. Their processes share the cores: with all at once each is too late."""

from __future__ import annotations

import asyncio
import os
from collections import deque

# Starts at once of programs, for each core, and of servers behind http, which cost a few requests.
_PER_CORE, _LEAST, _REMOTE = 2, 4, 32
# Seconds after which a start no longer counts: it waits for the network (npx, uvx), and not for a core.
_COUNTED_SECONDS = 5.0


class StartGate:
    """`slots` starts at once, in the order in which they came."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> Slot:
        """Wait for a turn."""
        if self._free:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give_back()  # it was given in the moment of giving up
                raise
        return Slot(self)

    def give_back(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Slot:
    """One turn, until it is released or has lasted long enough. Harmless when repeated."""

    def __init__(self, gate: StartGate) -> None:
        self._gate: StartGate | None = gate
        self._timer = asyncio.get_running_loop().call_later(_COUNTED_SECONDS, self.release)

    def release(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            self._timer.cancel()
            gate.give_back()


def gate_of_programs() -> StartGate:
    return StartGate(max(_LEAST, _PER_CORE * _cores()))


def gate_of_remote_servers() -> StartGate:
    return StartGate(_REMOTE)


def _cores() -> int:
    """Those that this process may use: a container has fewer than its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
