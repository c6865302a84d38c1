"""The same work by others: VirtusLab llm-tools-mcp 0.4 (no daemon), mcporter with its keep-alive daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from tests.external import Unavailable

from . import table
from .installed import mcporter, upstream
from .measure import interleaved, ratio
from .prompts import call_words, floor
from .world import Tool, World, new_world, three_servers


def show(rounds: int) -> None:
    with new_world() as world:
        servers, tool = three_servers()
        world.configure(servers)
        world.echo(tool)
        rows = [
            *_or_why(partial(_upstream, world, tool, rounds)),
            *_or_why(partial(_mcporter, world, servers, tool, rounds)),
        ]
    table.show_rows("Peers", rows)


def _or_why(measure: Callable[[], list[table.Row]]) -> list[table.Row]:
    try:
        return measure()
    except Unavailable as why:
        return [table.Row(str(why), "skipped")]


def _upstream(world: World, tool: Tool, rounds: int) -> list[table.Row]:
    theirs = world.home.folder / "upstream"
    theirs.mkdir()
    words = [str(upstream()), "-m", "echo", "-T", "MCP", tool.prompt]
    env = {"LLM_USER_PATH": str(theirs)}
    seconds = interleaved(
        {
            "floor": partial(floor, world),
            "ours": partial(world.echo, tool),
            "theirs": partial(world.home.run, *words, env=env),
        },
        max(3, rounds // 2),
    )
    ours, other = ratio(seconds["ours"], seconds["floor"]), ratio(seconds["theirs"], seconds["floor"])
    return [
        table.Row("`llm -m echo -T MCP` to the floor: ours", f"{ours:.2f} x ({seconds['ours'].text})"),
        table.Row("the same: llm-tools-mcp 0.4", f"{other:.2f} x ({seconds['theirs'].text})"),
    ]


def _mcporter(world: World, servers: dict[str, list[str]], tool: Tool, rounds: int) -> list[table.Row]:
    config = world.home.work / "mcporter.json"
    entries = {
        name: {"command": argv[0], "args": argv[1:], "lifecycle": "keep-alive"}
        for name, argv in servers.items()
    }
    config.write_text(json.dumps({"mcpServers": entries, "imports": []}))
    program = [*mcporter(), "--config", str(config)]
    name = call_words(tool)[2]
    arguments = [f"{key}={value}" for key, value in tool.arguments.items()]
    call = partial(world.home.run, *program, "call", f"{tool.server}.{name}", *arguments)
    world.home.run(*program, "daemon", "start")
    try:
        for server in servers:  # starts each
            world.home.run(*program, "list", server)
        seconds = interleaved(
            {"ours": partial(world.home.run_cli, *call_words(tool)), "theirs": call}, rounds
        )
        memory = _memory(config)
    finally:
        world.home.run(*program, "daemon", "stop", check=False)
    share = ratio(seconds["ours"], seconds["theirs"])
    text = f"{share:.2f} x ({seconds['ours'].text}; mcporter {seconds['theirs'].text})"
    return [
        table.at_most("`llm-mcp call` to `mcporter call`, both warm", share, 0.5, text, "0.5 x"),
        table.Row("memory of mcporter's daemon", f"{memory / 1e6:.0f} MB"),
    ]


def _memory(config: Path) -> int:
    """Of the process that carries our config in its command line and says that it is the daemon."""
    for process in psutil.process_iter(["cmdline", "memory_info"]):
        words = process.info["cmdline"] or []
        if str(config) in words and "daemon" in words:
            return int(process.info["memory_info"].rss)
    return 0
