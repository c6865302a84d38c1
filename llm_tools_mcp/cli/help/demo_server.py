"""A small MCP server to try things with: the files of the current folder, read only, and a clock.

    python -m llm_tools_mcp.cli.help.demo_server

Hidden files are left out, and no `..` or symbolic link leads out of the folder.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
import zoneinfo
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

MAX_BYTES = 256 * 1024
MAX_ENTRIES = 1000

server = MCPServer("demo", version="1", log_level="ERROR")
root = Path.cwd().resolve()


@server.tool(structured_output=False)
def list_files(folder: str = ".") -> str:
    """List the files of the current folder, or of a folder below it. Folders end with a slash."""
    try:
        entries = sorted(os.scandir(_inside(folder)), key=lambda entry: entry.name)
    except NotADirectoryError:
        raise ToolError(f"{folder} is not a folder") from None
    except OSError as error:
        raise ToolError(f"{folder}: {error.strerror}") from None
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries if entry.name[0] != "."]
    more = [f"and {len(names) - MAX_ENTRIES} more"] if len(names) > MAX_ENTRIES else []
    return "\n".join([*names[:MAX_ENTRIES], *more]) or "(no files)"


@server.tool(structured_output=False)
def read_file(path: str) -> str:
    """Read a text file of the current folder. Of a long one the first 256 KB."""
    try:
        # A pipe would block an open that waits for its writer.
        descriptor = os.open(_inside(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ToolError(f"{path} is not a file")
        content = file.read(MAX_BYTES)
    if b"\0" in content:
        raise ToolError(f"{path} is not a text file ({status.st_size} bytes)")
    rest = f"\n(the first {MAX_BYTES} of {status.st_size} bytes)" if status.st_size > MAX_BYTES else ""
    return content.decode("utf-8", "replace") + rest


@server.tool(structured_output=False)
def now(timezone: str = "") -> str:
    """The date and time, here or in a time zone such as Europe/Paris."""
    try:
        zone = zoneinfo.ZoneInfo(timezone) if timezone else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolError(f"there is no time zone {timezone!r}; names are like Europe/Paris") from None
    time = dt.datetime.now(zone) if zone else dt.datetime.now().astimezone()
    return time.strftime("%A, %Y-%m-%d %H:%M:%S %Z")


def _inside(path: str) -> Path:
    """Where a path leads, symbolic links followed. Raises ToolError where that is outside, or hidden."""
    try:
        target = (root / path).resolve()
        parts = target.relative_to(root).parts
    except (ValueError, OSError, RuntimeError):
        raise ToolError(f"{path} is outside of the current folder") from None
    if any(part.startswith(".") for part in parts):
        raise ToolError(f"{path} is hidden")
    return target


if __name__ == "__main__":
    server.run()
