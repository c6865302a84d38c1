"""A user's home for the measurements: config, socket, caches of its own; nothing of it is left behind."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.client.caller import make_call, make_caller
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.config import ConfigSource
from tests import external
from tests.home import Home

BARE = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]


@dataclass(frozen=True)
class Tool:
    """A tool that a prompt calls, with its arguments."""

    server: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """What makes llm-echo call it."""
        return json.dumps({"tool_calls": [{"name": self.name, "arguments": self.arguments}], "prompt": "x"})


class World:
    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.home.env.pop("PYTHONDONTWRITEBYTECODE", None)  # users run what is compiled

    def configure(self, servers: Mapping[str, list[str]]) -> None:
        self.home.write_config(
            {name: {"command": argv[0], "args": argv[1:]} for name, argv in servers.items()}
        )

    def llm(self, *args: str, plugins: str = "llm-echo,llm-tools-mcp") -> None:
        self.home.run_llm(*args, env={"LLM_LOAD_PLUGINS": plugins})

    def echo(self, tool: Tool, toolbox: str = "MCP", plugins: str = "llm-echo,llm-tools-mcp") -> None:
        """A prompt with one tool call, through the real command."""
        self.llm("-m", "echo", "-T", toolbox, tool.prompt, plugins=plugins)

    def stop_daemon(self) -> None:
        self.home.run_cli("stop")

    def client(self) -> DaemonClient:
        """Of the daemon, which a command has started before."""
        return DaemonClient(self.home.socket)

    def caller(self) -> v1.Caller:
        """As the commands call: with this home's environment."""
        caller = make_caller(ConfigSource(str(self.home.config), self.home.config.read_text()))
        for name in list(caller.environment):
            caller.environment[name] = self.home.env.get(name, "")
        caller.cwd = str(self.home.work)
        return caller

    def call(self, tool: Tool) -> v1.CallToolRequest:
        return make_call(self.caller(), tool.server, tool.name, tool.arguments)


def bare(tools: int = 2) -> list[str]:
    """The server of this folder, which hardly costs anything itself."""
    return [*BARE, str(tools)]


def three_servers() -> tuple[dict[str, list[str]], Tool]:
    """Three stdio servers and a tool of one: those of others where they are installed (`make external`)."""
    try:
        servers = {
            "files": [*external.npm_server("server-filesystem"), os.path.realpath(tempfile.gettempdir())],
            "everything": external.npm_server("server-everything"),
            "time": external.time_server(),
        }
    except external.Unavailable as why:
        print(f"with servers of our own: {why}")
        return {name: bare(10) for name in ("one", "two", "three")}, Tool("one", "one_echo", {"text": "hi"})
    return servers, Tool("everything", "echo", {"message": "hi"})


@contextmanager
def new_world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="llm-mcp-bench-") as folder:
        world = World(Path(folder) / "home")
        try:
            yield world
        finally:
            world.home.close()
