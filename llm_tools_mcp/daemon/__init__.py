"""The daemon: it keeps MCP servers connected and serves their tools over a unix socket.

Data flows socket → acceptor → http2 → rpc → servicer → pool → session → connection → transport → server.
"""
