"""What became of an RPC: gRPC's statuses, and the events of a call, → a result or one of our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from llm_tools_mcp import v1
from llm_tools_mcp.errors import (
    ConfigError,
    DaemonError,
    DaemonIncompatible,
    DaemonUnreachable,
    DaemonUnresponsive,
    McpError,
    OutcomeUnknown,
    ToolCallError,
    UnknownTool,
)

Event = v1.CallToolEvent | v1.RequestEvent
OnEvent = Callable[["v1.Progress | v1.LogMessage"], None]

# gRPC's words for a call that never had a connection, and so certainly was not sent.
_NEVER_CONNECTED = "failed to connect"
# gRPC's words, and the daemon's, for a request above the limit.
_TOO_LARGE = ("Sent message larger", "the request exceeds")
_UNKNOWN_NOTE = "it may or may not have run, and was not repeated"


class Outcome:
    """What the events of one call add up to."""

    def __init__(self, subject: str, server: str, on_event: OnEvent) -> None:
        self.what = f"{subject} of MCP server {server!r}"
        self.is_accepted = False
        self._on_event = on_event
        self._last: Event | None = None

    def note(self, event: Event) -> None:
        self.is_accepted = True
        kind = event.WhichOneof("event")
        if kind == "progress":
            self._on_event(event.progress)
        elif kind == "log":
            self._on_event(event.log)
        self._last = event

    def result(self) -> Any:
        """As the last event holds it: a v1.ToolResult, or a text of JSON. Raises ToolCallError."""
        kind = self._last.WhichOneof("event") if self._last is not None else None
        if self._last is not None and kind == "result":
            return self._last.result
        if self._last is not None and kind == "failure":
            raise _tool_call_error(self._last.failure, self.what)
        raise OutcomeUnknown(f"{self.what}: the daemon ended the call without a result")


def _tool_call_error(failure: v1.Failure, what: str) -> ToolCallError:
    kinds = v1.Failure.Kind
    if failure.kind == kinds.OUTCOME_UNKNOWN:
        return OutcomeUnknown(f"{what}: {failure.message}; {_UNKNOWN_NOTE}")
    if failure.kind in (kinds.UNKNOWN_SERVER, kinds.UNKNOWN_TOOL):
        return UnknownTool(f"{what}: {failure.message}")
    return ToolCallError(f"{what}: {failure.message}")


def call_error(
    error: grpc.RpcError, socket: str, outcome: Outcome, seconds: float, *, gave_up: bool
) -> McpError:
    """A call failed. `seconds` is how long its first event was waited for."""
    if outcome.is_accepted:
        return OutcomeUnknown(f"{outcome.what}: the daemon was lost during the call; {_UNKNOWN_NOTE}")
    code = _code(error)
    if gave_up:
        return DaemonUnresponsive(socket, seconds)
    if code is grpc.StatusCode.CANCELLED:  # by a daemon that stops
        return OutcomeUnknown(f"{outcome.what}: the daemon stopped; {_UNKNOWN_NOTE}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and any(word in _details(error) for word in _TOO_LARGE):
        text = f"the arguments are larger than {v1.MAX_MESSAGE_BYTES >> 20} MiB; it was not called"
        return ToolCallError(f"{outcome.what}: {text}")
    if code is grpc.StatusCode.UNAVAILABLE and _NEVER_CONNECTED not in _details(error):
        return OutcomeUnknown(f"{outcome.what}: the connection to the daemon was lost; {_UNKNOWN_NOTE}")
    return error_from_status(error, socket, seconds)


def listing_error(error: grpc.RpcError, socket: str, seconds: float, *, gave_up: bool) -> McpError:
    """A listing failed. `seconds` is how long was waited, for its first answer or for the last one."""
    if gave_up:
        return DaemonUnresponsive(socket, seconds)
    if _code(error) is grpc.StatusCode.CANCELLED:  # by a daemon that stops
        return DaemonUnreachable(socket, "it stopped")
    return error_from_status(error, socket, seconds)


def error_from_status(error: grpc.RpcError, socket: str, seconds: float) -> McpError:
    """A status that says all there is to know. `seconds` was the deadline."""
    code, details = _code(error), _details(error)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return ConfigError("", details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DaemonUnresponsive(socket, seconds)
    if code is grpc.StatusCode.UNAVAILABLE:
        return DaemonUnreachable(socket, details)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return DaemonIncompatible(f"{details}; try: llm mcp restart")
    return DaemonError(
        f"the llm-mcp daemon failed: {details or code}"
    )  # it names its log where that has more


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None


def _details(error: grpc.RpcError) -> str:
    return (error.details() or "") if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else ""
