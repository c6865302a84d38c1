"""What the MCP SDK does not promise, or has in some releases only, and what serves instead.

Only `sdk` imports this. `make compat` tries it with each minor release.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import mcp_types
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import httpx2
    from mcp.client.session import ClientSession
    from mcp.shared.dispatcher import CallOptions, ProgressFnT

    Send = Callable[[str, Mapping[str, Any] | None, CallOptions], Awaitable[dict[str, Any]]]


# --- the handshake ----------------------------------------------------------------------------------


async def _discover_or_initialize(session: ClientSession) -> None:
    try:
        await session.discover()
    except MCPError:
        await session.initialize()


try:
    from mcp.client._probe import negotiate_auto as _negotiate
except ImportError:
    _negotiate = _discover_or_initialize


async def negotiate_auto(session: ClientSession) -> None:
    """The newer handshake, or the older one where the server does not know it. Raises MCPError."""
    await _negotiate(session)


# --- requests ---------------------------------------------------------------------------------------


async def send_raw(
    session: ClientSession, method: str, params: dict[str, Any], on_progress: ProgressFnT | None = None
) -> dict[str, Any]:
    """The result of a request as it came. Raises MCPError.

    ClientSession.send_request refuses a result that holds one thing which the negotiated version does not
    know, and all of it is lost. This is what the SDK's own `listen` does.
    """
    parts = _raw_parts(session)
    if parts is None:
        return await _send_checked(session, method, params, on_progress)
    stamp, send = parts
    data: dict[str, Any] = {"method": method, "params": params}
    options: CallOptions = {}
    stamp(data, options)
    if on_progress is not None:
        options["on_progress"] = on_progress
    return await send(method, data["params"], options)


def _raw_parts(session: ClientSession) -> tuple[Callable[[dict[str, Any], CallOptions], None], Send] | None:
    stamp = getattr(session, "_stamp", None)
    send = getattr(getattr(session, "_dispatcher", None), "send_raw_request", None)
    return (stamp, send) if stamp is not None and send is not None else None


class _AnyResult(BaseModel):
    model_config = ConfigDict(extra="allow")


async def _send_checked(
    session: ClientSession, method: str, params: dict[str, Any], on_progress: ProgressFnT | None
) -> dict[str, Any]:
    """By the public way, which checks the result against the negotiated version."""
    request = mcp_types.Request[dict[str, Any], str](method=method, params=params)
    result = await session.send_request(request, _AnyResult, progress_callback=on_progress)
    return result.model_dump()


# --- http -------------------------------------------------------------------------------------------


def streamable_http_client(
    url: str, *, http_client: httpx2.AsyncClient, max_event_size: int
) -> AbstractAsyncContextManager[Any]:
    """The SDK's transport. Releases before 2.3 take no bound for events, and have one of 1 MiB."""
    from mcp.client import streamable_http

    connect: Callable[..., AbstractAsyncContextManager[Any]] = streamable_http.streamable_http_client
    if _accepts(connect, "max_sse_event_size"):
        return connect(url, http_client=http_client, max_sse_event_size=max_event_size)
    import httpx2

    events: Callable[..., Any] = httpx2.EventSource
    vars(streamable_http)["EventSource"] = partial(events, **_bound(events, max_event_size))
    return connect(url, http_client=http_client)


def sse_within_origin(
    client: httpx2.AsyncClient, url: str, *, max_event_size: int
) -> AbstractAsyncContextManager[httpx2.EventSource]:
    """Redirects are followed within the origin; with releases before 2.2 none is."""
    follow: Callable[..., AbstractAsyncContextManager[httpx2.EventSource]] | None
    follow = _of_http("sse_within_origin")
    if follow is not None:
        return follow(client, url, max_event_size=max_event_size)
    connect: Callable[..., AbstractAsyncContextManager[httpx2.EventSource]] = client.sse
    return connect(url, **_bound(connect, max_event_size))


async def request_within_origin(
    client: httpx2.AsyncClient, method: str, url: str, **options: Any
) -> httpx2.Response:
    """The same for a request."""
    follow: Callable[..., Awaitable[httpx2.Response]] | None
    follow = _of_http("request_within_origin")
    return await (
        follow(client, method, url, **options) if follow else client.request(method, url, **options)
    )


def _of_http(name: str) -> Any:
    try:
        from mcp.shared import _httpx_utils
    except ImportError:
        return None
    return getattr(_httpx_utils, name, None)


def _bound(function: Callable[..., Any], size: int) -> dict[str, int]:
    return {"max_event_size": size} if _accepts(function, "max_event_size") else {}


def _accepts(function: Callable[..., Any], parameter: str) -> bool:
    return parameter in inspect.signature(function).parameters
