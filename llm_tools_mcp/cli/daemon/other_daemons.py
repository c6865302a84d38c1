"""Daemons of this user at other places than the one that this shell has: cron has no XDG_RUNTIME_DIR."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llm_tools_mcp import paths
from llm_tools_mcp.client.spawning import SPAWNED_VARIABLE

if TYPE_CHECKING:
    import psutil

_OPTION = "--socket="


class Elsewhere(NamedTuple):
    socket: Path
    pid: int

    def __str__(self) -> str:
        return (
            f"another daemon of yours, pid {self.pid}, listens on {self.socket}: it was started where "
            "XDG_RUNTIME_DIR says something else (cron, env -i)"
        )


def daemons_elsewhere() -> list[Elsewhere]:
    """Those that were started on demand with this home; none where LLM_MCP_SOCKET says which one is meant."""
    if paths.socket_is_overridden():
        return []
    import psutil

    here, home = paths.socket_path(), Path.home()
    found = (_daemon(process, home) for process in psutil.process_iter())
    return sorted(one for one in found if one is not None and one.socket != here)


def _daemon(process: psutil.Process, home: Path) -> Elsewhere | None:
    import psutil

    try:
        words = process.cmdline()
        if "llm_tools_mcp.daemon" not in words or process.uids().effective != os.geteuid():
            return None
        environment = process.environ()
    except psutil.Error:
        return None
    sockets = [Path(word.removeprefix(_OPTION)) for word in words if word.startswith(_OPTION)]
    is_ours = SPAWNED_VARIABLE in environment and Path(environment.get("HOME") or home) == home
    return Elsewhere(sockets[0], process.pid) if sockets and is_ours else None
