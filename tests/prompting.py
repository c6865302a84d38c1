"""Prompts to llm-echo that call tools, and what came of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import llm
import llm.cli
from click.testing import CliRunner

from tests.home import Home
from tests.programs import Result

Call = tuple[str, dict[str, Any]]


def calling(*calls: Call) -> str:
    """A prompt that lets the echo model call these tools."""
    tool_calls = [{"name": name, "arguments": arguments} for name, arguments in calls]
    return json.dumps({"tool_calls": tool_calls, "prompt": "x"})


def prompt(home: Home, toolbox: str, *calls: Call, **options: Any) -> Result:
    """The real `llm`, with one toolbox and these calls."""
    return home.run_llm("-m", "echo", "-T", toolbox, calling(*calls), **options)


def outputs(result: Result | str) -> list[str]:
    """What the tools answered, as the model was told: the last turn that echo shows."""
    text = result if isinstance(result, str) else result.stdout
    found = [turn["tool_results"] for turn in _turns(text) if "tool_results" in turn]
    assert found, f"no tool results in:\n{result}"
    return [one["output"] for one in found[-1]]


def output(result: Result | str) -> str:
    (only,) = outputs(result)
    return only


def _turns(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in what llm printed."""
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        turn, end = decoder.raw_decode(text, start)
        yield turn
        start = text.find("{", end)


def invoke(*args: str, env: Mapping[str, str] | None = None) -> Result:
    """A command of llm in this process: for many small cases, since a real one takes 0.6 s to start."""
    began = time.monotonic()
    result = CliRunner().invoke(llm.cli.cli, args, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    seconds = time.monotonic() - began
    return Result(("llm", *args), result.exit_code, result.stdout, result.stderr, seconds)


def ask(toolbox: str, *calls: Call, env: Mapping[str, str] | None = None) -> Result:
    """As `prompt`, in this process; and nothing is logged."""
    return invoke("-m", "echo", "--no-log", "-T", toolbox, calling(*calls), env=env)


def all_tools_of(toolbox: llm.Toolbox) -> dict[str, llm.Tool]:
    return {str(tool.name): tool for tool in toolbox.tools()}


def tools_of(toolbox: llm.Toolbox) -> dict[str, llm.Tool]:
    """Those of servers."""
    found = all_tools_of(toolbox)
    return {name: tool for name, tool in found.items() if "[from MCP server: " in tool.description}


def results_of(toolbox: llm.Toolbox, *calls: Call) -> list[llm.ToolResult]:
    """Run a prompt of the echo model through llm's own chain, in this process."""
    chain = llm.get_model("echo").chain(calling(*calls), tools=[toolbox])
    chain.text()
    return list(chain._responses[-1].prompt.tool_results)


def result_of(toolbox: llm.Toolbox, name: str, **arguments: Any) -> llm.ToolResult:
    (only,) = results_of(toolbox, (name, arguments))
    return only
