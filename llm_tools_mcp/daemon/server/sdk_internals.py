"""What the MCP SDK does not promise, or has in some releases only, and what serves instead.

Only `sdk` imports this. `make compat` tries it with each minor release.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast

import mcp.client.session as client_session
import mcp_types
import mcp_types.version as mcp_version
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import httpx2
    from mcp.client.session import ClientSession
    from mcp.shared.dispatcher import CallOptions, ProgressFnT

    Send = Callable[[str, Mapping[str, Any] | None, CallOptions], Awaitable[dict[str, Any]]]


# Seconds that a probe may take: how long it is waited for is not the SDK's to decide, see `handshake`.
_PROBE_SECONDS = 300.0

# --- the handshake ----------------------------------------------------------------------------------


class Handshake(Protocol):
    """What the SDK's policy uses of a session."""

    async def send_discover(self, version: str) -> dict[str, Any]: ...

    async def initialize(self) -> object: ...

    def adopt(self, result: Any) -> None: ...


async def _discover_or_initialize(session: ClientSession) -> None:
    try:
        await session.discover()
    except MCPError:
        await session.initialize()


_negotiate: Callable[[ClientSession], Awaitable[None]] | None
try:
    from mcp.client._probe import negotiate_auto as _negotiate
except ImportError:
    _negotiate = None


async def negotiate_auto(session: ClientSession, handshake: Handshake) -> None:
    """The newer handshake, or the older one where the server does not know it. Raises MCPError."""
    if _negotiate is None:
        await _discover_or_initialize(session)
        return
    vars(client_session)["DISCOVER_TIMEOUT_SECONDS"] = _PROBE_SECONDS
    await _negotiate(cast("ClientSession", handshake))


async def initialize(session: ClientSession, mended: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """As its own `initialize`, with an answer that is mended first. Raises MCPError, ValidationError."""
    build, client_info = getattr(session, "_build_capabilities", None), getattr(session, "_client_info", None)
    if build is None or client_info is None or _raw_parts(session) is None:
        await session.initialize()
        return

    async def ask(version: str) -> dict[str, Any]:
        params = mcp_types.InitializeRequestParams(
            protocol_version=version, capabilities=build(version), client_info=client_info
        )
        dumped = params.model_dump(by_alias=True, mode="json", exclude_none=True)
        return await send_raw(session, "initialize", dumped)

    try:
        raw = await ask(mcp_version.LATEST_HANDSHAKE_VERSION)
    except MCPError as error:
        named = _older_version(error.error.data)
        if named is None:
            raise
        raw = await ask(named)
    result = mcp_types.InitializeResult.model_validate(mended(raw), by_name=False)
    if result.protocol_version not in mcp_version.HANDSHAKE_PROTOCOL_VERSIONS:
        raise RuntimeError(
            unknown_version([result.protocol_version], mcp_version.HANDSHAKE_PROTOCOL_VERSIONS)
        )
    session.adopt(result)
    await session.send_notification(mcp_types.InitializedNotification())


def _older_version(data: Any) -> str | None:
    """The newest that is known here of those that a server names with its refusal (`supported`)."""
    supported = data.get("supported") if isinstance(data, dict) else None
    older = [
        version for version in mcp_version.HANDSHAKE_PROTOCOL_VERSIONS[:-1] if version in (supported or ())
    ]
    return older[-1] if older else None


def unknown_version(
    versions: Sequence[str], known: Sequence[str] = mcp_version.SUPPORTED_PROTOCOL_VERSIONS
) -> str:
    theirs, ours = ", ".join(versions), ", ".join(known)
    return f"it speaks version {theirs!r} of the protocol; known here are {ours}"


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


# --- parts of a session -----------------------------------------------------------------------------


def absorbed(session: ClientSession, tools: list[mcp_types.Tool], *, is_whole: bool) -> list[mcp_types.Tool]:
    """As its own listing does: without tools of an invalid `x-mcp-header`; of the others it is noted."""
    absorb = getattr(session, "_absorb_tool_listing", None)
    listing = mcp_types.ListToolsResult(tools=tools)
    return tools if absorb is None else list(absorb(listing, complete=is_whole).tools)


def contain_faults(session: ClientSession, on_fault: Callable[[Exception], None]) -> None:
    """A message that the SDK cannot take costs itself alone, and not the loop that reads them all."""
    dispatcher: Any = getattr(session, "_dispatcher", None)
    dispatch = getattr(dispatcher, "_dispatch", None)
    if dispatch is None:
        return

    async def contained(*args: Any) -> None:
        try:
            await dispatch(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next message is another one
            on_fault(error)

    vars(dispatcher)["_dispatch"] = contained


# --- http -------------------------------------------------------------------------------------------


def next_request_within_origin(response: httpx2.Response) -> httpx2.Request | None:
    """What follows a redirect that stays within the origin and keeps the method."""
    follow: Callable[[httpx2.Response], httpx2.Request | None] | None
    follow = _of_http("next_request_within_origin")
    return follow(response) if follow else None


def sse_within_origin(
    client: httpx2.AsyncClient, url: str, *, max_event_size: int
) -> AbstractAsyncContextManager[httpx2.EventSource]:
    """Follows redirects within the origin; releases before 2.3, which have no bound to set, follow none."""
    follow: Callable[..., AbstractAsyncContextManager[httpx2.EventSource]] | None
    follow = _of_http("sse_within_origin")
    if follow is not None and _accepts(follow, "max_event_size"):
        return follow(client, url, max_event_size=max_event_size)
    connect: Callable[..., AbstractAsyncContextManager[httpx2.EventSource]] = client.sse
    return connect(url, **_bound(connect, max_event_size))


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
