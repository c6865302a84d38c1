"""One MCP connection: transport, handshake in either protocol era, tools/list and tools/call.

Entered and left by one task, its session's owner. Calls may come from any task; cancelling one tells
the server so (`notifications/cancelled`).
"""

from .connection import Connection
from .entry import Hooks, connect

__all__ = ["Connection", "Hooks", "connect"]
