"""A daemon that does not run starts while llm loads."""

from __future__ import annotations

import sys

import pytest

from llm_tools_mcp.plugin import head_start
from tests.home import Home

LOAD = """
import sys
sys.argv = ["/usr/bin/llm", "-T", "MCP", "hi"]
import llm_tools_mcp.plugin
from llm_tools_mcp.plugin import head_start
_, is_ours = head_start._begun[0].wait()
print(is_ours, "openai" in sys.modules)
"""


def test_daemon_starts_before_llm_has_loaded(home: Home) -> None:
    """What was typed names the toolbox: the daemon is ready before llm has loaded what takes it long."""
    assert home.run(sys.executable, "-c", LOAD).stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["llm", "-T", "MCP", "hi"], True),
        (["/x/bin/llm", "chat", "--tool=MCP"], True),
        (["llm", "-TMCP", "hi"], True),
        (["llm", "--tool", 'MCP("/a/mcp.json")'], True),
        (["llm", "what is MCP?"], False),
        (["llm", "mcp", "status"], False),
        (["llm", "-T", "MCP_other"], False),
        (["llm", "logs", "-T", "MCP"], False),
        (["python", "-T", "MCP"], False),
        ([""], False),
    ],
)
def test_what_makes_it_start(monkeypatch: pytest.MonkeyPatch, words: list[str], *, begins: bool) -> None:
    """Commands of llm that name the toolbox, in each way that llm reads, and no others."""
    begun: list[object] = []
    monkeypatch.setattr(head_start, "_begun", begun)
    monkeypatch.setattr(head_start, "_start", object)
    head_start.begin(words)
    assert bool(begun) is begins
