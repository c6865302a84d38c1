"""Servers as others publish them: the registry of MCP, its packages and remote servers, and MCPB bundles.

All of it is untrusted: bounded when it is read, checked before it is used, and never expanded in mcp.json.
"""
