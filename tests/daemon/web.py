"""An HTTP server by hand, in the test's loop: says what a test wants, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

TOOL = {"name": "echo", "description": "", "inputSchema": {"type": "object"}}


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        return json.loads(self.body) if self.body else {}

    @property
    def rpc(self) -> str:
        return str(self.message.get("method", ""))


@dataclass
class Answer:
    """`drop` closes the connection after `body`, of which more was announced."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop: bool = False
    hold: bool = False  # never answer; with a body, never end

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        return cls(status, {"content-type": "application/json", **headers}, json.dumps(value).encode())


Handler = Callable[[Request], Answer]


class Web:
    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.port = 0
        self.held = 0  # requests that are open and get no (whole) answer
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def url(self, path: str = "/mcp") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def sent(self, rpc: str) -> list[Request]:
        return [request for request in self.requests if request.rpc == rpc]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while request := await _read(reader):
                self.requests.append(request)
                answer = self.handler(request)
                if answer.hold:
                    if answer.body:
                        _write(writer, answer)
                    self.held += 1
                    try:
                        await reader.read()
                    finally:
                        self.held -= 1
                    return
                _write(writer, answer)
                await writer.drain()
                if answer.drop:
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    first = (await reader.readline()).decode().split()
    if not first:
        return None
    headers = {}
    while line := (await reader.readline()).strip().decode():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(first[0], first[1], headers, body)


def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    length = len(answer.body) + (1000 if answer.drop or answer.hold else 0)
    headers = {"content-length": str(length), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body)


def at(url: str, **keys: Any) -> dict[str, Any]:
    """The servers of a config with one server, `web`, behind this url."""
    return {"web": {"url": url, **keys}}


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Web]:
    web = Web(handler)
    await web.start()
    try:
        yield web
    finally:
        await web.stop()


class Legacy:
    """A correct stateful server of 2025-06-18. `faults` are tried first, by JSON-RPC method."""

    def __init__(self) -> None:
        self.session = 1
        self.faults: dict[str, Handler] = {}
        self.unknown_session = lambda: Answer(404)

    def __call__(self, request: Request) -> Answer:
        if request.method != "POST":
            return Answer(405)
        rpc = request.rpc
        known = request.headers.get("mcp-session-id") == str(self.session)
        if rpc not in ("initialize", "server/discover") and not known:
            return self.unknown_session()
        if rpc in self.faults:
            return self.faults[rpc](request)
        return self.answer(request)

    def answer(self, request: Request) -> Answer:
        results: dict[str, Any] = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "web", "version": "1"},
            },
            "tools/list": {"tools": [TOOL]},
            "tools/call": {"content": [{"type": "text", "text": "hi"}]},
            "ping": {},
        }
        if "id" not in request.message:
            return Answer(202)
        if request.rpc not in results:
            return reply(request, error={"code": -32601, "message": "Method not found"})
        return reply(request, result=results[request.rpc], **{"mcp-session-id": str(self.session)})


class Modern(Legacy):
    """A correct server of 2026-07-28; `tools` are what it lists."""

    def __init__(self) -> None:
        super().__init__()
        self.tools = [TOOL]

    def __call__(self, request: Request) -> Answer:
        if request.method != "POST":
            return Answer(405)
        return self.faults.get(request.rpc, self.answer)(request)

    def answer(self, request: Request) -> Answer:
        results: dict[str, Any] = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
            "tools/list": {"tools": self.tools},
            "tools/call": {"content": [{"type": "text", "text": "hi"}]},
        }
        if request.rpc not in results:
            return reply(request, 404, error={"code": -32601, "message": "Method not found"})
        whole = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        return reply(request, result={**results[request.rpc], **whole})


def events(*messages: Any, kind: str = "message", **answer: Any) -> Answer:
    """A stream of them; what is no text is written as JSON."""
    texts = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    body = "".join(f"event: {kind}\ndata: {text}\n\n" for text in texts)
    return Answer(200, {"content-type": "text/event-stream"}, body.encode(), **answer)


def reply(request: Request, status: int = 200, **parts: Any) -> Answer:
    headers = {name: parts.pop(name) for name in list(parts) if name.startswith("mcp-")}
    return Answer.json({"jsonrpc": "2.0", "id": request.message.get("id"), **parts}, status, **headers)
