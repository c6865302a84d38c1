"""What one call costs between the client and the server, against the SDK's own session in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.client.channel import AsyncDaemonClient, DaemonClient

from .bare_grpc import bare_daemon
from .measure import Series, in_words, interleaved, interleaved_async, medians
from .sdk import sdk_session
from .table import Row, at_least, at_most
from .world import Tool, World, bare

if TYPE_CHECKING:
    from mcp import Client

CALLERS = 64
_BLOCK = 50  # calls by one way before the other one has its turn
ECHO, _BLOB = Tool("bare", "echo", {"text": "hi"}), Tool("bare", "blob", {"size": 10 * 2**20})


def measure(world: World, rounds: int) -> list[Row]:
    """The daemon runs. Its config becomes one of a server that costs next to nothing itself."""
    world.configure({"bare": bare()})
    return [*asyncio.run(_against_the_sdk(world, rounds)), *_listing_rows(world, rounds)]


def nothing(_: object) -> None:
    """Events of a call go here."""


async def together(call: Callable[[], Awaitable[object]], total: int, callers: int) -> None:
    """`total` calls by so many callers at the same time."""
    left = iter(range(total))

    async def caller() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(caller() for _ in range(callers)))


async def _against_the_sdk(world: World, rounds: int) -> list[Row]:
    async with sdk_session(bare()) as session:
        with world.client() as client, bare_daemon(world.home.runtime / "bare") as nothing_behind:
            return [
                *await _one_caller(session, client, nothing_behind, world.call(ECHO), rounds),
                await _many_callers(session, world.home.socket, nothing_behind, world.call(ECHO), rounds),
                await _large_result(session, client, world.call(_BLOB)),
            ]


def _by_sdk(session: Client, tool: Tool) -> Callable[[], Awaitable[Any]]:
    return partial(session.call_tool, tool.name, dict(tool.arguments))


def _by_daemon(client: DaemonClient, request: v1.CallToolRequest) -> Callable[[], Awaitable[Any]]:
    async def call() -> None:
        client.call(request, nothing)

    return call


async def _one_caller(
    session: Client, client: DaemonClient, nothing_behind: Path, request: v1.CallToolRequest, rounds: int
) -> list[Row]:
    with DaemonClient(nothing_behind) as alone:
        ways = {
            "sdk": _by_sdk(session, ECHO),
            "daemon": _by_daemon(client, request),
            "grpc": _by_daemon(alone, request),
        }
        seconds = await interleaved_async(ways, rounds * 4, _BLOCK)
    sdk, daemon, grpc = (medians(seconds[name], _BLOCK) for name in ways)
    above = daemon.quiet - sdk.quiet
    return [
        at_most(
            "CallTool p50, above the SDK's own session",
            above,
            0.001,
            f"{in_words(above)} ({in_words(daemon.quiet)}; SDK {in_words(sdk.quiet)};"
            f" gRPC alone {in_words(grpc.quiet)})",
            "1.0 ms",
        ),
        Row(
            "CallTool p50 / p99 over the whole run",
            f"{seconds['daemon'].text} / {in_words(seconds['daemon'].quantile(0.99))}"
            f" (SDK {seconds['sdk'].text} / {in_words(seconds['sdk'].quantile(0.99))})",
        ),
    ]


async def _many_callers(
    session: Client, socket: Path, nothing_behind: Path, request: v1.CallToolRequest, rounds: int
) -> Row:
    total = 500
    client, alone = AsyncDaemonClient(socket), AsyncDaemonClient(nothing_behind)
    seconds = await interleaved_async(
        {
            "sdk": partial(together, _by_sdk(session, ECHO), total, CALLERS),
            "daemon": partial(together, lambda: client.call(request, nothing), total, CALLERS),
            "grpc": partial(together, lambda: alone.call(request, nothing), total, CALLERS),
        },
        rounds,
    )
    await client.aclose()
    await alone.aclose()
    share, bound = (seconds["sdk"].quiet / seconds[name].quiet for name in ("daemon", "grpc"))
    return at_least(
        f"{CALLERS} concurrent callers, to the SDK's own session",
        share,
        0.5,
        f"{share:.0%} ({_rate(seconds['daemon'], total)}; SDK {_rate(seconds['sdk'], total)};"
        f" gRPC alone {bound:.0%})",
        "50%",
    )


def _rate(seconds: Series, calls: int) -> str:
    return f"{calls / seconds.quiet:.0f}/s"


async def _large_result(session: Client, client: DaemonClient, request: v1.CallToolRequest) -> Row:
    ways = {"sdk": _by_sdk(session, _BLOB), "daemon": _by_daemon(client, request)}
    seconds = await interleaved_async(ways, 5)
    text = f"{in_words(seconds['daemon'].quiet)} (SDK {in_words(seconds['sdk'].quiet)})"
    return at_most("a result of 10 MB over stdio", seconds["daemon"].quiet, 0.25, text, "250 ms")


def _listing_rows(world: World, rounds: int) -> list[Row]:
    servers = {f"server_{number}": bare(20) for number in range(50)}
    world.configure(servers)
    with world.client() as client:
        listing = partial(list_all, client, world.caller())
        listing()
        seconds = interleaved({"list": listing, "health": client.health}, rounds * 4)
    text = f"{in_words(seconds['list'].quiet)} ({len(servers) * 20} tools)"
    return [
        at_most("GetAllTools, 50 servers x 20 tools, warm", seconds["list"].quiet, 0.025, text, "25 ms"),
        Row(
            "Health: one unary RPC, p50 / p99",
            f"{seconds['health'].text} / {in_words(seconds['health'].quantile(0.99))}",
        ),
    ]


def list_all(client: DaemonClient, caller: v1.Caller) -> int:
    """The number of tools."""
    return sum(len(answer.tools) for answer in client.tools(caller))
