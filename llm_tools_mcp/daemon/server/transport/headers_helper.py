"""`headersHelper`: a command of the config whose output is a JSON object of headers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure

_SECONDS, _LEAVE_SECONDS = 30.0, 1.0
_MAX_BYTES = 64 * 1024  # what prints without end would fill the memory
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[ -~]*")


async def helper_headers(definition: ServerDefinition) -> dict[str, str]:
    """Run it with the caller's surroundings. Raises ServerFailure; what it printed is in no message."""
    environment = {
        **definition.helper_env,
        "LLM_MCP_SERVER_NAME": definition.name,
        "LLM_MCP_SERVER_URL": definition.url,
    }
    try:
        child = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            definition.headers_helper,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise _failure(f"cannot be run: {error.strerror}") from error
    return _headers(await _output(child))


async def _output(child: asyncio.subprocess.Process) -> bytes:
    try:
        output = await asyncio.wait_for(_printed(child), _SECONDS)
    except (TimeoutError, asyncio.TimeoutError):
        raise _failure(f"did not end within {_SECONDS:g} s") from None
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.killpg(child.pid, signal.SIGKILL)
            with suppress(asyncio.TimeoutError):  # what has left its group may hold the pipe
                await asyncio.wait_for(child.communicate(), _LEAVE_SECONDS)
    if child.returncode:
        raise _failure(f"ended with code {child.returncode}; to see why, run it in a shell")
    return output


async def _printed(child: asyncio.subprocess.Process) -> bytes:
    assert child.stdout is not None
    output = b""
    while piece := await child.stdout.read(_MAX_BYTES):
        output += piece
        if len(output) > _MAX_BYTES:
            raise _failure(f"printed more than {_MAX_BYTES >> 10} KiB")
    await child.wait()
    return output


def _headers(output: bytes) -> dict[str, str]:
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _failure("printed no JSON object")
    for name, text in value.items():
        if not _NAME.fullmatch(name) or not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise _failure("printed a header whose name or value cannot be sent")
    return value


def _failure(what: str) -> ServerFailure:
    return ServerFailure(Kind.START_FAILED, f"its `headersHelper` {what}")
