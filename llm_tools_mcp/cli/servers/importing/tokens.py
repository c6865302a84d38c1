"""Tokens that lie open in a config."""

from __future__ import annotations

import re
from typing import Any

from llm_tools_mcp.config.secret_arguments import TELLING, holds_token, secret_args

from .documents import Json


def literal_tokens(entry: Json) -> list[str]:
    """Advice on what lies open in the file from now on."""
    env = {f"env.{name}": (name, value) for name, value in _object(entry.get("env")).items()}
    headers = {
        f"headers.{name}": (_variable(name), value) for name, value in _object(entry.get("headers")).items()
    }
    found = {
        key: variable
        for key, (variable, value) in (env | headers).items()
        if isinstance(value, str) and value and "${" not in value and _is_telling(key, value)
    }
    notes = [f"{key} is a literal token: better as ${{{variable}}}" for key, variable in found.items()]
    args = [arg for arg in entry.get("args", []) if isinstance(arg, str) and "${" not in arg]
    if any(secret_args(args)):
        notes.append("a token stands in its args: better as ${VAR}")
    return notes


def _is_telling(key: str, value: str) -> bool:
    return bool(TELLING.search(key)) or holds_token(value)


def _variable(header: str) -> str:
    return "TOKEN" if header.lower() == "authorization" else re.sub(r"[^A-Za-z0-9]+", "_", header).upper()


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
