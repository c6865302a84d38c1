"""A walk through every command, in one home with real servers, as somebody would type them."""

from __future__ import annotations

import json
import re

import click

from llm_tools_mcp.cli import group
from tests.home import Home
from tests.servers import everything_server, library_server

EVERYTHING, LIBRARY = " ".join(everything_server()), " ".join(library_server())
OTHERS = {"mcpServers": {"theirs": {"command": everything_server()[0], "args": everything_server()[1:]}}}

# What is typed, the exit status, and what is seen of the answer (a regular expression).
WALK = (
    ("demo", 0, "others.json"),
    (f"add every -- {EVERYTHING}", 0, r"added 'every'.*\n.*offers \d+ tools"),
    ('add-json off {"command":"true","disabled":true}', 0, "added 'off'"),
    ("get every", 0, "command: "),
    ("search zebra --registry http://127.0.0.1:9", 1, "cannot be reached"),
    ("import others.json --dry-run", 0, r"theirs\s+add\s"),
    ("import others.json --yes", 0, "added 1 server"),
    ("disable theirs", 0, "disabled 'theirs'"),
    ("enable theirs", 0, "enabled 'theirs'"),
    ("remove theirs", 0, "removed 'theirs'"),
    (f"add shelf --no-check -- {LIBRARY}", 0, "added 'shelf'"),
    ("set shelf timeout=50", 0, "changed 'shelf' .*: timeout"),
    ("rename shelf library", 0, "renamed 'shelf' to 'library'"),
    ("edit", 0, "mcp.json is fine"),
    ("resources library", 0, "book://shelf/0 "),
    ("read library book://shelf/1", 0, "^book 1$"),
    ("prompts library", 0, "  plain  "),
    ("prompt library plain", 0, r"^costs \$5"),
    ("approvals", 0, "no tool is allowed for good"),
    ("trust", 1, "there is no .mcp.json"),
    ("untrust", 1, "there is no .mcp.json"),
    ("login --status", 0, "no logins"),
    ("logout library", 1, "nobody is logged in to 'library'"),
    ("help call", 0, "KEY=VALUE"),
    ("list", 0, r"every\s+stdio\s+ready"),
    ("tools every", 0, "  echo  "),
    ("tools every add", 0, "llm mcp call every add"),
    ("call every add a=2 b=3", 0, r"^5$"),
    ("call every add a=2", 2, "b=… is missing"),
    ("call every fail message=no", 1, "no"),
    ("status", 0, r"every\s+ready\s+\d"),
    ("metrics", 0, r'llm_mcp_server_calls_total\{server="every"'),
    ("health", 0, "pid"),
    ("logs", 0, "connected to every"),
    ("doctor", 0, "✓"),
    ("restart every", 0, "ended 'every'"),
    ("forget every", 0, "forgotten: 'every'"),
    ("service status", 3, "no service is installed"),
    ("completion bash", 0, "complete "),
    ("daemon", 1, "already running"),
    ("restart", 0, "restarted"),
    ("stop", 0, "stopped"),
    ("status", 3, "not running"),
    ("start", 0, "started"),
)


def test_walk_through_every_command(home: Home) -> None:
    """Each does what its help says, one after the other, and none is left out."""
    (home.work / "others.json").write_text(json.dumps(OTHERS))
    for typed, code, seen in WALK:
        done = home.run_cli(*typed.split(" "), check=False, input="", env={"EDITOR": "true"})
        answer = done.stdout + done.stderr
        assert done.code == code, (typed, answer)
        assert re.search(seen, answer, re.MULTILINE), (typed, answer)
    assert {typed.split(" ")[0] for typed, *_ in WALK} == set(group.list_commands(click.Context(group)))
