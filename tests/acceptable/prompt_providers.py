"""Prompts through llm's own plugins, in an environment that has them: URL as argument, tools on stdin.

Stdin has a list of lists of tools; prints for each what each provider answered to a prompt with them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import httpx
import llm
from llm.default_plugins.openai_models import Chat
from llm_anthropic import ClaudeMessages


def _gemini(url: str) -> llm.Model:
    """Its address is written into the plugin: what it sends goes to ours instead."""
    stream: Callable[..., Any] = httpx.stream
    httpx.stream = lambda method, _, **options: stream(method, f"{url}/gemini", **options)
    return llm.get_model("gemini-2.5-flash")


def main() -> None:
    url = sys.argv[1]
    models = {
        "OpenAI": Chat("x", key="k", model_name="x", api_base=f"{url}/openai", supports_tools=True),
        "Anthropic": ClaudeMessages("claude-3-5-haiku-latest", base_url=f"{url}/anthropic"),
        "Gemini": _gemini(url),
    }
    print(json.dumps([_said(models, tools) for tools in json.load(sys.stdin)]))


def _said(models: dict[str, llm.Model], specs: list[dict[str, Any]]) -> dict[str, str]:
    tools = [llm.Tool(**spec, implementation=str) for spec in specs]
    said = {}
    for name, model in models.items():
        try:
            said[name] = model.prompt("hi", tools=tools, key="k", stream=name != "OpenAI").text()
        except Exception as error:  # noqa: BLE001 - the test reads it
            said[name] = f"{type(error).__name__}: {error}"
    return said


if __name__ == "__main__":
    main()
