"""Messages and service of proto/llm_tools_mcp/v1/mcp_daemon.proto; generated, see `make grpc`."""

from typing import Any

from .mcp_daemon_pb2 import (
    DESCRIPTOR,
    Accepted,
    AnswerRequest,
    AnswerResponse,
    CachedTools,
    Caller,
    CallToolEvent,
    CallToolRequest,
    Content,
    Failure,
    GetAllToolsRequest,
    HealthRequest,
    HealthResponse,
    Keep,
    KeptText,
    LogMessage,
    Media,
    Progress,
    Protocol,
    Question,
    QuestionOver,
    RequestEvent,
    RequestMessage,
    ResourceLink,
    RestartServerRequest,
    RestartServerResponse,
    SearchToolsRequest,
    SearchToolsResponse,
    ServerStatus,
    ServerTools,
    ShutdownRequest,
    ShutdownResponse,
    StatusRequest,
    StatusResponse,
    Tool,
    ToolResult,
)

SERVICE = DESCRIPTOR.services_by_name["McpDaemon"]

# The major version of the protocol. Within one, fields are only added: clients and daemons of
# different releases understand each other.
PROTOCOL_MAJOR = 1

# Bytes of one gRPC message, both ways.
MAX_MESSAGE_BYTES = 128 * 1024 * 1024


def name_of(kind: Any, value: int) -> str:
    """The name of an enum's value, for people; `unknown` for one that tomorrow's daemon may send."""
    return str(kind.Name(value)).lower().replace("_", " ") if value in kind.values() else "unknown"


def needs_task(tool: Tool) -> bool:
    """Whether it can be called as a task alone, which is not done here: it is offered to nobody."""
    return tool.task_support == "required"


__all__ = [
    "MAX_MESSAGE_BYTES",
    "PROTOCOL_MAJOR",
    "SERVICE",
    "Accepted",
    "AnswerRequest",
    "AnswerResponse",
    "CachedTools",
    "CallToolEvent",
    "CallToolRequest",
    "Caller",
    "Content",
    "Failure",
    "GetAllToolsRequest",
    "HealthRequest",
    "HealthResponse",
    "Keep",
    "KeptText",
    "LogMessage",
    "Media",
    "Progress",
    "Protocol",
    "Question",
    "QuestionOver",
    "RequestEvent",
    "RequestMessage",
    "ResourceLink",
    "RestartServerRequest",
    "RestartServerResponse",
    "SearchToolsRequest",
    "SearchToolsResponse",
    "ServerStatus",
    "ServerTools",
    "ShutdownRequest",
    "ShutdownResponse",
    "StatusRequest",
    "StatusResponse",
    "Tool",
    "ToolResult",
    "name_of",
    "needs_task",
]
