"""A child process that speaks JSON-RPC, a message a line. Linear: the SDK's reader takes 0.5 s for 10 MB."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import anyio
from pydantic_core import from_json

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.server import process, sdk
from llm_tools_mcp.daemon.server.process import Child
from llm_tools_mcp.daemon.time_slice import TimeSlice

from .link import MAX_MESSAGE_BYTES, TOO_LONG, Link, Streams
from .messages import MAX_UNASKED, is_ours, read
from .prescan import has_method
from .streams import Inbox, Stdin

_CHUNK = 256 * 1024
# Chunks of a line from which on they are many.
_MANY = 16
# Lines that a server may print before its first message: what is none would go on for ever, as `yes` does.
_MOST_PRINTED = 10_000
# Pieces of a long line that are looked at to tell what kind of message it is.
_HEAD = 8
# How a message of a language server begins.
_FRAMED = re.compile(rb"Content-Length: *\d+\s*$", re.IGNORECASE)
# Bytes of one line of stderr; longer ones are logged in pieces.
_STDERR_LINE = 64 * 1024
# Seconds of silence after which a message counts that has no line end: some servers never write one.
_LINE_END_SECONDS = 0.1
# Seconds to learn how a server exited whose stdout has ended: it takes none, but on a busy machine. And to
# read what one that has exited wrote last.
_EXIT_SECONDS, _LAST_SECONDS = 0.5, 0.05


@asynccontextmanager
async def open_stdio(definition: ServerDefinition, link: Link, owner: str) -> AsyncIterator[Streams]:
    child = await process.start(definition, owner)
    link.pid = child.pid
    link.is_deaf = child.stdin.transport.is_closing
    link.unwritten = child.stdin.transport.get_write_buffer_size
    read, write = Inbox(), Stdin(child, link, lambda: _exit_reason(child, "it closed its input"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read_stdout, child, read, link)
        tasks.start_soon(_read_stderr, child, link)
        try:
            yield read, write
        finally:
            # Shielded: a cancelled owner must not leak the process. Every wait inside is bounded.
            with anyio.CancelScope(shield=True):
                for stream in (read, write):
                    stream.close()
                await process.stop(child)
            tasks.cancel_scope.cancel()


# --- stdout -----------------------------------------------------------------------------------------


async def _read_stdout(child: Child, incoming: Inbox, link: Link) -> None:
    try:
        why = await _pump_until_exit(child, incoming, link)
        link.ended = True
        reason = await _exit_reason(child, why)
        link.has_exited = child.returncode is not None
        link.lose(reason)
    finally:
        incoming.finish()  # this fails the calls in flight: by now the reason is known
    # Read on until the end: a server that still writes must not block on a full pipe instead of exiting.
    while await child.stdout.read(_CHUNK):
        pass


async def _pump_until_exit(child: Child, incoming: Inbox, link: Link) -> str:
    """Returns why it ended."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_after_exit, child, link, tasks.cancel_scope)
        why = await _pump_messages(child.stdout, incoming, link)
        tasks.cancel_scope.cancel()
        return why
    return "it exited"


async def _cancel_after_exit(child: Child, link: Link, scope: anyio.CancelScope) -> None:
    """Its stdout may stay open without it, held by a grandchild. What it wrote last is read first."""
    await child.exited.wait()
    before = -1
    while before != link.received:
        before = link.received
        await anyio.sleep(_LAST_SECONDS)
    scope.cancel()


async def _pump_messages(stdout: StreamReader, incoming: Inbox, link: Link) -> str:
    time_slice = TimeSlice()
    printed: int | None = 0  # lines, before the first message
    try:
        async with aclosing(_unfolded(stdout, link)) as lines:
            async for line in lines:
                found = await read(line, link, "a line on stdout") if line.strip() else []
                del line  # it may be long, and the next one hours away
                if printed is not None:
                    printed = None if found else printed + 1
                if why := _why_no_server(found, printed):
                    link.is_no_server = True
                    return why
                while found:
                    await incoming.send(found.pop(0))
                await time_slice.give_way()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return "the session ended"
    except _Unusable as error:
        return str(error)
    return "it closed its stdout"


