"""The measurements look into the program: here they are tried, without a clock."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.home import Home
from tests.servers import entry, faulty_server

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "one_prompt.py"


def test_stages_of_a_prompt_are_told_apart(home: Home) -> None:
    """Each stage is stamped once, in order, from Python's start to the answer."""
    home.write_config({"fine": entry(faulty_server("fine"))})
    prompt = json.dumps({"tool_calls": [{"name": "echo", "arguments": {"text": "hi"}}], "prompt": "x"})
    done = home.run(sys.executable, SCRIPT, prompt, env={"LLM_LOAD_PLUGINS": "llm-echo,llm-tools-mcp"})
    stages = [stage for stage, _ in json.loads(done.stdout.splitlines()[-1])]
    assert [stages[0], stages[-2], stages[-1]] == [
        "Python's start",
        "CallTool",
        "llm: the answer, logging to its database",
    ]
    assert len(stages) == len(set(stages)) == 10
