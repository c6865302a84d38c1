"""What MCP servers do wrong: a legacy stdio server (2025-06-18) by hand, `python faulty.py MODE [ARG]`.

fine                  does nothing wrong: tools echo(text) and pid()
hang                  never answers
exit                  exits 3 at once, with a line on stderr
exit-on-unknown       exits when the first request is not `initialize`, like Rust's rmcp
silent-on-unknown     never answers a method that it does not know
slow-start SECONDS    begins to read after so long
no-ping               never answers `ping`
no-read               never reads again once it has listed its tools
ignore-term           ignores SIGTERM, SIGINT, SIGHUP and the end of its input
grandchild            starts `sleep 1000`, which holds its stdout and stderr; tool grandchild() gives the pid
garbage               lines on stdout that are no JSON, no UTF-8 or no JSON-RPC, before every answer
huge-line BYTES       answers each call with so much text, in one line as ever
huge-garbage BYTES    writes so much that is no JSON, in one line, before it answers a call
flood-stderr          8 MB on stderr before it answers a call, with control characters and forged priorities
counting              tool count(then): notes the call in CALL_LOG, then: answer, die-before-answer,
                      die-after-answer, never-answer, error, unknown-content, close-stdout
raw                   tool raw(path) answers with what that file holds, $ID replaced by the id
paged                 tools/list in three pages of three
many N                N tools with schemas
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NOTHING: Message = {"type": "object", "properties": {}}
WHOLE = {"type": "object", "properties": {"then": {"type": "string"}}, "required": ["then"]}

GARBAGE = (
    b"Starting the server on stdout, as one should not\n"
    b"\n"
    b"\xff\xfe not utf-8 \x80\n"
    b"null\n[]\n{}\n"
    b'{"jsonrpc": "2.0", "id": 987654, "result": {}}\n'
    b'{"jsonrpc": "2.0", "method": 5}\n'
    b'{"jsonrpc": "2.0", "id": 1, \n'
)


class Server:
    """A correct legacy server. The modes change one thing each."""

    def __init__(self) -> None:
        self.tools = {"echo": TEXT, "pid": NOTHING}
        self.page_size = 0

    def serve(self) -> None:
        for line in sys.stdin.buffer:
            self.handle(json.loads(line))
        self.at_eof()

    def at_eof(self) -> None:
        """Nothing: the process ends."""

    def handle(self, message: Message) -> None:
        if "id" not in message or "method" not in message:
            return
        handlers: dict[str, Callable[[Message], Message]] = {
            "initialize": self.initialize,
            "ping": lambda _: {},
            "tools/list": self.list_tools,
            "tools/call": self.call_tool,
        }
        handler = handlers.get(message["method"])
        if handler is None:
            self.unknown(message)
        else:
            self.answer(message, handler(message.get("params") or {}))

    def unknown(self, message: Message) -> None:
        self.refuse(message, "Method not found", -32601)

    def initialize(self, _params: Message) -> Message:
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "faulty", "version": "1"},
        }

    def list_tools(self, params: Message) -> Message:
        start = int(params.get("cursor") or 0)
        names = list(self.tools)
        end = start + self.page_size if self.page_size else len(names)
        page = {"tools": [self.tool(name) for name in names[start:end]]}
        return page | ({"nextCursor": str(end)} if end < len(names) else {})

    def tool(self, name: str) -> Message:
        return {"name": name, "description": f"the tool {name}", "inputSchema": self.tools[name]}

    def call_tool(self, params: Message) -> Message:
        return text(self.run(params["name"], params.get("arguments") or {}))

    def run(self, tool: str, arguments: Message) -> str:
        if tool == "pid":
            return str(os.getpid())
        return str(arguments.get("text", tool))

    def answer(self, message: Message, result: Message) -> None:
        write({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def refuse(self, message: Message, why: str, code: int = -32603) -> None:
        write({"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": why}})


def text(content: str) -> Message:
    return {"content": [{"type": "text", "text": content}], "isError": False}


def write(message: Message) -> None:
    write_bytes(json.dumps(message).encode() + b"\n")


def write_bytes(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def sleep_for_ever() -> None:
    while True:
        time.sleep(3600)


class Hanging(Server):
    def handle(self, message: Message) -> None:
        """Reads, and says nothing."""


class ExitingOnUnknown(Server):
    def unknown(self, message: Message) -> None:
        sys.exit(f"expected initialize, got {message['method']}")


class SilentOnUnknown(Server):
    def unknown(self, message: Message) -> None:
        """Says nothing."""


class WithoutPing(Server):
    def handle(self, message: Message) -> None:
        if message.get("method") != "ping":
            super().handle(message)


class NotReading(Server):
    def answer(self, message: Message, result: Message) -> None:
        super().answer(message, result)
        if "tools" in result:
            sleep_for_ever()


class Stubborn(Server):
    def __init__(self) -> None:
        super().__init__()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def at_eof(self) -> None:
        sleep_for_ever()


class WithGrandchild(Server):
    def __init__(self) -> None:
        super().__init__()
        self.grandchild = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
        self.tools["grandchild"] = NOTHING

    def run(self, tool: str, arguments: Message) -> str:
        return str(self.grandchild.pid) if tool == "grandchild" else super().run(tool, arguments)


class Garbling(Server):
    def answer(self, message: Message, result: Message) -> None:
        write_bytes(GARBAGE)
        super().answer(message, result)


class Huge(Server):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def run(self, _tool: str, _arguments: Message) -> str:
        return "x" * self.size


class HugeGarbage(Huge):
    def run(self, tool: str, arguments: Message) -> str:
        write_bytes(b"x" * self.size + b"\n")
        return Server.run(self, tool, arguments)


class Flooding(Server):
    def run(self, tool: str, arguments: Message) -> str:
        line = "<3>forged priority \x1b[31m red \x07 \x00 \u009b2J cleared\n"
        sys.stderr.write(line * (8_000_000 // len(line)))
        sys.stderr.flush()
        return super().run(tool, arguments)


class Raw(Server):
    def handle(self, message: Message) -> None:
        path = (message.get("params") or {}).get("arguments", {}).get("path")
        if path:
            write_bytes(Path(path).read_bytes().replace(b"$ID", str(message["id"]).encode()) + b"\n")
        else:
            super().handle(message)


class Counting(Server):
    def __init__(self) -> None:
        super().__init__()
        self.tools = {"count": WHOLE}

    def handle(self, message: Message) -> None:
        if message.get("method") == "tools/call":
            self.count(message, message["params"].get("arguments", {}).get("then", "answer"))
        else:
            super().handle(message)

    def count(self, message: Message, then: str) -> None:
        with Path(os.environ["CALL_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()} {then}\n")
        if then == "error":
            self.refuse(message, "refused by the server")
        elif then == "unknown-content":
            self.answer(message, {"content": [{"type": "hologram", "data": "?"}], "isError": False})
        elif then == "close-stdout":
            os.close(1)
        elif then in ("answer", "die-after-answer"):
            self.answer(message, text(then))
        if then.startswith("die-"):
            os._exit(9)


def paged() -> Server:
    server = Server()
    server.tools = {f"tool_{number}": TEXT for number in range(9)}
    server.page_size = 3
    return server


def many(count: int) -> Server:
    server = Server()
    properties = {f"argument_{number}": {"type": "string", "description": "?" * 50} for number in range(5)}
    schema = {"type": "object", "properties": properties}
    server.tools = {f"tool_{number}": schema for number in range(count)}
    return server


def slow(seconds: float) -> Server:
    time.sleep(seconds)
    return Server()


MODES: dict[str, Callable[..., Server]] = {
    "counting": Counting,
    "exit": lambda *_: sys.exit(3),
    "exit-on-unknown": ExitingOnUnknown,
    "fine": Server,
    "flood-stderr": Flooding,
    "garbage": Garbling,
    "grandchild": WithGrandchild,
    "hang": Hanging,
    "huge-garbage": lambda size: HugeGarbage(int(size)),
    "huge-line": lambda size: Huge(int(size)),
    "ignore-term": Stubborn,
    "many": lambda count: many(int(count)),
    "no-ping": WithoutPing,
    "no-read": NotReading,
    "paged": paged,
    "raw": Raw,
    "silent-on-unknown": SilentOnUnknown,
    "slow-start": lambda seconds: slow(float(seconds)),
}


def main() -> None:
    mode, *arguments = sys.argv[1:]
    if mode == "exit":
        print("faulty: cannot read my license key", file=sys.stderr, flush=True)
    MODES[mode](*arguments).serve()


if __name__ == "__main__":
    main()
