"""A stdio server whose tools have the given names; each answers with its own name.

python naming.py --tools a,b,c     any characters but commas, any length, also the same name twice
The low-level server: the high-level one refuses duplicates.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

if TYPE_CHECKING:
    from mcp_types import CallToolRequestParams


def make_server(names: list[str]) -> Server:
    async def list_tools(_ctx: Any, _params: Any) -> ListToolsResult:
        schema = {"type": "object", "properties": {}}
        return ListToolsResult(
            tools=[Tool(name=name, description=f"the tool {name}", input_schema=schema) for name in names]
        )

    async def call_tool(_ctx: Any, params: CallToolRequestParams) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=params.name)])

    return Server("naming", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve(server: Server) -> None:
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools", required=True, type=lambda text: text.split(","))
    asyncio.run(serve(make_server(parser.parse_args().tools)))


if __name__ == "__main__":
    main()
