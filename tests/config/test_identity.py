"""When two definitions are the same server, and when they have the same tools."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_tools_mcp.config import ServerDefinition
from tests.parsing import CALLER, one, parsed

STDIO = {"command": "sh", "args": ["a"], "env": {"T": "1"}}
HTTP = {"url": "http://h/mcp", "headers": {"A": "1"}}
START = {"cwd": "/w", "umask": 0o022}


def keys(entry: object, caller: dict[str, str], context: dict[str, object]) -> tuple[str, str]:
    definition = one(entry, caller, **context)
    return definition.identity, definition.cache_key


@pytest.mark.parametrize(
    ("base", "entry", "caller", "context", "same_identity", "same_cache_key"),
    [
        (STDIO, {}, {}, {}, True, True),
        (STDIO, {"args": ["b"]}, {}, {}, False, False),
        (STDIO, {"args": ["a", ""]}, {}, {}, False, False),
        (STDIO, {"command": "ls"}, {}, {}, False, False),
        (STDIO, {"env": {"T": "2"}}, {}, {}, False, False),
        (STDIO, {"env": {"T": "1", "TERM": "x"}}, {}, {}, False, False),
        (STDIO, {"env": {}}, {}, {}, False, False),
        (STDIO, {"env": {"T": "1", "PATH": "/bin"}}, {}, {}, False, False),
        (STDIO, {"protocol": "legacy"}, {}, {}, False, False),
        (STDIO, {"type": "stdio", "odd": 1}, {}, {}, True, True),
        (STDIO, {"timeout": 1, "connectTimeout": 1, "idleTimeout": 1, "instances": 3}, {}, {}, True, True),
        (STDIO, {"includeTools": ["a"], "excludeTools": ["b"]}, {}, {}, True, True),
        (STDIO, {"headers": {"A": "1"}, "url": "http://h", "type": "stdio"}, {}, {}, True, True),
        (STDIO, {}, {"TERM": "dumb", "SHELL": "/bin/zsh"}, {}, True, True),
        (STDIO, {}, {"TOKEN": "other"}, {}, True, True),
        (STDIO, {}, {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "TZ": "UTC", "TMPDIR": "/t"}, {}, True, True),
        (STDIO, {}, {"DISPLAY": ":1", "XDG_RUNTIME_DIR": "/r", "SSH_AUTH_SOCK": "/s"}, {}, True, True),
        (STDIO, {}, {"HTTPS_PROXY": "x"}, {}, False, True),
        (STDIO, {}, {"NODE_EXTRA_CA_CERTS": "x"}, {}, False, True),
        (STDIO, {"env": {"T": "1", "LANG": "C"}}, {}, {}, False, False),
        (STDIO, {"inheritEnv": ["TOKEN"]}, {}, {}, False, False),
        (STDIO, {"inheritEnv": ["LANG", "NO_SUCH"]}, {}, {}, True, True),
        (STDIO, {}, {"HOME": "/h"}, {}, False, False),
        (STDIO, {}, {"USER": "v"}, {}, False, False),
        (STDIO, {}, {"PATH": "/bin:/usr/bin:/none"}, {}, False, True),
        (STDIO, {}, {"PATH": "/none"}, {}, False, True),
        (STDIO, {}, {}, {"cwd": "/v"}, False, True),
        (STDIO, {}, {}, {"umask": 0o077}, False, True),
        (STDIO, {"cwd": "/w"}, {}, {}, True, False),
        (HTTP, {}, {}, {}, True, True),
        (HTTP, {"url": "http://h/mcp?x"}, {}, {}, False, False),
        (HTTP, {"headers": {"A": "2"}}, {}, {}, False, False),
        (HTTP, {"headers": {}}, {}, {}, False, False),
        (HTTP, {"type": "sse"}, {}, {}, False, False),
        (HTTP, {"type": "streamable-http"}, {}, {}, True, True),
        (HTTP, {"protocol": "modern"}, {}, {}, False, False),
        (HTTP, {"env": {"A": "1"}, "cwd": "/x", "timeout": 5}, {}, {}, True, True),
        (HTTP, {}, {"HTTPS_PROXY": "http://q"}, {}, False, False),
        (HTTP, {}, {"SSL_CERT_FILE": "/d"}, {}, False, False),
        (HTTP, {}, {"PATH": "/x", "HOME": "/x", "TERM": "x"}, {"cwd": "/v", "umask": 0o077}, True, True),
    ],
)
def test_identity(base, entry, caller, context, same_identity, same_cache_key):
    """Two callers share a server when it would have been started identically, and a tool list when
    it would have been from any folder.
    """
    before = keys(base, CALLER, START)
    after = keys({**base, **entry}, {**CALLER, **caller}, {**START, **context})
    assert (before[0] == after[0], before[1] == after[1]) == (same_identity, same_cache_key)


def test_pinned_cwd_is_shared_between_folders():
    """That is what pinning is for."""
    pinned = {**STDIO, "cwd": "/p"}
    assert keys(pinned, CALLER, {"cwd": "/a"}) == keys(pinned, CALLER, {"cwd": "/b"})


def test_terminal_is_no_part_of_the_identity():
    """With the whole environment inherited, a second terminal shares the server all the same."""
    whole = {**STDIO, "inheritEnv": True}
    first = keys(whole, {**CALLER, "SHLVL": "1", "PWD": "/a", "_": "/bin/llm", "TMUX_PANE": "%1"}, START)
    assert keys(whole, {**CALLER, "SHLVL": "2", "WINDOWID": "7"}, START) == first
    assert keys(whole, {**CALLER, "ANOTHER": "1"}, START) != first


def test_folder_made_anew_is_another_server(tmp_path: Path):
    """As is one that was moved away; the tools are known from before."""
    work = tmp_path / "work"
    work.mkdir()
    before = one(STDIO, CALLER, cwd=work)
    assert before.is_current
    work.rename(tmp_path / "kept")
    assert not before.is_current
    work.mkdir()
    after = one(STDIO, CALLER, cwd=work)
    assert after.is_current
    assert (before.lineage, before.cache_key) == (after.lineage, after.cache_key)
    assert before.identity != after.identity
    (work / "file").touch()
    assert after.is_current


@pytest.mark.parametrize(
    ("entry", "is_other"),
    [
        ({"command": "python3", "args": ["-B", "{0}"]}, True),
        ({"command": "python3", "args": ["server.py", "--x"]}, True),
        ({"command": "{0}"}, True),
        ({"command": "./server.py"}, True),
        ({"command": "python3", "args": ["-c", "import this", "--config={0}"]}, False),
        ({"command": "cat", "args": ["data.db", "log.txt"]}, False),
    ],
)
def test_edited_program_is_another_server(tmp_path: Path, entry: dict[str, object], is_other: object):
    """The executable and scripts among the arguments count, data does not."""
    program = tmp_path / "server.py"
    files = [program, tmp_path / "data.db", tmp_path / "log.txt"]
    for file in files:
        file.write_text("#!/bin/sh")
        file.chmod(0o755)
    entry = json.loads(json.dumps(entry).replace("{0}", str(program)))
    before = one(entry, CALLER, cwd=tmp_path)
    for file in files:
        file.write_text("#!/bin/sh -e")
    after = one(entry, CALLER, cwd=tmp_path)
    assert (before.identity != after.identity, not before.is_current) == (is_other, is_other)
    assert before.cache_key == after.cache_key


def test_name_is_no_part_of_the_identity():
    """Two configs may call the same server differently."""
    first, second = parsed({"a": STDIO, "b": STDIO}, CALLER).servers.values()
    assert isinstance(first, ServerDefinition)
    assert isinstance(second, ServerDefinition)
    assert first.identity == second.identity != first.cache_key


def test_identity_is_the_same_in_another_process():
    """The cache on disk outlives the daemon."""
    program = (
        "import json, sys; from llm_tools_mcp.config import *\n"
        "caller = Context('/w', json.loads(sys.argv[2]))\n"
        "print(parse('', sys.argv[1], caller).servers['x'].cache_key)"
    )
    text = json.dumps({"mcpServers": {"x": STDIO}})
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    argv = [sys.executable, "-c", program, text, json.dumps(CALLER)]
    printed = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == one(STDIO, CALLER, cwd="/w").cache_key


def test_definition_is_frozen_and_hashable():
    """Resolved once, then a value: usable as a key, and not to be changed."""
    definition = one(STDIO, CALLER)
    assert len({definition, one(STDIO, CALLER)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        definition.command = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        definition.env["A"] = "1"  # type: ignore[index]
    assert dataclasses.replace(definition, args=()).identity != definition.identity
