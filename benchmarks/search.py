"""How well and how fast tools are found, over lists and questions that are not part of this tree.

LLM_MCP_BENCH_DATA names a folder with tools-*.json.gz ({server: tools as listed}) and questions-*.jsonl
({"query": …, "expect": [[server, tool], …]}) of the same letter.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

from llm_tools_mcp.daemon.search.index import Entry, Index
from llm_tools_mcp.plugin.tools_on_demand import CALL, SEARCH
from llm_tools_mcp.text.token_estimate import tokens_of

from .measure import Series
from .table import Row, at_least, at_most

DATA = "LLM_MCP_BENCH_DATA"


def measure() -> list[Row]:
    folder = os.environ.get(DATA)
    files = sorted(Path(folder).glob("tools-*.json.gz")) if folder else []
    if not files:
        return [Row(f"search of tools: {DATA} names no folder with tools-*.json.gz", "skipped")]
    return [row for file in files for row in _rows(file)]


def _rows(file: Path) -> list[Row]:
    name = file.name.removeprefix("tools-").removesuffix(".json.gz")
    servers: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(file.read_bytes()))
    lines = file.with_name(f"questions-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    index = Index([_entry(server, tool) for server, tools in servers.items() for tool in tools])
    hits, seconds = 0, []
    for question in questions:
        began = time.perf_counter()
        found = index.search(question["query"], 5)
        seconds.append(time.perf_counter() - began)
        hits += any([one.server, one.tool] in question["expect"] for one in found)
    recall, median = hits / len(questions), Series(seconds).median
    what = (
        f"{len(questions)} questions over {sum(map(len, servers.values()))} tools of {len(servers)} servers"
    )
    tokens = tokens_of("", "", json.dumps([SEARCH, CALL]) + ", ".join(servers))
    return [
        at_least(f"search, recall@5: {what}", recall, 0.85, f"{recall:.3f}", "0.85"),
        at_most("search, median", median, 0.02, f"{median * 1000:.1f} ms", "20 ms"),
        at_most("tokens of `MCP(search=true)`", tokens, 1500, f"~{tokens}", "1,500"),
    ]


def _entry(server: str, tool: dict[str, Any]) -> Entry:
    schema = json.dumps(tool.get("inputSchema") or {})
    return Entry(server, tool["name"], tool.get("title") or "", tool.get("description") or "", schema)
