"""Who asks, as every request to the daemon says it: the config, and all that is the caller's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_tools_mcp import config, paths, v1
from llm_tools_mcp.config import ConfigSource
from llm_tools_mcp.text import strict_json


def make_caller(source: ConfigSource, *, by_hand: bool = False) -> v1.Caller:
    """Who asks, and with which config: what the daemon needs to run servers as the caller would.

    `by_hand`: a person has asked for the servers themselves, and does not want one to be left alone.
    """
    cwd, project = paths.current_folder(), source.project
    texts = [source.text, *([project.text] if project else [])]
    own = config.confided(source.text, os.environ)
    theirs = project.confided if project else config.NOTHING_CONFIDED
    env_files = [
        value for one in (own, theirs) for key, value in one.values.items() if key.startswith("envFile:")
    ]
    environment: dict[str, str] = {}
    for text in (*texts, *env_files):
        environment |= config.caller_environment(text, os.environ)
    return v1.Caller(
        config_path=paths.sendable(source.path),
        config=source.text,
        cwd=paths.sendable(cwd),
        raw_cwd=b"" if paths.sendable(cwd) == cwd else os.fsencode(cwd),
        environment=environment,
        confided=own.values,
        missing=own.missing,
        umask=_umask(),
        project_path=paths.sendable(project.path if project else source.untrusted),
        project_config=project.text if project else "",
        project_folder=os.fsencode(project.folder) if project else b"",
        project_confided=theirs.values,
        project_missing=theirs.missing,
        can_answer=True,
        by_hand=by_hand,
    )


def _umask() -> int:
    try:
        with Path("/proc/self/status").open(encoding="ascii", errors="replace") as status:
            return int(next(line for line in status if line.startswith("Umask:")).split()[1], 8)
    except (OSError, StopIteration, ValueError):
        current = os.umask(0o077)  # elsewhere it can only be read by setting it
        os.umask(current)
        return current


def make_call(
    caller: v1.Caller,
    server: str,
    tool: str,
    arguments: Mapping[str, Any],
    protocol: v1.Protocol.ValueType = v1.Protocol.PROTOCOL_UNSPECIFIED,
) -> v1.CallToolRequest:
    """The request for one tool call. Raises TypeError for arguments that JSON cannot express."""
    return v1.CallToolRequest(
        caller=caller, server=server, tool=tool, arguments=strict_json.dumps(arguments), protocol=protocol
    )
