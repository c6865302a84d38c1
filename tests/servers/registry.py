"""A registry of MCP on loopback, in a thread, by the documented API v0.1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 2  # servers, so that there are several


class Registry(ThreadingHTTPServer):
    """`servers` are ServerResponses; `files` by path: a file of this machine, or a url to be sent on to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.servers: list[dict[str, Any]] = []
        self.files: dict[str, str] = {}


@contextmanager
def serving() -> Iterator[Registry]:
    with Registry() as registry:
        thread = Thread(target=registry.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            registry.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        words = [unquote(word) for word in parts.path.split("/")[1:]]
        registry = self.server
        assert isinstance(registry, Registry)
        if words[:2] != ["v0.1", "servers"] or parts.path in registry.files:
            self.give_file(registry.files.get(parts.path))
        elif len(words) == 2:
            self.give_list(registry.servers, {key: one[0] for key, one in parse_qs(parts.query).items()})
        else:
            self.give_version(registry.servers, words[2], words[4])

    def give_list(self, servers: list[dict], query: dict[str, str]) -> None:
        found = [one for one in servers if query.get("search", "").lower() in one["server"]["name"].lower()]
        if query.get("version") == "latest":
            found = [one for one in found if is_latest(one)]
        start = int(query.get("cursor", "0"))
        size = min(PAGE, int(query.get("limit", "30")))
        metadata = {"count": len(found[start : start + size])}
        if start + size < len(found):
            metadata["nextCursor"] = str(start + size)
        self.give({"servers": found[start : start + size], "metadata": metadata})

    def give_version(self, servers: list[dict], name: str, version: str) -> None:
        for one in servers:
            server = one["server"]
            if server["name"] == name and (
                is_latest(one) if version == "latest" else server["version"] == version
            ):
                self.give(one)
                return
        self.give({"error": "Server not found"}, 404)

    def give_file(self, path: str | None) -> None:
        if path is None:
            self.give({"error": "Not found"}, 404)
        elif path.startswith("/"):
            self.answer(200, Path(path).read_bytes())
        else:
            self.send_response(302)
            self.send_header("Location", path)
            self.end_headers()

    def give(self, value: object, status: int = 200) -> None:
        self.answer(status, json.dumps(value).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def is_latest(response: dict) -> bool:
    official = response.get("_meta", {}).get("io.modelcontextprotocol.registry/official", {})
    return official.get("isLatest", True) is True
