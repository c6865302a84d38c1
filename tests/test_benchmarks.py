"""The measurements look into the program: here they are tried, without a clock."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from benchmarks import search
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


def test_search_is_measured_where_there_are_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each pair of files: what is found, how fast, and what the model is sent instead of all tools."""
    tools = {"files": [{"name": "read_file", "description": "Read a file"}]}
    (tmp_path / "tools-x.json.gz").write_bytes(gzip.compress(json.dumps(tools).encode()))
    question = {"query": "read a file", "expect": [["files", "read_file"]]}
    (tmp_path / "questions-x.jsonl").write_text(json.dumps(question))
    monkeypatch.setenv(search.DATA, str(tmp_path))
    recall, _, tokens = search.measure()
    assert recall.measured == "1.000"
    assert tokens.is_reached
