"""What has to work in an environment: prompts, a continued conversation, transports, a restart under load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.home import Home
from tests.programs import Result, end
from tests.prompting import calling, outputs
from tests.servers import entry, everything_server

THREADS, RESTARTS = 4, 2
LOAD = Path(__file__).with_name("load.py")


class Trial:
    """A home in which the commands of one environment run. The servers are this environment's own."""

    def __init__(self, home: Home, commands: Path) -> None:
        self.home = home
        self.bin = commands
        home.env["PATH"] = f"{commands}{os.pathsep}{home.env['PATH']}"
        home.env.pop("PYTHONPATH", None)

    def run(self, program: str, *args: str, **options: Any) -> Result:
        return self.home.run(self.bin / program, *args, **options)

    def prompt(self, *options: str, calls: list[tuple[str, dict[str, Any]]]) -> list[str]:
        """What the tools answered; nothing may stand on stderr."""
        done = self.run("llm", "-m", "echo", *options, calling(*calls))
        assert done.stderr == "", done
        return outputs(done)


def smoke(commands: Path) -> None:
    """Raises AssertionError."""
    with tempfile.TemporaryDirectory() as folder, served("http", "mcp") as web, served("sse", "sse") as sse:
        home = Home(Path(folder) / "home")
        trial = Trial(home, commands)
        home.write_config({"every": entry(everything_server()), "web": {"url": web}, "sse": {"url": sse}})
        try:
            prompts(trial)
            commands_of_the_shell(trial)
            restarts_under_load(trial)
        finally:
            home.close()


def prompts(trial: Trial) -> None:
    """All transports, synchronous and not, both protocol eras, and a conversation that goes on."""
    both = [("every_echo", {"text": "one"}), ("web_add", {"a": 2, "b": 3}), ("sse_echo", {"text": "two"})]
    for options in (["-T", "MCP"], ["-c"], ["--async", "-T", "MCP"], ["-T", 'MCP(mode="legacy")']):
        assert trial.prompt(*options, calls=both) == ["one", "5", "two"]
    modern = [("every_echo", {"text": "one"}), ("web_add", {"a": 2, "b": 3})]
    assert trial.prompt("-T", 'MCP(mode="modern", servers="every,web")', calls=modern) == ["one", "5"]
    failed = trial.prompt("-T", "MCP", calls=[("every_fail", {"message": "as it should"})])
    assert failed == ["Error: as it should"]


def commands_of_the_shell(trial: Trial) -> None:
    assert trial.run("llm-mcp", "call", "web", "echo", "text=hi").stdout == "hi\n"
    for server in ("every", "web"):
        assert len(trial.run("llm-mcp", "call", server, "big", "size=3000000").stdout) == 3_000_001
    status = json.loads(trial.run("llm-mcp", "status", "--json").stdout)
    assert {server["state"] for server in status["servers"]} == {"ready"}, status
    trial.run("llm", "mcp", "demo")


def restarts_under_load(trial: Trial) -> None:
    """No call of callers without a pause fails."""
    argv = [trial.bin / "python", LOAD, str(THREADS)]
    with subprocess.Popen(
        argv,
        env=trial.home.env,
        cwd=trial.home.work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as load:
        try:
            assert load.stdout
            assert load.stdout.readline() == "running\n"
            for _ in range(RESTARTS):
                trial.run("llm-mcp", "restart")
            outcome = json.loads(load.communicate("", timeout=90)[0])
        finally:
            load.kill()
    assert outcome["failures"] == [], outcome
    assert outcome["calls"] >= THREADS, outcome


@contextmanager
def served(kind: str, path: str) -> Iterator[str]:
    """The server's url."""
    argv = everything_server(f"--{kind}", "0")
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            word, _, port = server.stdout.readline().partition(" ")
            assert word == "PORT", argv
            yield f"http://127.0.0.1:{int(port)}/{path}"
        finally:
            end(server)


if __name__ == "__main__":
    smoke(Path(sys.argv[1]))
