"""How things are measured: in turn, A B A B, so that what else the machine does cancels out."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """Seconds, in the order in which they were measured."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def quiet(self) -> float:
        """What it takes while little else runs: noise only ever adds. The lower quartile."""
        return self.quantile(0.25)

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

    @property
    def text(self) -> str:
        return in_words(self.median)


def in_words(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"


def childrens_time() -> float:
    """Seconds of processor time that the processes which we ran and waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def interleaved(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Series]:
    """Run each way once a round, every other round backwards: none is always behind the same other."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, rounds):
        order = list(ways) if number % 2 else list(reversed(ways))
        for name in order:
            began = clock()
            ways[name]()
            if number >= 0:
                seconds[name].append(clock() - began)
    return {name: Series(values) for name, values in seconds.items()}


async def interleaved_async(
    ways: Mapping[str, Callable[[], Awaitable[object]]], rounds: int, block: int = 1
) -> dict[str, Series]:
    """As `interleaved`, in an event loop; `block` runs of a way follow each other."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, rounds):
        for name, way in ways.items():
            for _ in range(block):
                began = time.perf_counter()
                await way()
                if number >= 0:
                    seconds[name].append(time.perf_counter() - began)
    return {name: Series(values) for name, values in seconds.items()}


def medians(series: Series, block: int) -> Series:
    """The median of each block of so many runs."""
    values = series.seconds
    return Series([Series(values[at : at + block]).median for at in range(0, len(values), block)])


def ratio(ours: Series, theirs: Series) -> float:
    """The median of the ratios of each round: both were measured under the same load."""
    return statistics.median(our / their for our, their in zip(ours.seconds, theirs.seconds, strict=True))


def difference(ours: Series, theirs: Series) -> float:
    """Seconds: the median of the differences of each round."""
    return statistics.median(our - their for our, their in zip(ours.seconds, theirs.seconds, strict=True))
