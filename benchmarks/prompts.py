"""What a user waits for: whole commands, from the first import to the last byte."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial

from .measure import Series, childrens_time, difference, in_words, interleaved, ratio
from .sdk import open_and_close
from .table import Row, at_most
from .world import Tool, World

MEMORY_LIMIT = 70e6
# mcporter's call took 288 ms where the floor took 640: half of it, without mcporter at hand.
CALL_TO_FLOOR = 0.5 * 288 / 640


def measure(world: World, server_argv: list[str], tool: Tool, rounds: int) -> list[Row]:
    world.echo(tool)  # starts the daemon, fills its cache
    seconds = interleaved(_commands(world, tool), rounds)
    return [
        *_prompt_rows(seconds),
        _without_mcp(world, rounds),
        _plugin_row(world),
        *_cold_rows(world, server_argv, tool, max(3, rounds // 3)),
    ]


def floor(world: World) -> None:
    """A prompt with one call of a tool that is built in."""
    world.echo(Tool("", "llm_version", {}), toolbox="llm_version", plugins="llm-echo")


def call_words(tool: Tool) -> list[str]:
    return [
        "call",
        tool.server,
        tool.name.removeprefix(f"{tool.server}_"),
        *(f"{k}={v}" for k, v in tool.arguments.items()),
    ]


def _commands(world: World, tool: Tool) -> dict[str, Callable[[], object]]:
    return {
        "floor": partial(floor, world),
        "mcp": partial(world.echo, tool),
        "call": partial(world.home.run_cli, *call_words(tool)),
        "help": partial(world.home.run_cli, "--help"),
    }


def _without_mcp(world: World, rounds: int) -> Row:
    """By processor time: 2% are less than the noise of any clock on the wall."""
    seconds = interleaved(
        {
            "with": partial(world.llm, "-m", "echo", "hi"),
            "without": partial(world.llm, "-m", "echo", "hi", plugins="llm-echo"),
        },
        2 * rounds,
        clock=childrens_time,
    )
    share = seconds["with"].quiet / seconds["without"].quiet
    text = f"{share:.3f} x ({seconds['with'].text} of processor time)"
    return at_most("`llm -m echo hi` to the same without the plugin", share, 1.02, text, "1.02 x")


def _prompt_rows(seconds: dict[str, Series]) -> list[Row]:
    warm = ratio(seconds["mcp"], seconds["floor"])
    call = ratio(seconds["call"], seconds["floor"])
    return [
        Row("floor: `llm -m echo -T llm_version`, one call", seconds["floor"].text),
        at_most(
            "`llm -m echo -T MCP` to the floor: warm, 3 servers, one call",
            warm,
            1.15,
            f"{warm:.2f} x ({seconds['mcp'].text})",
            "1.15 x",
        ),
        at_most(
            "`llm-mcp call` to the floor: warm",
            call,
            CALL_TO_FLOOR,
            f"{call:.3f} x ({seconds['call'].text})",
            f"{CALL_TO_FLOOR:.3f} x",
        ),
        Row("`llm-mcp --help`", seconds["help"].text),
    ]


_IMPORT = """
import time, llm.cli
began = time.perf_counter()
import llm_tools_mcp.plugin
print(time.perf_counter() - began)
"""


def _plugin_row(world: World) -> Row:
    def once() -> float:
        done = world.home.run(sys.executable, "-c", _IMPORT, env={"LLM_LOAD_PLUGINS": "llm-echo"})
        return float(done.stdout)

    once()
    return Row(
        "the plugin's import, in an `llm` process", in_words(Series([once() for _ in range(5)]).median)
    )


def _cold_rows(world: World, argv: list[str], tool: Tool, rounds: int) -> list[Row]:
    """The daemon is not running, but knows the tools; the server of the tool has to start."""

    def cold() -> None:
        world.echo(tool)

    def stop() -> None:
        world.stop_daemon()

    seconds = interleaved(
        {
            "stop": stop,
            "cold": cold,
            "stop between": stop,
            "silent": partial(world.llm, "-m", "echo", "-T", "MCP", "hi"),
            "stop again": stop,  # backwards it comes first, too
            "floor": partial(floor, world),
            "start": lambda: asyncio.run(open_and_close(argv)),
        },
        rounds,
    )
    above = difference(seconds["cold"], seconds["floor"]) - seconds["start"].median
    silent = difference(seconds["silent"], seconds["floor"])
    return [
        at_most(
            "daemon not running, tools cached, no call, above the floor",
            silent,
            0.30,
            f"{in_words(silent)} ({seconds['silent'].text})",
            "300 ms",
        ),
        at_most(
            "daemon not running, tools cached, above floor + server start",
            above,
            0.35,
            f"{in_words(above)} ({seconds['cold'].text}; start {seconds['start'].text})",
            "350 ms",
        ),
    ]


def memory(world: World, tool: Tool) -> Row:
    """Of a daemon that serves three servers which were started and are idle."""
    world.stop_daemon()
    world.home.run_cli("tools", "--refresh")
    world.echo(tool)
    with world.client() as client:
        status = client.status()
    live = [server for server in status.servers if server.state == server.READY]
    return at_most(
        f"memory of the daemon, {len(live)} stdio servers idle",
        status.memory_bytes,
        MEMORY_LIMIT,
        f"{status.memory_bytes / 1e6:.0f} MB",
        "70 MB",
    )
