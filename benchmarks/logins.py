"""What a login costs on the wire: the requests of calls with one, and with a token in the config."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.servers.guarded import Guarded, guarded

from .calls import nothing
from .table import Row, at_most
from .world import Tool, World

CALLS = 200
BROWSER = Path(__file__).parents[1] / "tests" / "conformance" / "browser.py"


def measure(world: World) -> list[Row]:
    """The daemon runs. Its config becomes one of a server that wants a login."""
    with guarded() as server:
        world.home.write_config({"account": {"url": server.url}})
        world.home.run_cli("login", "account", env={"BROWSER": f"{sys.executable} {BROWSER} %s"})
        token = next(iter(server.tokens))
        header = {"Authorization": f"Bearer {token}"}
        world.home.write_config(
            {"account": {"url": server.url}, "header": {"url": server.url, "headers": header}}
        )
        world.home.run_cli("restart")
        given, logged_in = (_requests(world, server, name) for name in ("header", "account"))
    return [
        at_most(
            f"requests of a start and {CALLS} calls with a login, against a token in the config",
            logged_in,
            given,
            str(logged_in),
            str(given),
        )
    ]


def _requests(world: World, server: Guarded, name: str) -> int:
    """All that the server and its authorization server were asked for, from the first connection on."""
    before = len(server.requests)
    request = world.call(Tool(name, "echo", {"text": "hi"}))
    with world.client() as client:
        for _ in range(CALLS):
            client.call(request, nothing)
    return len(server.requests) - before
