"""Parsing configs in tests: one server, or several, as a caller in /work would have it."""

from __future__ import annotations

import json

import pytest

from llm_tools_mcp.config import Config, Context, ServerDefinition, parse
from llm_tools_mcp.errors import ConfigError

PATH = "/home/u/.llm-tools-mcp/mcp.json"


def parsed(servers: object, environment: dict[str, str] | None = None, **context: object) -> Config:
    caller = Context(
        str(context.get("cwd", "/work")), environment or {}, int(str(context.get("umask", 0o022)))
    )
    return parse(PATH, json.dumps({"mcpServers": servers}), caller, context.get("protocol"))  # type: ignore[arg-type]


def one(entry: object, environment: dict[str, str] | None = None, **context: object) -> ServerDefinition:
    found = parsed({"x": entry}, environment, **context).servers["x"]
    assert isinstance(found, ServerDefinition), found
    return found


def refused(text: str) -> str:
    """The message that the whole file is refused with."""
    with pytest.raises(ConfigError) as error:
        parse(PATH, text, Context("/work", {}))
    assert str(error.value).startswith(f"{PATH}: ")
    assert error.value.__cause__ is None
    assert error.value.__context__ is None
    return str(error.value)


CALLER = {
    "HOME": "/home/u",
    "LOGNAME": "u",
    "USER": "u",
    "PATH": "/usr/bin:/bin",
    "SHELL": "/bin/sh",
    "TERM": "xterm",
    "TOKEN": "t",
    "HTTPS_PROXY": "http://p",
    "SSL_CERT_FILE": "/c",
}
