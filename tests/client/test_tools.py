"""What is said of the servers whose tools are missing."""

from __future__ import annotations

import pytest

from llm_tools_mcp.client.tools import Failed
from llm_tools_mcp.config import Context, parse
from llm_tools_mcp.errors import ConfigError

CONTEXT = Context(cwd="/", environment={})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            '{"comand": "x"}',
            "Did you mean 'command' by 'comand'? Could not deduce MCP server type. …",
        ),
        (
            '{"command": "x", "env": {"SOME_TOKEN": "${NOT_SET}"}}',
            "key 'env.SOME_TOKEN': the environment variable NOT_SET is not set …",
        ),
        (
            '{"command": "x", "type": "Stdio"}',
            "Did you mean 'stdio'? key 'type': Unknown server 'type'. …",
        ),
        ('{"command": 7}', "key 'command': Input should be a valid string: put it into quotation marks"),
    ],
)
def test_short_reason_keeps_whole_sentences(entry: str, said: str) -> None:
    """Where many servers fail each has a line: what was probably meant stands first in it."""
    error = parse("/mcp.json", f'{{"mcpServers": {{"s": {entry}}}}}', CONTEXT).servers["s"]
    assert isinstance(error, ConfigError)
    short = Failed("s", error.reason_in_file, is_config=True).short_reason
    assert short == said


def test_short_reason_of_one_long_sentence_is_cut() -> None:
    """Within the line; what fits is left as it is."""
    assert Failed("s", "connection refused; it has ended").short_reason == "connection refused; it has ended"
    assert Failed("s", "word " * 40).short_reason == ("word " * 40)[:79] + "…"
