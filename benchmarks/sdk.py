"""The MCP SDK's own session, held open in this process: what the daemon is measured against."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


@asynccontextmanager
async def sdk_session(argv: list[str]) -> AsyncIterator[Client]:
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:  # noqa: ASYNC230 - never waits
        async with Client(_quiet(argv, nowhere), cache=None) as client:
            yield client


def _quiet(argv: list[str], errlog: TextIO):
    return stdio_client(StdioServerParameters(command=argv[0], args=argv[1:]), errlog=errlog)


async def open_and_close(argv: list[str]) -> None:
    """What the start of a server costs."""
    async with sdk_session(argv):
        pass
