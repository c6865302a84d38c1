"""Long work on the event loop, which is everybody's: in turns, with those of others between them."""

from __future__ import annotations

import asyncio

# Seconds. A call takes a dozen turns of the loop, and may wait that long at each of them.
_TURN_SECONDS = 0.001


class TimeSlice:
    """The time that one piece of work has before others get theirs."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + _TURN_SECONDS

    async def give_way(self) -> None:
        """When the time is over."""
        if self._clock() > self._end:
            await asyncio.sleep(0)
            self._end = self._clock() + _TURN_SECONDS
