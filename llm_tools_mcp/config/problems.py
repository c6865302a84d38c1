"""One thing wrong in a config, and several of them as one ConfigError.

A problem names server and key and never a value: values of env, headers, args and urls are secrets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from llm_tools_mcp.errors import ConfigError

from .secret_arguments import HIDDEN, holds_token

SHOWN = 5


class Problem(NamedTuple):
    message: str
    server: str | None = None
    key: str = ""

    def __str__(self) -> str:
        server = [] if self.server is None else [f"server {self.server!r}"]
        place = ", ".join([*server, *([f"key {self.key!r}"] if self.key else [])])
        return f"{place}: {self.message}" if place else self.message


def nested_key(key: str, inner: str | int) -> str:
    """`args[0]`, `env.TOKEN`. What is no name ("Authorization: Bearer …") may be a secret: hidden."""
    if isinstance(inner, int):
        return f"{key}[{inner}]"
    is_name = re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", inner) and not holds_token(inner)
    return f"{key}.{inner if is_name else HIDDEN}"


def config_error(path: str, problems: Sequence[Problem], repair: str = "") -> ConfigError:
    """All problems, one a line (five at most)."""
    reason = _listed([problem._replace(server=None) for problem in problems])
    return ConfigError(path, _listed(problems), repair, reason)


def _listed(problems: Sequence[Problem]) -> str:
    lines = list(dict.fromkeys(map(str, problems)))
    if len(lines) == 1:
        return lines[0]
    rest = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n  ".join([f"{len(lines)} errors", *lines[:SHOWN], *rest])
