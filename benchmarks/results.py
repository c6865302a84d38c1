"""What a large result costs a prompt: seconds, and characters that the model gets."""

from __future__ import annotations

from functools import partial

from tests.prompting import output, prompt

from .measure import difference, in_words, interleaved
from .table import Row, at_most
from .world import Tool, World, bare

_BYTES = 10 * 2**20


def measure(world: World, rounds: int) -> list[Row]:
    """The daemon runs. Its config becomes one of a server that costs next to nothing itself."""
    world.configure({"bare": bare()})
    small, large = (Tool("bare", "blob", {"size": size}) for size in (10, _BYTES))
    seconds = interleaved({"small": partial(world.echo, small), "large": partial(world.echo, large)}, rounds)
    above = difference(seconds["large"], seconds["small"])
    told = len(output(prompt(world.home, "MCP", ("blob", {"size": _BYTES}))))
    return [
        at_most(
            "a prompt with a result of 10 MB, above one of 10 bytes",
            above,
            0.1,
            f"{in_words(above)} ({seconds['large'].text})",
            "100 ms",
        ),
        at_most("characters of it that the model gets", told, 100_000, f"{told:,}", "100,000"),
    ]
