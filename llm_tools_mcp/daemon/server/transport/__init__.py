"""Ways to reach a server: stdio, streamable http, sse. Each yields the SDK's pair of message streams.

A transport is an async context manager, entered and left by one task (anyio demands it).
"""

from __future__ import annotations

import asyncio
import importlib
from contextlib import AbstractAsyncContextManager

from llm_tools_mcp.config import ServerDefinition, Transport
from llm_tools_mcp.daemon.server.tokens import Renewals

from .link import Link, Streams, Verdict
from .stdio import open_stdio

__all__ = ["Link", "Verdict", "load_transport", "open_transport"]


async def load_transport(definition: ServerDefinition) -> None:
    """Before it is opened, and in a thread: httpx takes 0.13 s, in which nobody else would have a turn."""
    if definition.transport is not Transport.STDIO:
        name = "sse" if definition.transport is Transport.SSE else "http"
        await asyncio.to_thread(importlib.import_module, f"{__name__}.{name}")


def open_transport(
    definition: ServerDefinition, link: Link, owner: str, renewals: Renewals
) -> AbstractAsyncContextManager[Streams]:
    """The transport that the definition asks for. `owner` marks the processes of this daemon."""
    if definition.transport is Transport.STDIO:
        return open_stdio(definition, link, owner)
    if definition.transport is Transport.SSE:
        from .sse import open_sse  # loaded by now

        return open_sse(definition, link, renewals)
    from .http import open_http

    return open_http(definition, link, renewals)
