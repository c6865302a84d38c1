"""The parts of the MCP SDK that a client needs, loaded without its server half.

`mcp/__init__` pulls in the server side (starlette, uvicorn): 0.2 s and 16 MB that this daemon never
uses. So the packages `mcp` and `mcp.client` are entered here without running their `__init__`. Nothing
else in this process imports `mcp`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


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
from mcp.client.session import ClientRequestContext, ClientSession  # noqa: E402
from mcp.client.subscriptions import (  # noqa: E402
    PromptsListChanged,
    ResourcesListChanged,
    SubscriptionLost,
    ToolsListChanged,
    listen,
)
from mcp.shared.exceptions import MCPError  # noqa: E402
from mcp.shared.message import SessionMessage  # noqa: E402

from .sdk_internals import (  # noqa: E402
    absorbed,
    contain_faults,
    initialize,
    negotiate_auto,
    next_request_within_origin,
    send_raw,
    sse_within_origin,
    unknown_version,
)

# SEP-2243: the arguments that go into headers, too, and the error of a server that misses them.
HEADER_KEY, HEADER_MISMATCH = "x-mcp-header", -32020
# Protocol versions from this one on begin with `server/discover`, those before it with `initialize`.
_MODERN_SINCE = "2026"

__all__ = [
    "HEADER_KEY",
    "HEADER_MISMATCH",
    "LIST_EVENTS",
    "LIST_NOTICES",
    "ClientRequestContext",
    "ClientSession",
    "MCPError",
    "SessionMessage",
    "SubscriptionLost",
    "absorbed",
    "contain_faults",
    "error_message",
    "first_fault",
    "initialize",
    "is_modern",
    "listen",
    "mcp_types",
    "negotiate_auto",
    "next_request_within_origin",
    "send_raw",
    "sse_within_origin",
    "unknown_version",
]

# What says that a list has changed, and which: in the modern era, and before.
LIST_EVENTS: dict[type, str] = {
    ToolsListChanged: "tools",
    ResourcesListChanged: "resources",
    PromptsListChanged: "prompts",
}
LIST_NOTICES: dict[type, str] = {
    mcp_types.ToolListChangedNotification: "tools",
    mcp_types.ResourceListChangedNotification: "resources",
    mcp_types.PromptListChangedNotification: "prompts",
}


def is_modern(session: ClientSession) -> bool:
    return (session.protocol_version or "") >= _MODERN_SINCE


def first_fault(error: ValidationError) -> str:
    """Which field, and what is wrong with it, without what the server wrote there."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])


def error_message(request_id: int | str, error: dict[str, Any]) -> SessionMessage:
    """An error as a transport hands it to the session."""
    data = mcp_types.ErrorData(**error)
    return SessionMessage(mcp_types.JSONRPCError(jsonrpc="2.0", id=request_id, error=data))
