"""A real daemon in a home of its own, and a client of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.client.caller import make_call
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.errors import McpError
from tests.home import Home
from tests.programs import end
from tests.waiting import SOON, wait_until


class Running:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.log = home.folder / "logs" / "daemon.log"
        argv = [sys.executable, "-m", "llm_tools_mcp.daemon", "--socket", str(home.socket), "--log-file"]
        self.process = subprocess.Popen(
            [*argv, str(self.log)], env=home.env, cwd="/", stdin=subprocess.DEVNULL
        )
        wait_until(self._answers)
        self.client = DaemonClient(home.socket)

    def _answers(self) -> bool:
        try:
            with DaemonClient(self.home.socket) as client:
                return client.health(2).pid == self.process.pid
        except McpError:
            return False

    def caller(self, servers: Mapping[str, Any], path: str = "/mcp.json", **env: str) -> v1.Caller:
        environment = {"PATH": self.home.env["PATH"], "HOME": self.home.env["HOME"], **env}
        text = json.dumps({"mcpServers": servers})
        cwd = str(self.home.work)
        return v1.Caller(
            config_path=path, config=text, cwd=cwd, environment=environment, umask=0o022, can_answer=True
        )

    def list(
        self, servers: Mapping[str, Any], path: str = "/mcp.json", **options: Any
    ) -> list[v1.ServerTools]:
        """A prompt's listing: the last word of each server."""
        answers = list(self.client.tools(self.caller(servers, path), **options))
        return [answer for answer in answers if answer.state != v1.ServerTools.STARTING]

    def call(self, servers: Mapping[str, Any], server: str, tool: str, **arguments: Any) -> str:
        request = make_call(self.caller(servers), server, tool, arguments)
        result = self.client.call(request, lambda _: None)
        return "\n".join(content.text for content in result.content)

    def servers(self) -> dict[str, v1.ServerStatus]:
        return {server.server: server for server in self.client.status().servers}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SOON)

    def close(self) -> None:
        self.client.close()
        end(self.process, 20)


@contextmanager
def running(home: Home) -> Iterator[Running]:
    daemon = Running(home)
    try:
        yield daemon
    finally:
        daemon.close()


def logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.iterdir()))
