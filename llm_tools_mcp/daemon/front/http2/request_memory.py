"""What requests take of the memory while they come, bounded for all connections together."""

from __future__ import annotations

from collections.abc import Callable

from .stream import Stream


class RequestMemory:
    """Holds at most `limit` bytes of requests that are not whole yet. `note_size` hears of each that is over.

    Where more comes the largest is refused: a small one gets in, whatever others have begun.
    """

    def __init__(self, limit: int, note_size: Callable[[int], None]) -> None:
        self._limit = limit
        self._note_size = note_size
        self._sizes: dict[Stream, int] = {}
        self._total = 0

    def grow(self, stream: Stream, size: int) -> None:
        """So many bytes more have come of a request that is not whole."""
        self._sizes[stream] = self._sizes.get(stream, 0) + size
        self._total += size
        while self._total > self._limit:
            largest = max(self._sizes, key=self._sizes.__getitem__)
            largest.refuse(f"more than {self._limit // 2**20} MiB of unfinished requests: try again")

    def leave(self, stream: Stream) -> None:
        """It is whole, or nobody waits for the rest."""
        self._total -= self._sizes.pop(stream, 0)

    def forget(self, stream: Stream) -> None:
        """It is over."""
        self.leave(stream)
        self._note_size(stream.size)
