"""What an error of JSON-RPC says: its message, and where that is merely what its code is called, its data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from llm_tools_mcp.text.plain import plain

# Where servers put their reason, the more telling ones first.
_KEYS = ("detail", "details", "reason", "message", "error", "description")
_DEMANDS = ("supported", "requiredCapabilities")
_SESSION = re.compile(r"session|not initiali[sz]ed", re.IGNORECASE)
_LONGEST = 500  # characters of what stands in the data
_MOST = 20_000  # of the message: a model is told it whole, and has no way to read on
# The names of codes (JSON-RPC 2.0, 5.1), and their kin.
_NAME_OF_A_CODE = re.compile(
    r"((mcp|json-?rpc) )?((internal|server|unknown|application|tool|parse|execution) )*(error|failure|failed)"
    r"( -?\d+)?|invalid (params|parameters|request|arguments)|bad request|method not found|",
    re.IGNORECASE,
)


def is_of_a_session(message: str) -> bool:
    """As a server speaks of one that it does not know; that decides nothing about a call."""
    return bool(_SESSION.search(message))


def words_of(code: int, message: str, data: Any, redacted: Callable[[str], str] = str) -> str:
    """`redacted` takes out secrets: of one that was cut in two it would not know the halves."""
    said = redacted(plain(message).strip())
    is_name = _NAME_OF_A_CODE.fullmatch(said.rstrip(".!:"))
    detail = redacted(plain(_detail(data, 0) if is_name else _demand(data)).strip())[:_LONGEST]
    if len(said) > _MOST:
        said = f"{said[:_MOST]}… ({len(said) - _MOST:,} characters more)"
    told = ": ".join(filter(None, (said, detail)))
    return told or f"it answered with error {code}, and said nothing about it"


def _demand(data: Any) -> str:
    """What the specification has an error say: which versions are known, which capabilities it needs."""
    if not isinstance(data, dict):
        return ""
    found = ((key, data[key]) for key in _DEMANDS if data.get(key))
    return "; ".join(
        f"{key} {', '.join(map(str, some))}" for key, some in found if isinstance(some, list | dict)
    )


def _detail(data: Any, depth: int) -> str:
    """A text, or what stands at one of the keys; nothing of what is made for programs."""
    if isinstance(data, str):
        return data
    if isinstance(data, list) and data and depth < 2:
        return _detail(data[0], depth + 1)
    if not isinstance(data, dict) or depth > 2:
        return ""
    found = (_detail(data[key], depth + 1) for key in _KEYS if key in data)
    return next(filter(None, found), "")
