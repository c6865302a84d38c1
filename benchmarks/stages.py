"""The cost of one prompt, from the first import to the last byte: where the time goes, warm and cold."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from .measure import in_words
from .table import show
from .world import Tool, World

_ROUNDS = 9


def show_stages(world: World, tool: Tool) -> None:
    _show("A warm prompt, with a call", [_run(world, tool.prompt) for _ in range(_ROUNDS)])
    _show("A prompt without a daemon, tools cached, no call", [_cold(world) for _ in range(_ROUNDS)])


def _cold(world: World) -> dict[str, float]:
    world.stop_daemon()
    return _run(world, "hi")


def _show(title: str, runs: list[dict[str, float]]) -> None:
    medians = {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
    whole = sum(medians.values())
    lines = [(stage, in_words(seconds), f"{seconds / whole:.0%}") for stage, seconds in medians.items()]
    show(f"{title}, from the first import to the last byte", ("stage", "median", "share"), lines)


def _run(world: World, prompt: str) -> dict[str, float]:
    script = Path(__file__).with_name("one_prompt.py")
    began = time.time()
    done = world.home.run(
        sys.executable, str(script), prompt, env={"LLM_LOAD_PLUGINS": "llm-echo,llm-tools-mcp"}
    )
    ended = time.time()
    stamps: list[tuple[str, float]] = json.loads(done.stdout.splitlines()[-1])
    stages = {}
    before = began
    for stage, at in stamps:
        stages[stage] = at - before
        before = at
    stages["Python's exit"] = ended - before
    return stages
