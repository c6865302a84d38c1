"""The daemon: it keeps MCP servers connected and serves their tools over a unix socket.

Data flows socket → relay → gRPC server → servicer → pool → session → connection → transport → server.
"""
