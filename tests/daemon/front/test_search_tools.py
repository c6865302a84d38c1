"""What is searched: the tools that a config offers, of lists that are known."""

from __future__ import annotations

import json

from llm_tools_mcp import config, v1
from llm_tools_mcp.daemon.front.search_tools import ToolSearch
from tests.daemon.live import Live, with_live
from tests.servers import entry, faulty_server


@with_live
async def test_what_is_found_follows_the_filters_of_a_config(live: Live) -> None:
    """Of the same list, for two configs that differ in what they leave out."""
    server = live.faulty("fine", name="x")
    live.cache.put(server.cache_key, [v1.Tool(name="read_file"), v1.Tool(name="read_mail")], is_legacy=True)
    search = ToolSearch(live.pool)

    async def found(**filters: list[str]) -> list[str]:
        servers = {"mcpServers": {"x": entry(faulty_server("fine")) | filters}}
        parsed = config.parse("mcp.json", json.dumps(servers), context)
        answer = await search.answer(parsed, v1.SearchToolsRequest(query="read"))
        return sorted(one.tool for one in answer.found)

    context = config.Context(server.cwd, dict(server.env), 0o022)
    assert await found(excludeTools=["read_mail"]) == ["read_file"]
    assert await found() == ["read_file", "read_mail"]
    assert await found(includeTools=["read_mail"]) == ["read_mail"]
