"""A server with every kind of result and behaviour, on the SDK's own server side (both protocol eras).

python everything.py [--http PORT | --sse PORT] [--token T] [--redirect-to URL]
Default: stdio. Port 0 picks one; `PORT n` on stdout says that it listens, at /mcp or /sse.
CALL_LOG=FILE gets a line `PID TOOL` for every call, CANCEL_LOG=FILE one for every call that was cancelled.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from over_http import serve_http  # beside this script
from pydantic import BaseModel

warnings.filterwarnings("ignore", "The logging capability is deprecated")  # old clients still get logs

Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]

calls = 0


async def note_call(ctx: ServerRequestContext, call_next: Any) -> Any:
    global calls  # noqa: PLW0603 - of this process, as the tool `count` says
    if ctx.method == "tools/call":
        calls += 1
        append("CALL_LOG", (ctx.params or {}).get("name", "?"))
    return await call_next(ctx)


def append(variable: str, what: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()} {what}\n")


server = MCPServer("everything", version="1", log_level="ERROR", middleware=[note_call])
# Without structured_output=False the SDK repeats each text as {"result": text}.
plain = server.tool(structured_output=False)


@plain
def echo(text: str) -> str:
    """Returns the text."""
    return text


@server.tool()
def add(a: int, b: int) -> int:
    """Adds, with structured output and its schema."""
    return a + b


@plain
def env(name: str) -> str:
    """An environment variable of the server, or `(unset)`."""
    return os.environ.get(name, "(unset)")


@plain
def cwd() -> str:
    return os.getcwd()  # noqa: PTH109 - what the process itself says


@plain
def pid() -> str:
    return str(os.getpid())


@plain
def argv() -> str:
    """The arguments, one a line."""
    return "\n".join(sys.argv[1:])


@plain
def umask() -> str:
    mask = os.umask(0o077)
    os.umask(mask)
    return f"{mask:03o}"


@plain
def count() -> str:
    """How many calls this process saw, this one included."""
    return str(calls)


@plain
def headers(ctx: Context) -> str:
    """The request's HTTP headers, one a line."""
    return "\n".join(f"{name}: {value}" for name, value in (ctx.headers or {}).items())


@plain
def image() -> CallToolResult:
    """Text and a PNG of one red pixel."""
    text = TextContent(type="text", text="one red pixel")
    return CallToolResult(
        content=[text, ImageContent(type="image", data=base64_text(PNG), mime_type="image/png")]
    )


@plain
def audio() -> CallToolResult:
    """A WAV file without samples."""
    return CallToolResult(content=[AudioContent(type="audio", data=base64_text(WAV), mime_type="audio/wav")])


@plain
def blob() -> CallToolResult:
    """An embedded resource of the bytes 0 to 255."""
    contents = BlobResourceContents(
        uri="file:///blob.bin", blob=base64_text(bytes(range(256))), mime_type="application/octet-stream"
    )
    return CallToolResult(content=[EmbeddedResource(type="resource", resource=contents)])


@plain
def embedded_text() -> CallToolResult:
    contents = TextResourceContents(uri="file:///note.txt", text="embedded text", mime_type="text/plain")
    return CallToolResult(content=[EmbeddedResource(type="resource", resource=contents)])


@plain
def link() -> CallToolResult:
    found = ResourceLink(
        type="resource_link",
        uri="file:///report.pdf",
        name="report",
        description="the yearly report",
        mime_type="application/pdf",
    )
    return CallToolResult(content=[found])


@plain
def structured() -> CallToolResult:
    """Text and structured content that differ."""
    text = TextContent(type="text", text="21.5 degrees")
    return CallToolResult(content=[text], structured_content={"temperature": 21.5, "unit": "°C"})


@plain
def structured_only() -> CallToolResult:
    """Structured content and no text."""
    return CallToolResult(content=[], structured_content={"count": 12345678901234567890, "unit": "°C"})


@plain
def many_texts() -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text) for text in ("one", "two", "three")])


@plain
def nothing() -> CallToolResult:
    """No content at all."""
    return CallToolResult(content=[])


@plain
def fail(message: str) -> CallToolResult:
    """A tool's own error, with exactly this text."""
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=message)])


@plain
async def sleep(seconds: float, ctx: Context) -> str:
    """Sleeps, with progress every 0.1 s."""
    try:
        for step in range(steps := max(1, round(seconds * 10))):
            await ctx.report_progress(step, steps, f"step {step} of {steps}")
            await asyncio.sleep(seconds / steps)
    except asyncio.CancelledError:
        append("CANCEL_LOG", "sleep")
        raise
    return f"slept {seconds:g} s"


@plain
async def hold(until: str, ctx: Context) -> str:
    """Waits until that file exists, with progress every 0.1 s."""
    step = 0
    while not await anyio.Path(until).exists():
        step += 1
        await ctx.report_progress(step, 100, f"step {step} of 100")
        await asyncio.sleep(0.1)
    return f"saw {Path(until).name}"


@plain
async def log(level: Level, text: str, ctx: Context) -> str:
    """Sends a log message, and writes the text to stderr."""
    print(text, file=sys.stderr, flush=True)
    await ctx.log(level, text)
    return "logged"


@plain
def big(size: int) -> str:
    """So many bytes of text."""
    return "x" * size


@plain
def unicode() -> str:
    return "grüße, 世界 🌍 \u2028 e\u0301 \x00 end"


@plain
def name_args(
    name: str, server_name: str, self: str, tool: str, arguments: str, llm_tool_call: str, prefix: str = "p"
) -> str:
    """Arguments whose names collide with those of careless wrappers."""
    return f"{name}|{server_name}|{self}|{tool}|{arguments}|{llm_tool_call}|{prefix}"


@plain
def crash() -> str:
    """Ends the process in the middle of the call."""
    os._exit(7)


@plain
async def add_tool(name: str, ctx: Context) -> str:
    """Adds a tool that echoes its own name, and tells the client that the list changed."""
    server.add_tool(lambda: name, name=name, description="added later", structured_output=False)
    await ctx.notify_tools_changed()
    if ctx.protocol_version and ctx.protocol_version < "2026":  # handshake eras: no subscriptions
        await ctx.session.send_tool_list_changed()
    return f"added {name}"


class Answer(BaseModel):
    name: str


def ask_for_name() -> Elicit[Answer]:
    return Elicit("What is your name?", Answer)


@plain
def ask(answer: Annotated[Answer, Resolve(ask_for_name)]) -> str:
    """Asks the user (elicitation) for a name."""
    return f"hello {answer.name}"


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + png_chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
    + png_chunk(b"IEND", b"")
)
WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
WAV += b"data" + struct.pack("<I", 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int, metavar="PORT")
    parser.add_argument("--sse", type=int, metavar="PORT")
    parser.add_argument("--token")
    parser.add_argument("--redirect-to", metavar="URL")
    options, _more = parser.parse_known_args()  # the tool `argv` shows them
    if options.http is not None:
        serve_http(server.streamable_http_app(), options.http, options)
    elif options.sse is not None:
        serve_http(server.sse_app(), options.sse, options)
    else:
        server.run()


if __name__ == "__main__":
    main()
