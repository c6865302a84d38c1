"""Runs a command of the service manager: bounded, silent, and with an error of ours where it cannot."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence

from llm_tools_mcp.errors import ServiceError


def ask(
    argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What it answered, whatever its exit status; `timeout` in seconds. Raises ServiceError."""
    try:
        return subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{shlex.join(argv)} did not end within {timeout:g} s") from None
    except OSError as error:
        raise ServiceError(f"{argv[0]} cannot be run: {error.strerror}") from error
