"""One prompt, run as `llm` runs it, with a stamp after each stage. Prints [[stage, time], …] at the end."""

from __future__ import annotations

import time

stamps: list[tuple[str, float]] = [("Python's start", time.time())]


def stamp(stage: str) -> None:
    stamps.append((stage, time.time()))


import json  # noqa: E402 - stamps stand between the imports
import sys  # noqa: E402

sys.argv = ["llm", "-m", "echo", "-T", "MCP", sys.argv[1]]  # before the plugin looks at it

import llm.cli  # noqa: E402 - which loads the plugins

stamp("import llm and its plugins")

from llm_tools_mcp.plugin import sources  # noqa: E402


def main() -> None:
    _watch_listing()
    try:
        llm.cli.cli(standalone_mode=False)
    finally:
        stamp("llm: the answer, logging to its database")
        print(json.dumps(stamps))


def _watch_listing() -> None:
    """The stages of a prompt are told apart by the first use of each step."""
    original = sources.source_of

    def source(*args):
        stamp("llm: arguments, model, database")
        found = original(*args)
        stamp("config read")
        from llm_tools_mcp.client import daemon, early_start

        stamp("import grpc, protobuf and our client")
        _watch_start(early_start.EarlyStart)
        _watch(daemon.Daemon)
        return found

    sources.source_of = source


def _watch_start(early_start) -> None:
    """It has begun while llm was loaded."""
    wait = early_start.wait

    def waited(self):
        found = wait(self)
        stamp("waited for the daemon: its start, until READY")
        return found

    early_start.wait = waited


def _watch(daemon) -> None:
    list_tools, call = daemon.list_tools, daemon.call

    def listed(self, *args, **options):
        listing = list_tools(self, *args, **options)
        stamp("GetAllTools, with the first connection; names")
        return listing

    def called(self, *args, **options):
        stamp("llm: tools, the model's turn")
        result = call(self, *args, **options)
        stamp("CallTool")
        return result

    daemon.list_tools, daemon.call = listed, called


if __name__ == "__main__":
    main()
