"""A grpcio server without any MCP behind it: what gRPC alone costs between two Python processes.

bare_grpc.py SOCKET   answers every call at once; no pool, no server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from llm_tools_mcp import paths, v1
from llm_tools_mcp.v1 import mcp_daemon_pb2_grpc

_ANSWER = v1.CallToolEvent(result=v1.ToolResult(content=[v1.Content(text="hi")]))


class _Servicer(mcp_daemon_pb2_grpc.McpDaemonServicer):
    async def CallTool(self, _request: v1.CallToolRequest, context: Any) -> None:  # noqa: N802 - generated
        await context.write(_ANSWER)


async def _serve(socket: Path) -> None:
    server = grpc.aio.server()
    mcp_daemon_pb2_grpc.add_McpDaemonServicer_to_server(_Servicer(), server)
    server.add_insecure_port(paths.grpc_address(socket))
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


@contextmanager
def bare_daemon(socket: Path) -> Iterator[Path]:
    """It serves on `socket` in a process of its own."""
    argv = [sys.executable, "-m", __name__, str(socket)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield socket
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
