"""Tools through llm's own plugins of OpenAI, Anthropic and Gemini, to an endpoint that refuses as theirs."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import external
from tests.acceptable.provider_rules import ANTHROPIC, GEMINI, OPENAI, complaints
from tests.acceptable.test_schemas import ACCEPTABLE, REFUSED, tool
from tests.programs import run

FINE = "fine"
_MESSAGE = {"role": "assistant", "content": FINE}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_BEGUN = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "model": "x",
    "content": [],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ANSWERS: dict[str, Any] = {
    OPENAI: {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "x",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": _USAGE,
    },
    ANTHROPIC: "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
        for event in (
            {"type": "message_start", "message": _BEGUN},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": FINE}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_stop"},
        )
    ),
    GEMINI: [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": FINE}]}}], "modelVersion": "x"},
    ],
}


def sent_tools(provider: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What a request of this provider says of tools, in one form."""
    if provider == OPENAI:
        return [one["function"] for one in body["tools"]]
    if provider == ANTHROPIC:
        return [{**one, "parameters": one["input_schema"]} for one in body["tools"]]
    return [one for part in body["tools"] for one in part["functionDeclarations"]]


class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        provider = next(name for name in ANSWERS if f"/{name.lower()}" in self.path)
        tools = sent_tools(provider, body)
        wrong = [line for one in tools for line in complaints(one, provider)]
        if wrong or not tools:
            self._reply(
                400, {"error": {"message": f"refused: {wrong[:1]}", "code": 400, "status": "INVALID"}}
            )
        else:
            self._reply(200, ANSWERS[provider])

    def _reply(self, status: int, answer: Any) -> None:
        is_stream = isinstance(answer, str)
        content = (answer if is_stream else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def answers(url: str, *prompts: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What each provider says to prompts with these tools, through its plugin: one process, it is slow."""
    named = [
        [
            {"name": f"t{number}", "description": one["description"], "input_schema": one["parameters"]}
            for number, one in enumerate(tools)
        ]
        for tools in prompts
    ]
    try:
        python = external.providers()
    except external.Unavailable as why:
        pytest.skip(str(why))
    script = external.ROOT / "tests" / "acceptable" / "prompt_providers.py"
    result = run([str(python), str(script), url], input=json.dumps(named))
    found: list[dict[str, str]] = json.loads(result.stdout)
    return found


@pytest.mark.external
def test_no_provider_refuses_what_was_mended(url: str) -> None:
    """A prompt with all odd tools at once is answered by each; of those as they came each refuses some."""
    odd = {"type": "object", "properties": {"a": {"type": "array"}, "$": {}}}
    mended, as_it_came = answers(
        url, [tool(schema) for schema in [*ACCEPTABLE, *REFUSED]], [{**tool({}), "parameters": odd}]
    )
    assert mended == dict.fromkeys(ANSWERS, FINE)
    assert [provider for provider, said in as_it_came.items() if said == FINE] == []
