"""Real MCP servers for the tests, and how a config names them.

everything.py  built on the SDK: every kind of result, over stdio, streamable http and sse
naming.py      tools with given names
scripted.py    tools and results as a JSON file has them
over_http.py   puts everything.py behind a port
asking.py      asks a person, in either era, by hand
library.py     resources and prompts of every odd kind, by hand
registry.py    a registry of MCP
faulty.py      what servers do wrong; a legacy server by hand on real pipes
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def everything_server(*args: str) -> list[str]:
    return _argv("everything", *args)


def naming_server(*names: str) -> list[str]:
    """A stdio server with tools of these names (no commas in them)."""
    return _argv("naming", "--tools", ",".join(names))


def scripted_server(file: Path, *tools: dict[str, Any], **script: Any) -> list[str]:
    """A stdio server with these tools, as in tools/list; `script` and what is told are written to `file`."""
    named = [{"inputSchema": {"type": "object", "properties": {}}, **tool} for tool in tools]
    file.write_text(json.dumps({"tools": named, **script}))
    return _argv("scripted", str(file))


def faulty_server(mode: str, *args: str) -> list[str]:
    return _argv("faulty", mode, *args)


def asking_server(era: str = "legacy") -> list[str]:
    return _argv("asking", era)


def library_server(*options: str) -> list[str]:
    """`--silent`: says nothing when a list changes; `--ttl MS`; `--instructions TEXT`."""
    return _argv("library", *options)


def entry(argv: list[str], **keys: Any) -> dict[str, Any]:
    """The entry of a stdio server in mcp.json; `keys` are more of its keys: `env`, `cwd`, `timeout`, …"""
    return {"command": argv[0], "args": argv[1:], **keys}


def _argv(name: str, *args: str) -> list[str]:
    return [sys.executable, str(FOLDER / f"{name}.py"), *args]
