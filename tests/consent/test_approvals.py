"""What is remembered of approvals: a file that is damaged lets nothing through, and says how to go on."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from llm_tools_mcp.consent.approvals import Approvals, ToolText
from llm_tools_mcp.consent.store import ConsentUnusable
from tests.home import Home, living_in
from tests.prompting import invoke

TOOL = {"digest": "d", "description": "", "schema": "", "since": 1.0}


@pytest.mark.parametrize(
    "entry",
    [
        *(1, [], "x", None, {}, {"server": "s"}, {"server": 1, "tools": {}}, {"server": "s", "tools": None}),
        *({"server": "s", "tools": tools} for tools in ([1], "x", {"t": 1}, {"t": {}}, {"t": []})),
        *({"server": "s", "tools": {"t": {**TOOL, "since": since}}} for since in ("x", None, 10**400, 1e300)),
        {"server": "s", "tools": {"t": {**TOOL, "digest": 1}}},
    ],
)
def test_damaged(home: Home, entry: Any) -> None:
    """Refused by all that read or change it, with what to type; which helps."""
    text = ToolText("t", "", "")
    with living_in(home):
        approvals = Approvals()
        approvals.approve("other", "srv", [text])
        path = approvals._store.path
        path.write_text(json.dumps({"version": 1, "agreed": {"key": entry}}))
        for use in (
            lambda: approvals.is_approved("key", text),
            lambda: approvals.former("key", text),
            lambda: approvals.approve("key", "srv", [text]),
            approvals.listed,
            lambda: approvals.forget([]),
        ):
            with pytest.raises(ConsentUnusable, match="is damaged"):
                use()
        for words in ([], ["--json"], ["--forget", "srv"], ["--forget-all"]):
            told = invoke("mcp", "approvals", *words)
            assert (told.code, "Traceback" in told.stderr) == (1, False)
        assert json.loads(path.read_text())["agreed"] == {"key": entry}
        subprocess.run(shlex.split(told.stderr.partition("to be asked anew: ")[2]), check=True)
        assert approvals.listed() == []
