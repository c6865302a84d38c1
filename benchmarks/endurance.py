"""What stays in the daemon after many calls and many clients: nothing should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import psutil

from llm_tools_mcp import v1
from llm_tools_mcp.client.channel import AsyncDaemonClient, DaemonClient

from . import table
from .calls import CALLERS, ECHO, nothing, together
from .world import World, bare, new_world

CONNECTS, CALLS = 1_000, 10_000


def show() -> None:
    with new_world() as world:
        world.configure({name: bare() for name in ("bare", "second", "third")})
        world.home.run_cli("tools")  # starts the daemon
        request = world.call(ECHO)
        with world.client() as client:
            daemon = psutil.Process(client.health().pid)
        _connect(world, request, 50)  # what is allocated once
        stages: list[tuple[str, Callable[[], None]]] = [
            ("three servers, 50 clients", lambda: None),
            (f"{CONNECTS} clients more, a call each", partial(_connect, world, request, CONNECTS)),
            (f"{CALLS} calls of one client", partial(_call, world, request)),
            (f"{CALLS} calls of {CALLERS} callers", partial(_call_together, world, request)),
            (f"{CONNECTS} clients again", partial(_connect, world, request, CONNECTS)),
        ]
        lines = []
        for what, run in stages:
            run()
            lines.append((what, *_state(daemon)))
    table.show("What stays", ("after", "memory", "descriptors", "threads"), lines)


def _state(daemon: psutil.Process) -> tuple[str, str, str]:
    return f"{daemon.memory_info().rss / 1e6:.1f} MB", str(daemon.num_fds()), str(daemon.num_threads())


def _connect(world: World, request: v1.CallToolRequest, times: int) -> None:
    for _ in range(times):
        with DaemonClient(world.home.socket) as client:
            client.call(request, nothing)


def _call(world: World, request: v1.CallToolRequest) -> None:
    with world.client() as client:
        for _ in range(CALLS):
            client.call(request, nothing)


def _call_together(world: World, request: v1.CallToolRequest) -> None:
    async def run() -> None:
        client = AsyncDaemonClient(world.home.socket)
        await together(lambda: client.call(request, nothing), CALLS, CALLERS)
        await client.aclose()

    asyncio.run(run())
