"""Lists of servers on disk (resources, their templates, prompts), written by the daemon, read by both sides.

A shell that completes reads them where no daemon runs. A damaged entry counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.system.access import make_private_folder, open_unwaiting
from llm_tools_mcp.system.replacing import replace_private
from llm_tools_mcp.text import strict_json

# Seconds that a list is believed of a server that gives no other time.
BELIEVED_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class KnownList:
    """The result of a list method with the items of all pages, as the server gave it."""

    result: dict[str, Any]
    listed_at: float  # seconds since the epoch

    def is_fresh(self, now: float) -> bool:
        """Whether the server's own time for it (`ttlMs`), else ours, has not passed."""
        given = self.result.get("ttlMs")
        milliseconds = given if isinstance(given, int | float) else BELIEVED_SECONDS * 1000
        return 0 <= (now - self.listed_at) * 1000 < milliseconds  # not divided: it may have 400 digits


def folder() -> Path:
    return paths.cache_folder() / "lists"


def load(folder: Path, key: str, method: str) -> KnownList | None:
    """`key` is the identity of a definition, or its cache_key: then it may be of another folder."""
    try:
        with open(_path(folder, key, method), "rb", opener=open_unwaiting) as file:
            entry = json.loads(file.read())
        return KnownList(dict(entry["result"]), float(entry["listed_at"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def store(folder: Path, keys: Iterable[str], method: str, known: KnownList) -> None:
    """The same under each of the keys. Raises OSError."""
    make_private_folder(folder)
    content = strict_json.dumps({"listed_at": known.listed_at, "result": known.result}).encode()
    for key in keys:
        replace_private(_path(folder, key, method), content)


def _path(folder: Path, key: str, method: str) -> Path:
    return folder / f"{key}.{method.replace('/', '-')}.json"
