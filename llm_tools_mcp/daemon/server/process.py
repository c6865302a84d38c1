"""A stdio server's process group: start it, notice its end, and let none of it survive.

MCP asks for: close stdin, wait, SIGTERM, wait, SIGKILL (specification 2025-11-25, lifecycle, shutdown).
We send the signals to the whole group, also after a server left on EOF: its own children often stay. What
left the group (browsers, daemons) is found by its mark.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import signal
from asyncio.subprocess import SubprocessStreamProtocol
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.config.launchers import how_to_install
from llm_tools_mcp.daemon.failure import TOO_MANY_FILES, Kind, ServerFailure, lacks_files

from . import orphans

# Seconds that each step of the shutdown may take: 6 in all for a server that ignores everything.
_EOF_SECONDS, _TERM_SECONDS, _KILL_SECONDS, _STRAY_SECONDS = 2.0, 2.0, 1.0, 1.0
_POLL_SECONDS = 0.01
# Bytes that a stream holds for a reader that is behind; beyond this the server waits.
_BUFFER = 256 * 1024
# What the kernel's refusals mean, behind the program.
_REFUSALS = {
    errno.E2BIG: ": its arguments and its environment are too long for a process",
    errno.ENOEXEC: " is no program: name what runs it as `command`, and it in `args`",
}


class _Protocol(SubprocessStreamProtocol):
    """Tells of the exit itself. Process.wait() waits for the pipes too, which a grandchild may hold."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


@dataclass(frozen=True, slots=True)
class Child:
    """A server's first process, and the mark that it and all its descendants carry."""

    pid: int
    mark: str
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    exited: asyncio.Event
    transport: asyncio.SubprocessTransport

    @property
    def returncode(self) -> int | None:
        return self.transport.get_returncode()


async def start(definition: ServerDefinition, owner: str) -> Child:
    """Start the server in a session of its own. Raises ServerFailure where it cannot be started."""
    if not _exists(definition.command):  # to fork for it costs everybody a millisecond
        raise ServerFailure(Kind.START_FAILED, _why_not_started(definition, FileNotFoundError()))
    mark = orphans.server_mark(owner)
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(_BUFFER, loop),
            definition.command,
            *definition.args,
            cwd=definition.cwd,
            env={**definition.env, orphans.MARK_VARIABLE: mark},
            umask=definition.umask,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ServerFailure(Kind.START_FAILED, _why_not_started(definition, error)) from error
    stdin, stdout, stderr = protocol.stdin, protocol.stdout, protocol.stderr
    assert stdin is not None and stdout is not None and stderr is not None  # noqa: PT018 - they are pipes
    _widen(transport.get_pipe_transport(1))
    return Child(transport.get_pid(), mark, stdin, stdout, stderr, protocol.exited, transport)


def _widen(stdout: asyncio.BaseTransport | None) -> None:
    """Linux gives a pipe 64 KiB, so that 10 MB would wake both ends 160 times."""
    size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if stdout is not None and size is not None:
        # All that the user's pipes may hold is taken; or the server has ended, and the pipe is closed.
        with suppress(OSError, ValueError):
            fcntl.fcntl(stdout.get_extra_info("pipe"), size, _BUFFER)


def _exists(command: str) -> bool:
    return Path(command).exists()


def _why_not_started(definition: ServerDefinition, error: OSError | ValueError) -> str:
    if lacks_files(error):
        return TOO_MANY_FILES
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _what_is_missing(definition)
    if isinstance(error, PermissionError) and (why := _why_not_allowed(definition)):
        return why
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return f"{definition.target}{_REFUSALS[error.errno]}"
    if isinstance(error, OSError):
        return f"{definition.target}: {os.strerror(error.errno) if error.errno else 'cannot be started'}"
    return f"{definition.target}: its arguments or environment cannot be passed to a process"


def _what_is_missing(definition: ServerDefinition) -> str:
    if not os.access(definition.cwd, os.F_OK):
        return f"its folder {definition.public_cwd} does not exist{_unreplaced(definition.cwd)}"
    if not Path(definition.cwd).is_dir():
        return f"its folder {definition.public_cwd} is a file"
    if not Path(definition.command).exists():
        hint = _how_to_write(definition.command)
        path = "in its `env`" if "PATH" in definition.own_env else "of the caller"
        where = "" if "/" in definition.command.split()[0] else f" on the PATH {path}"
        what = f"command {definition.target!r} was not found{where}"
        return f"{what}{hint}"
    why = f"{definition.target} names an interpreter behind #! that does not exist"
    return f"{why}: its lines end as on Windows" if _ends_as_on_windows(definition.command) else why


def _ends_as_on_windows(script: str) -> bool:
    with suppress(OSError), Path(script).open("rb") as file:
        return file.readline(_BUFFER).endswith(b"\r\n")
    return False


def _how_to_write(command: str) -> str:
    if hint := how_to_install(command):
        return f"; {hint}"
    if command != command.strip():
        return "; there are spaces at its ends"
    return "; its arguments belong into `args`" if " " in command else _unreplaced(command)


def _unreplaced(path: str) -> str:
    is_meant = re.search(r"(?:\A|/)\$[A-Za-z_]", path)
    return "; a variable is written ${NAME}: no shell is there to replace $NAME" if is_meant else ""


def _why_not_allowed(definition: ServerDefinition) -> str:
    if not os.access(definition.cwd, os.X_OK):
        return f"its folder {definition.public_cwd} may not be entered"
    if Path(definition.command).is_dir():
        return f"{definition.target} is a folder, not a program"
    if os.access(definition.command, os.X_OK):
        return ""
    return f"{definition.target} is not executable: chmod +x makes it so, or name what runs it as `command`"


async def stop(child: Child) -> None:
    """End the server and everything that it started. Bounded, and harmless when it is gone already."""
    child.stdin.close()
    await _exited(child, _EOF_SECONDS)
    if _signal_group(child.pid, signal.SIGTERM):
        await _exited(child, _TERM_SECONDS)
        await _group_ended(child.pid, _TERM_SECONDS if child.exited.is_set() else 0)
        _signal_group(child.pid, signal.SIGKILL)
        await _exited(child, _KILL_SECONDS)
    await _end_strays(child.mark)
    with suppress(ProcessLookupError, PermissionError):
        child.transport.close()  # a survivor may hold the other ends of the pipes


async def _exited(child: Child, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await child.exited.wait()


async def _group_ended(group: int, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        while _signal_group(group, 0):  # noqa: ASYNC110 - nothing tells when it happens
            await anyio.sleep(_POLL_SECONDS)


async def _end_strays(mark: str) -> None:
    """End what has left the group: a browser, say, that is a session leader of its own."""
    if not await asyncio.to_thread(orphans.signal_marked, mark, signal.SIGTERM):
        return
    with anyio.move_on_after(_STRAY_SECONDS):
        while await asyncio.to_thread(orphans.signal_marked, mark, 0):  # noqa: ASYNC110 - nothing tells when it happens
            await anyio.sleep(_POLL_SECONDS)
        return
    await asyncio.to_thread(orphans.signal_marked, mark, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """Returns whether the group still has a member."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return number != 0  # macOS says so of a group of zombies
    return True
