"""The folders that a stdio server of the older eras is told to work in (MCP's roots).

The caller's; but servers take roots as the whole of what is allowed, in place of what their arguments name
(server-filesystem 2025.8 does). So where the arguments name folders, these are the roots: the entry in the
config is the person's word on what the server may touch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.config import ServerDefinition, Transport

# Options without a value, which an argument may follow that is none of theirs.
_FLAGS = frozenset({"-y", "--yes", "-q", "--quiet", "--"})


def roots_of(definition: ServerDefinition) -> list[dict[str, Any]] | None:
    """As MCP lists them; None for servers that are not told any."""
    if definition.transport is not Transport.STDIO:
        return None
    folders = list(dict.fromkeys(_named(definition))) or [definition.cwd]
    return [
        {"uri": Path(folder).as_uri(), "name": paths.sendable(Path(folder).name or folder)}
        for folder in folders
    ]


def _named(definition: ServerDefinition) -> Iterator[str]:
    """Existing folders that stand by themselves: of `--directory /srv/x` the option says what it is for."""
    before = ""
    for arg in definition.args:
        is_value = before.startswith("-") and before not in _FLAGS and "=" not in before
        looks_like_path = arg in (".", "..", "~") or "/" in arg
        path = os.path.normpath(os.path.join(definition.cwd, arg))  # noqa: PTH118 - as the server would
        if looks_like_path and not is_value and os.path.isdir(path):  # noqa: PTH112 - of a text
            yield path
        before = arg
