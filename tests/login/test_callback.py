"""Where the browser comes back to: what else connects there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llm_tools_mcp.login import callback
from llm_tools_mcp.login.callback import HOST, PATH, Listener


def test_idle_connections_are_closed_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a browser opened in advance neither delays the end of a login nor leaves a traceback."""
    monkeypatch.setattr(callback, "_PAGE_SECONDS", 600.0)  # which would be waited for
    troubles: list[dict[str, Any]] = []

    async def body() -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: troubles.append(context))
        listener = Listener(PATH, lambda _: None)
        await listener.start(0)
        idle = [await asyncio.open_connection(HOST, listener.port) for _ in range(2)]
        idle[0][1].write(b"GET /callback")  # half a request is none
        redirect = asyncio.ensure_future(listener.redirect("right"))
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(HOST, listener.port)
        writer.write(f"GET {PATH}?state=right&code=c HTTP/1.1\r\n\r\n".encode())
        assert (await redirect).code == "c"
        await listener.finish("It is done.")
        for spare, other in idle:
            assert await spare.read() == b""
            other.close()
        page = (await reader.read()).decode()
        writer.close()
        return page

    assert "It is done." in asyncio.run(asyncio.wait_for(body(), 20))
    assert troubles == []