def _why_no_server(found: list[sdk.SessionMessage], printed: int | None) -> str:
    """What tells at once that another try is useless; empty where nothing does."""
    if any(map(is_ours, found)):
        return "it sends back what it is sent, as `cat` does: it is no MCP server"
    if printed == _MOST_PRINTED:
        return f"it printed {_MOST_PRINTED} lines and no message among them: it is no MCP server"
    return ""


class _Unusable(Exception):
    """Nothing that follows can be read either."""


async def _unfolded(stdout: StreamReader, link: Link) -> AsyncGenerator[bytes, None]:
    """Lines; and as one line what a server has written as JSON of many lines, indented."""
    folded: list[bytes] = []
    size = 0
    async with aclosing(_lines(stdout, link)) as lines:
        async for line in lines:
            if _FRAMED.match(line):
                raise _Unusable(
                    "it frames its messages with Content-Length, as language servers do; "
                    "MCP has one JSON message in each line"
                )
            word = line.rstrip()
            if not folded and word not in (b"{", b"["):
                yield line
                del line, word  # it may be long, and the next one hours away
                continue
            folded.append(word)
            size += len(word)
            if word in (b"}", b"]") or size > MAX_UNASKED:
                yield b"".join(folded)
                folded, size = [], 0


async def _lines(stdout: StreamReader, link: Link) -> AsyncGenerator[bytes, None]:
    """Not StreamReader.readline: its limit is the longest line, and also what it buffers of a flood."""
    parts: list[bytes] = []
    size = 0
    is_skipped = False
    while chunk := await _chunk(stdout, parts):
        link.received += len(chunk)
        *ends, rest = chunk.split(b"\n") if b"\n" in chunk else (chunk,)
        for end in ends:
            if is_skipped:
                parts.clear()
            else:
                # No name for it here: a generator keeps its locals while it waits.
                yield await _joined(parts, end)
            size, is_skipped = 0, False
        parts.append(rest)
        size += len(rest)
        if size > MAX_UNASKED >= size - len(rest) and has_method(b"".join(parts[:_HEAD])[:_CHUNK]):
            link.log(f"a message that nobody has asked for has more than {MAX_UNASKED} bytes; skipped")
            is_skipped = True
        if is_skipped:
            parts.clear()
        elif size > MAX_MESSAGE_BYTES:
            raise _Unusable(TOO_LONG)
    if not is_skipped:
        yield b"".join(parts)


async def _chunk(stdout: StreamReader, parts: list[bytes]) -> bytes:
    """What comes next; or the line end that is missing behind a whole message: no more can belong to it."""
    if parts and parts[-1].endswith(b"}"):
        with anyio.move_on_after(_LINE_END_SECONDS):
            return await stdout.read(_CHUNK)
        if _is_whole(parts):
            return b"\n"
    return await stdout.read(_CHUNK)


def _is_whole(parts: Sequence[bytes]) -> bool:
    try:
        return sum(map(len, parts)) <= MAX_UNASKED and isinstance(from_json(b"".join(parts)), dict)
    except ValueError:
        return False


async def _joined(parts: list[bytes], end: bytes) -> bytes:
    """A line of several chunks; they are not kept beside it. Of many in a thread: 100 MB take 50 ms."""
    if not parts:
        return end
    parts.append(end)
    line = b"".join(parts) if len(parts) < _MANY else await asyncio.to_thread(b"".join, parts)
    parts.clear()
    return line


async def _exit_reason(child: Child, why: str) -> str:
    """A closed stdout mostly means that the server has exited: say how, if that shows soon."""
    with anyio.move_on_after(_EXIT_SECONDS):
        await child.exited.wait()
    if child.returncode is None:
        return why
    if child.returncode < 0:
        return f"it was killed by signal {-child.returncode}"
    return f"it exited with code {child.returncode}"


# --- stderr -----------------------------------------------------------------------------------------


async def _read_stderr(child: Child, link: Link) -> None:
    time_slice = TimeSlice()
    rest = b""
    while chunk := await child.stderr.read(_STDERR_LINE):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _STDERR_LINE:  # no end of line in sight
            lines.append(rest)
            rest = b""
        for line in filter(bytes.strip, lines):
            link.said(line.decode("utf-8", "replace"))
            await time_slice.give_way()
    if rest.strip():
        link.said(rest.decode("utf-8", "replace"))
