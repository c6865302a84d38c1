"""One MCP server: the way to it (`transport`), the handshake (`connecting`), the connection while it lives.

A connection is entered and left by one task, its session's owner. Calls may come from any task; cancelling
one tells the server so (`notifications/cancelled`).
"""
