"""How costs grow: with servers, tools, the size of results, and callers at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from llm_tools_mcp import v1
from llm_tools_mcp.client.channel import AsyncDaemonClient, DaemonClient
from llm_tools_mcp.errors import ToolCallError

from . import table
from .calls import ECHO, list_all, nothing, together
from .measure import Series, in_words, interleaved, interleaved_async
from .world import Tool, World, bare, new_world

SERVERS, TOOLS, SIZES, CALLERS = (1, 10, 50), (10, 100, 1000), (1, 10**3, 10**4, 10**5), (1, 8, 64, 256)
_ROUNDS = 7
_OVER_THE_BOUND = 140_000_000


def show() -> None:
    with new_world() as world:
        world.configure({"bare": bare()})
        world.home.run_cli("tools")  # starts the daemon
        _show("servers of 20 tools, listed warm", SERVERS, _listings(world, {n: (n, 20) for n in SERVERS}), 1)
        _show("tools of one server, listed warm", TOOLS, _listings(world, {n: (1, n) for n in TOOLS}), 1)
        _show("result of so many KB", SIZES, _results(world), 1)
        print(f"\n{_OVER_THE_BOUND // 10**6} MB: {_refusal(world)}")
        _show_others(world)
        _show("callers, 512 calls between them", CALLERS, asyncio.run(_callers(world)), 512)


def _show(title: str, sizes: Sequence[int], seconds: dict[str, Series], parts: int) -> None:
    lines = []
    for size in sizes:
        series = seconds[str(size)]
        each = f"{parts / series.quiet:.0f}/s" if parts > 1 else in_words(series.quiet / size)
        lines.append((f"{size}", in_words(series.quiet), in_words(series.median), each))
    show = ("", "quiet", "median", "calls" if parts > 1 else "for each")
    table.show(f"Growth: {title}", show, lines)


def _listings(world: World, shapes: dict[int, tuple[int, int]]) -> dict[str, Series]:
    with world.client() as client:
        ways = {}
        for size, (servers, tools) in shapes.items():
            world.configure({f"server_{number}": bare(tools) for number in range(servers)})
            caller = world.caller()
            list_all(client, caller)
            ways[str(size)] = partial(list_all, client, caller)
        return interleaved(ways, _ROUNDS * 3)


def _results(world: World) -> dict[str, Series]:
    world.configure({"bare": bare()})
    with world.client() as client:
        calls = {str(size): _blob(world, size * 1000) for size in SIZES}
        return interleaved(
            {size: partial(client.call, call, nothing) for size, call in calls.items()}, _ROUNDS
        )


def _blob(world: World, size: int) -> v1.CallToolRequest:
    return world.call(Tool("bare", "blob", {"size": size}))


def _refusal(world: World) -> str:
    with world.client() as client:
        try:
            client.call(_blob(world, _OVER_THE_BOUND), nothing)
        except ToolCallError as error:
            return f"refused: {error}"
    return "NOT REFUSED"


def _show_others(world: World) -> None:
    """Others' calls to another server, while one caller gets a large result. Callers are processes."""
    world.configure({"bare": bare(), "other": bare(3)})  # not the same process
    request = world.call(Tool("other", "echo", {"text": "hi"}))
    lines = []
    for size in (10**6, 10**7, 10**8):
        with world.client() as client, ProcessPoolExecutor(1, get_context("spawn")) as other:
            client.call(request, nothing)
            other.submit(_call_once, world.home.socket, request.SerializeToString()).result()
            getting = other.submit(_call_once, world.home.socket, _blob(world, size).SerializeToString())
            seconds = []
            while not getting.done():
                began = time.perf_counter()
                client.call(request, nothing)
                seconds.append(time.perf_counter() - began)
            series = Series(seconds or [0.0])
            lines.append(
                (
                    f"{size // 10**6} MB",
                    in_words(getting.result()),
                    series.text,
                    in_words(series.quantile(0.99)),
                    in_words(max(series.seconds)),
                )
            )
    head = ("one gets", "in", "others' calls: p50", "p99", "longest")
    table.show("Growth: others meanwhile", head, lines)


def _call_once(socket: Path, request: bytes) -> float:
    """Seconds that it takes; in another process."""
    with DaemonClient(socket) as client:
        began = time.perf_counter()
        client.call(v1.CallToolRequest.FromString(request), nothing)
        return time.perf_counter() - began


async def _callers(world: World) -> dict[str, Series]:
    client, request = AsyncDaemonClient(world.home.socket), world.call(ECHO)

    def call():
        return client.call(request, nothing)

    ways = {str(callers): partial(together, call, 512, callers) for callers in CALLERS}
    seconds = await interleaved_async(ways, _ROUNDS)
    await client.aclose()
    return seconds
