"""The parts of the MCP SDK that a client needs, loaded without its server half.

`mcp/__init__` pulls in the server side (starlette, uvicorn): 0.2 s and 16 MB that this daemon never
uses. So the packages `mcp` and `mcp.client` are entered here without running their `__init__`. Nothing
else in this process imports `mcp`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import request_within_origin, sse_within_origin
    from mcp.shared.dispatcher import CallOptions, ProgressFnT

# httpx and what stands on it: 0.1 s and 5 MB, which a daemon of stdio servers alone does not need.
_HTTP_HALF = {
    "request_within_origin": "mcp.shared._httpx_utils",
    "sse_within_origin": "mcp.shared._httpx_utils",
    "streamable_http_client": "mcp.client.streamable_http",
}


def _enter_without_init(package: str, folder: Path) -> None:
    module = ModuleType(package)
    module.__path__ = [str(folder)]
    sys.modules[package] = module


def _skip_server_half() -> None:
    spec = importlib.util.find_spec("mcp")
    if "mcp" in sys.modules or spec is None or not spec.submodule_search_locations:
        return
    folder = Path(spec.submodule_search_locations[0])
    _enter_without_init("mcp", folder)
    _enter_without_init("mcp.client", folder / "client")


_skip_server_half()

import mcp_types  # noqa: E402 - after the seam above, as everything below
from mcp.client._probe import negotiate_auto  # noqa: E402
from mcp.client.session import ClientRequestContext, ClientSession  # noqa: E402
from mcp.client.subscriptions import SubscriptionLost, listen  # noqa: E402
from mcp.shared.exceptions import MCPError  # noqa: E402
from mcp.shared.message import SessionMessage  # noqa: E402

__all__ = [
    "ClientRequestContext",
    "ClientSession",
    "MCPError",
    "SessionMessage",
    "SubscriptionLost",
    "error_message",
    "listen",
    "mcp_types",
    "negotiate_auto",
    "request_within_origin",
    "send_raw",
    "sse_within_origin",
    "streamable_http_client",
]


def __getattr__(name: str) -> Any:
    if name not in _HTTP_HALF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HTTP_HALF[name]), name)


async def send_raw(
    session: ClientSession, method: str, params: dict[str, Any], on_progress: ProgressFnT | None = None
) -> dict[str, Any]:
    """The result of a request as it came. Raises MCPError.

    ClientSession.send_request refuses a result that holds one thing which the negotiated version does not
    know, and all of it is lost. This is what the SDK's own `listen` does.
    """
    data: dict[str, Any] = {"method": method, "params": params}
    options: CallOptions = {}
    session._stamp(data, options)  # noqa: SLF001
    if on_progress is not None:
        options["on_progress"] = on_progress
    return await session._dispatcher.send_raw_request(method, data["params"], options)  # noqa: SLF001


def error_message(request_id: int | str, error: dict[str, Any]) -> SessionMessage:
    """An error as a transport hands it to the session."""
    data = mcp_types.ErrorData(**error)
    return SessionMessage(mcp_types.JSONRPCError(jsonrpc="2.0", id=request_id, error=data))
