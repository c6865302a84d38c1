"""A stdio MCP server without an SDK: what it costs itself hardly counts in a measurement.

bare_server.py [TOOLS]   `echo` returns `text`, `blob` returns `size` bytes of text; the other tools are
there to be listed. Speaks the era of `initialize`, as most servers do today.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "Where to look, relative to the folder of the project"},
        "limit": {"type": "integer", "minimum": 1, "description": "How many to return at most"},
        "deep": {"type": "boolean", "default": False},
    },
    "required": ["path"],
    "additionalProperties": False,
}


def _tools(count: int) -> list[dict[str, Any]]:
    names = ["echo", "blob", *(f"tool_{number}" for number in range(2, count))][:count]
    about = "Looks through the files of a folder and returns what it finds, newest first."
    return [{"name": name, "description": about, "inputSchema": _SCHEMA} for name in names]


def _call(params: dict[str, Any]) -> dict[str, Any]:
    arguments = params.get("arguments") or {}
    text = "x" * int(arguments["size"]) if params["name"] == "blob" else str(arguments.get("text", ""))
    return {"content": [{"type": "text", "text": text}]}


def _answer(method: str, params: dict[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "bare", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": tools}
    if method == "tools/call":
        return _call(params)
    return {} if method == "ping" else None


def main() -> None:
    tools = _tools(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = _answer(request["method"], request.get("params") or {}, tools)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if result is None:
            answer["error"] = {"code": -32601, "message": "method not found"}
        else:
            answer["result"] = result
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
