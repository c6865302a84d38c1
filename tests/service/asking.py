"""What a prompt does, without llm: make sure of a daemon, ask it, print the answer as JSON. Run inside.

asking.py health                pid and supervisor of the daemon that answers
asking.py call TOOL ARGUMENTS   one call to the server "everything" of the default config; its text
asking.py load THREADS CALLS    calls in as many threads, each a client of its own, until stdin ends and there
                                were so many. Lines: "running" once each thread has an answer, "1000" after
                                every thousand calls, at the end {"calls": N, "failed": N, "failures": [...]}
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from llm_tools_mcp.client import activation
from llm_tools_mcp.client.caller import make_call, make_caller
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.config import read_config


def health() -> dict[str, Any]:
    with DaemonClient(activation.ensure_daemon()) as client:
        answer = client.health(15)
    return {"pid": answer.pid, "supervisor": answer.supervisor, "log": answer.log}


def call(tool: str, arguments: str) -> str:
    with DaemonClient(activation.ensure_daemon()) as client:
        return _text(client, tool, json.loads(arguments))


def _text(client: DaemonClient, tool: str, arguments: dict[str, Any]) -> str:
    request = make_call(make_caller(read_config(None)), "everything", tool, arguments)
    return "\n".join(part.text for part in client.call(request, lambda _event: None).content)


class Load:
    def __init__(self, threads: int, at_least: int) -> None:
        self.at_least = at_least
        self.ending = threading.Event()
        self.answered = threading.Barrier(threads + 1)
        self.calls = 0
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]

    def _run(self, number: int) -> None:
        done, socket = 0, activation.ensure_daemon()
        with DaemonClient(socket) as client:
            while not self.ending.is_set() or self.calls < self.at_least:
                self._call(client, f"{number} {done}")
                done += 1
                if done == 1:
                    self.answered.wait()

    def _call(self, client: DaemonClient, text: str) -> None:
        try:
            answer = _text(client, "echo", {"text": text})
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            answer = repr(error)
        with self._lock:
            self.calls += 1
            if self.calls % 1000 == 0:
                print(1000, flush=True)
            if answer != text:
                self.failures.append(answer)

    def run(self) -> dict[str, Any]:
        for thread in self.threads:
            thread.start()
        self.answered.wait()
        print("running", flush=True)
        sys.stdin.read()
        self.ending.set()
        for thread in self.threads:
            thread.join()
        return {"calls": self.calls, "failures": self.failures[:20], "failed": len(self.failures)}


def main(what: str, *arguments: str) -> object:
    if what == "health":
        return health()
    if what == "call":
        return call(*arguments)
    return Load(int(arguments[0]), int(arguments[1])).run()


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
