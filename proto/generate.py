"""Generates llm_tools_mcp/v1/ from the proto file: `PYTHON proto/generate.py [FOLDER]`, default this tree.

PYTHON is the one of .cache/grpc-tools, see `make grpc`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROTO = "llm_tools_mcp/v1/mcp_daemon.proto"


def main() -> int:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT)
    outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", *outputs, PROTO]
    # protoc finds protoc-gen-mypy on the PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.run(command, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
