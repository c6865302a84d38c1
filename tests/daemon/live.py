"""A pool of real connections to real servers, in the test's own loop."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from llm_tools_mcp import config, v1
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import ServerFailure
from llm_tools_mcp.daemon.pool.list_cache import ListCache
from llm_tools_mcp.daemon.pool.pool import Pool
from llm_tools_mcp.daemon.pool.session import Session
from llm_tools_mcp.daemon.pool.statistics import State
from llm_tools_mcp.daemon.pool.tool_cache import ToolCache
from llm_tools_mcp.daemon.server.connecting import Hooks, connect
from llm_tools_mcp.daemon.server.logins import Logins
from llm_tools_mcp.daemon.server.orphans import MARK_VARIABLE, owner_mark
from llm_tools_mcp.daemon.server.to_wire import JsonObject, write_result
from llm_tools_mcp.daemon.server.tokens import Renewals
from llm_tools_mcp.login.store import LoginStore
from tests.programs import GONE, is_alive
from tests.servers import entry, faulty_server
from tests.waiting import SOON

_numbers = itertools.count()


class Live:
    """`forward` moves the pool's clock; `logged` has what servers wrote, by name."""

    def __init__(self, folder: Path, max_live: int = 16) -> None:
        self.folder = folder
        self.forward = 0.0
        self.logged: dict[str, list[str]] = {}
        self.cache = ToolCache(folder / "cache", lambda: time.time() + self.forward)
        self.mark = owner_mark(folder / f"s{next(_numbers)}")
        self.lists = ListCache(folder / "lists")
        self.logins = Logins(LoginStore(folder / "logins.json"))
        self.renewals = Renewals(self.logins)
        self.pool = Pool(
            self._connect,
            self.cache,
            self.lists,
            clock=lambda: time.monotonic() + self.forward,
            on_change=lambda: None,
            max_live=max_live,
        )

    def _connect(self, definition: ServerDefinition, session: Session, protocol: config.Protocol) -> Any:
        lines = self.logged.setdefault(definition.name, [])

        def on_log(line: str) -> None:
            lines.append(line)
            session.note_line(line)

        hooks = Hooks(on_log, session.calls.note, session.on_changed, session.calls.ask)
        return connect(definition, hooks, self.mark, protocol, self.renewals)

    # --- definitions --------------------------------------------------------------------------------

    def faulty(self, mode: str, *args: object, name: str = "faulty", **keys: Any) -> ServerDefinition:
        return self.define({name: entry(faulty_server(mode, *map(str, args)), **keys)})

    def define(
        self, servers: dict[str, Any], cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> ServerDefinition:
        """The only one of `servers`, as a caller in `cwd` means it."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **(env or {})}
        context = config.Context(str(cwd or self.folder), environment, 0o022)
        parsed = config.parse("mcp.json", json.dumps({"mcpServers": servers}), context)
        (definition,) = parsed.servers.values()
        assert isinstance(definition, ServerDefinition), definition
        return definition

    # --- using them ---------------------------------------------------------------------------------

    async def call(self, definition: ServerDefinition, tool: str, **arguments: Any) -> str:
        result = await self.pool.call(definition, tool, arguments, lambda _: None)
        return text_of(result)

    async def names(self, definition: ServerDefinition) -> list[str]:
        return [tool.name for tool in (await self.pool.list_tools(definition)).tools]

    def known(self, definition: ServerDefinition) -> list[str]:
        """The names that are known without asking."""
        known = self.pool.known_tools(definition)
        return [tool.name for tool in known.tools] if known is not None else []

    def session(self, definition: ServerDefinition) -> Session:
        (session,) = self.pool.sessions.registry.of(definition.identity)
        return session

    def is_ready(self, definition: ServerDefinition) -> bool:
        """Whether it is connected; also for one that nobody has used."""
        sessions = self.pool.sessions.registry.all()
        return any(s.state is State.READY for s in sessions if s.definition.identity == definition.identity)

    def processes(self) -> list[psutil.Process]:
        """All that carries this daemon's mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process) and is_alive(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK_VARIABLE, "").startswith(self.mark)
        except GONE:
            return False


def with_live(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test in an event loop, with its Live as the first argument; no process may outlive it."""

    @functools.wraps(test)
    def run(tmp_path: Path, **kwargs: Any) -> None:
        async def body() -> None:
            async with living(tmp_path) as live:
                await asyncio.wait_for(test(live, **kwargs), 2 * SOON)

        asyncio.run(body())

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest looks at the signature
    run.__signature__ = _signature(test)  # type: ignore[attr-defined]
    return run


def _signature(test: Callable[..., Any]) -> Any:
    import inspect

    others = list(inspect.signature(test).parameters.values())[1:]
    path = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Signature([path, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in others)])


@asynccontextmanager
async def living(folder: Path, max_live: int = 16) -> AsyncIterator[Live]:
    live = Live(folder, max_live)
    try:
        yield live
    finally:
        await asyncio.wait_for(live.pool.aclose(), SOON)
        left = live.processes()
        for process in left:
            process.kill()
        assert not left, left


async def failure_of(call: Awaitable[object]) -> ServerFailure:
    with pytest.raises(ServerFailure) as caught:
        await call
    return caught.value


def python(script: str, *args: str) -> dict[str, Any]:
    """An entry whose server is this program."""
    return entry([sys.executable, "-c", script, *args])


def variant(body: str) -> dict[str, Any]:
    """An entry for the correct server of faulty.py with other methods: `body` of a class, not indented."""
    lines = (
        "import importlib.util as util, os, pathlib, sys, time",
        f"spec = util.spec_from_file_location('faulty', {faulty_server('fine')[1]!r})",
        "faulty = util.module_from_spec(spec); spec.loader.exec_module(faulty)",
        "class Variant(faulty.Server):",
        textwrap.indent(textwrap.dedent(body), "    "),
        "Variant().serve()",
    )
    return python("\n".join(lines))


def blocking(**keys: Any) -> dict[str, Any]:
    """An entry for a server that takes one call at a time: each lasts until the file `until` exists.

    It says that a call has begun by making the file `began`.
    """
    body = """
    def run(self, tool, arguments):
        if arguments.get("began"):
            pathlib.Path(arguments["began"]).touch()
        while arguments.get("until") and not pathlib.Path(arguments["until"]).exists():
            time.sleep(0.01)
        return super().run(tool, arguments)
    """
    return variant(body) | keys


def failing(**keys: Any) -> dict[str, Any]:
    """An entry for a server whose tool `echo` fails, or crashes it, where the text says `fail` or `crash`."""
    body = """
    def call_tool(self, params):
        word = params.get("arguments", {}).get("text")
        if word == "crash":
            os._exit(9)
        return super().call_tool(params) | {"isError": word == "fail"}
    """
    return variant(body) | keys


def text_of(result: JsonObject) -> str:
    """As it goes over the wire."""
    wire = v1.ToolResult()
    write_result(result, wire)
    return "\n".join(content.text for content in wire.content)
