"""What a caller must say of itself, and what is taken where it does not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import unexpected
from llm_tools_mcp.daemon.front.configs import ParsedConfigs
from llm_tools_mcp.daemon.server import orphans
from llm_tools_mcp.errors import ConfigError

CONFIG = json.dumps({"mcpServers": {"a": {"command": "/bin/true"}}})


def definition(**caller: object) -> ServerDefinition:
    message = v1.Caller(config=CONFIG, **caller)  # type: ignore[arg-type]
    (found,) = ParsedConfigs().get(message, v1.Protocol.PROTOCOL_UNSPECIFIED).servers.values()
    assert isinstance(found, ServerDefinition)
    return found


def test_missing_umask_is_the_daemons_own() -> None:
    """Zero means zero where it is said; where it is not, files are for their user alone."""
    assert definition(cwd="/w").umask == 0o077
    assert definition(cwd="/w", umask=0).umask == 0
    assert definition(cwd="/w", umask=0o22).umask == 0o022


@pytest.mark.parametrize("cwd", ["", "relative", "/w\0"])
def test_request_without_a_folder_is_refused(cwd: str) -> None:
    """Servers would run in the daemon's own, which is /."""
    with pytest.raises(ConfigError, match="does not name the folder"):
        definition(cwd=cwd)


def test_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """It comes as bytes, and is where the server runs."""
    folder = f"{tmp_path}/caf\udce9"
    assert definition(cwd="/caf?", raw_cwd=os.fsencode(folder)).cwd == folder


def test_environment_that_was_deleted_is_the_reason() -> None:
    """A module that cannot be loaded any more is told as what to do about it."""
    assert unexpected(ModuleNotFoundError("x")).endswith("was deleted or changed: llm mcp restart")
    assert "internal error in the daemon (KeyError)" in unexpected(KeyError("x"))


def test_daemon_in_another_pid_namespace_is_not_judged() -> None:
    """Its pid is nobody's here, or somebody else's: its servers are left alone."""
    socket = Path("/home/x/s")
    own = orphans.owner_mark(socket)
    _, _pid, created, namespace = own.split("|")
    assert not orphans._is_of_dead_daemon(f"{own}|1", socket)
    assert orphans._is_of_dead_daemon(f"{socket}|{2**22 + 1}|{created}|{namespace}|1", socket)
    assert not orphans._is_of_dead_daemon(f"{socket}|{2**22 + 1}|{created}|4026530000|1", socket)
