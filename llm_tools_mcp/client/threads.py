"""Whether threads can be had: gRPC waits for ever for one that `ulimit -u` refuses it."""

from __future__ import annotations

import resource
import threading

from llm_tools_mcp.errors import DaemonError

# What a client and a daemon that it starts take, on machines of many cores.
_NEEDED = 24
# Above this nobody is short of them, and trying would cost 1 ms of each command.
_AMPLE = 1024


def check() -> None:
    """Raises DaemonError. The limit counts all that its user runs, so it has to be tried."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if 0 <= limit < _AMPLE and not _can_start(_NEEDED):  # -1 is RLIM_INFINITY
        raise DaemonError(f"no more processes and threads are allowed here (ulimit -u is {limit})")


def _can_start(count: int) -> bool:
    release = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=release.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        release.set()
        for thread in started:
            thread.join()
    return True
