"""The part of the caller's environment that travels to the daemon, which expands it (expansion.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What a stdio server inherits, as in the MCP SDK; everything else has to be named in the config.
INHERITED_VARIABLES = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PROXY_VARIABLES = (*_PROXIES, *(name.lower() for name in _PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR")

CALLER_VARIABLES = (*INHERITED_VARIABLES, *PROXY_VARIABLES)

NAME = "[A-Za-z_][A-Za-z0-9_]*"
# Only the beginning: in raw JSON text an unclosed ${A:-  would swallow the mentions behind it.
_MENTION = rf"\$\{{(?:env:)?({NAME})(?=:-|\}})"


def mentioned_variables(text: str) -> frozenset[str]:
    """The names in ${VAR}, ${env:VAR} and the same with a default, wherever they stand in the text."""
    return frozenset(re.findall(_MENTION, text))


def caller_environment(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the daemon needs of `environ` to resolve the config `text`."""
    names = dict.fromkeys((*CALLER_VARIABLES, *sorted(mentioned_variables(text))))
    values = {name: _sendable(name, environ[name]) for name in names if name in environ}
    return {name: value for name, value in values.items() if value is not None}


def _sendable(name: str, value: str) -> str | None:
    """None for exported shell functions and for bytes that are not UTF-8, which the wire refuses."""
    if value.startswith("()"):
        return None
    if name == "PATH":  # one odd folder must not cost the others
        return ":".join(folder for folder in value.split(":") if _is_utf8(folder))
    return value if _is_utf8(value) else None


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
