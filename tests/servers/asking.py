"""A stdio server that asks, by hand and in either era: `python asking.py [legacy|modern]`.

Tool ask(steps): does them one after the other, each call in a thread of its own, and returns as JSON what was
answered. Steps, each an object:
{"ask": PARAMS}        elicitation/create, and waits for the answer
{"ask": PARAMS, "id": ID, "wait": false}   does not wait
{"withdraw": ID}       takes a question back
{"touch": PATH}        makes the file
{"await": PATH}        waits for the file
{"return": TEXT}       answers the call, and goes on
Tool locked(): refused until a page was visited, as since 2025-11-25 (-32042); the second time it answers.
In the modern era each step is a round: {"inputs": {KEY: PARAMS}, "state": any JSON}; either may be missing.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

Message = dict[str, Any]

TOOLS = [
    {
        "name": "ask",
        "description": "Asks.",
        "inputSchema": {"type": "object", "properties": {"steps": {"type": "array", "items": {}}}},
    },
    {"name": "locked", "description": "Needs a visit.", "inputSchema": {"type": "object", "properties": {}}},
]
PAGES = [{"mode": "url", "message": "Log in.", "url": "https://example.org/in", "elicitationId": "1"}]


def write(message: Message) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def text(content: str) -> Message:
    return {"content": [{"type": "text", "text": content}], "isError": False}


class Legacy:
    def __init__(self) -> None:
        self.answers: dict[str, Message] = {}
        self.answered = threading.Condition()
        self.names = itertools.count()
        self.refusals = [{"code": -32042, "message": "log in first", "data": {"elicitations": PAGES}}]

    def serve(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "method" not in message:
                with self.answered:
                    self.answers[message["id"]] = message.get("result") or {"error": message["error"]}
                    self.answered.notify_all()
            elif "id" in message:
                self.handle(message, message.get("params") or {})

    def handle(self, message: Message, params: Message) -> None:
        if message["method"] == "initialize":
            info = {"name": "asking", "version": "1"}
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
            write({"id": message["id"], "result": result})
        elif message["method"] == "tools/list":
            write({"id": message["id"], "result": {"tools": TOOLS}})
        elif message["method"] == "tools/call" and params["name"] == "locked" and self.refusals:
            write({"id": message["id"], "error": self.refusals.pop()})
        elif message["method"] == "tools/call":
            threading.Thread(target=self.call, args=(message["id"], params), daemon=True).start()
        else:
            write({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})

    def call(self, call_id: int, params: Message) -> None:
        found: list[Message] = []
        for step in (params.get("arguments") or {}).get("steps", []):
            self.do(step, call_id, found)
        write({"id": call_id, "result": text(json.dumps(found))})

    def do(self, step: Message, call_id: int, found: list[Message]) -> None:
        if "ask" in step:
            question = step.get("id") or f"q{next(self.names)}"
            write({"id": question, "method": "elicitation/create", "params": step["ask"]})
            if step.get("wait", True):
                found.append(self.answer_to(question))
        elif "withdraw" in step:
            params = {"requestId": step["withdraw"]}
            write({"method": "notifications/cancelled", "params": params})
        elif "touch" in step:
            Path(step["touch"]).touch()
        elif "await" in step:
            while not Path(step["await"]).exists():
                time.sleep(0.01)
        elif "return" in step:
            write({"id": call_id, "result": text(step["return"])})

    def answer_to(self, question: str) -> Message:
        with self.answered:
            self.answered.wait_for(lambda: question in self.answers)
            return self.answers[question]


class Modern(Legacy):
    def handle(self, message: Message, params: Message) -> None:
        if message["method"] == "server/discover":
            result = {
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "asking", "version": "1"},
            }
            write({"id": message["id"], "result": self.whole(result)})
        elif message["method"] == "tools/list":
            write({"id": message["id"], "result": self.whole({"tools": TOOLS})})
        elif message["method"] == "tools/call":
            write({"id": message["id"], "result": self.round(message, params)})
        else:
            super().handle(message, params)

    def whole(self, result: Message) -> Message:
        return {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **result}

    def round(self, message: Message, params: Message) -> Message:
        """The state of a call is kept here, by its arguments; what comes back is noted with the call's id."""
        steps = params["arguments"]["steps"]
        key = json.dumps(steps)
        heard = self.answers.setdefault(key, {"rounds": []})["rounds"]
        heard.append({name: params[name] for name in ("inputResponses", "requestState") if name in params})
        heard[-1]["id"] = message["id"]
        if len(heard) > len(steps):
            return self.whole(text(json.dumps(heard)))
        step = steps[len(heard) - 1]
        result: Message = {"resultType": "input_required"}
        if "inputs" in step:
            result["inputRequests"] = {
                name: {"method": "elicitation/create", "params": asked}
                for name, asked in step["inputs"].items()
            }
        if "state" in step:
            result["requestState"] = step["state"]
        return result


if __name__ == "__main__":
    (Modern if "modern" in sys.argv else Legacy)().serve()
