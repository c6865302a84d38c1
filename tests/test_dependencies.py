"""Releases of others that do not fit: what we reach into has one place, and a way out or a clear line."""

from __future__ import annotations

import ast
import functools
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from h2.connection import H2Connection
from packaging.requirements import Requirement

from llm_tools_mcp import daemon, dependencies
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.front.http2 import engine
from llm_tools_mcp.daemon.loading import load_connections
from llm_tools_mcp.daemon.server import sdk, sdk_internals
from tests.daemon.live import Live, with_live
from tests.daemon.web import Legacy, serving
from tests.imports import modules
from tests.programs import run

# Of others, with the one module that uses them and what serves where they are gone. Each is a name that its
# owner does not promise: `getattr` finds out whether it is there.
PRIVATE = {
    ("daemon.server.sdk_internals", "mcp.client._probe"): "discover, else initialize",
    (
        "daemon.server.sdk_internals",
        "mcp.shared._httpx_utils",
    ): "httpx2's own requests, which follow no redirect",
    ("daemon.server.sdk_internals", "_stamp"): "ClientSession.send_request",
    ("daemon.server.sdk_internals", "_dispatcher"): "ClientSession.send_request",
    ("daemon.server.sdk_internals", "_dispatch"): "a message that the SDK cannot take ends the connection",
    (
        "daemon.server.sdk_internals",
        "_absorb_tool_listing",
    ): "tools that want headers get none",
    ("daemon.server.sdk_internals", "_build_capabilities"): "ClientSession.initialize",
    ("daemon.server.sdk_internals", "_client_info"): "ClientSession.initialize",
    ("client.channel", "_consume_next_event"): "the connection is let go when the process ends",
    ("client.channel", "_state"): "the same",
    ("daemon.distribution", "_path"): "of importlib: no handover after an upgrade",
}


def private_names(path: Path) -> set[str]:
    """Modules of others with an underscore, attributes that none of our modules defines, names in getattr."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {_from_the_private_one(name) for name in names if is_private_module(name)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if is_private_module(alias.name)}
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in ours():
            found.add(node.attr)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "hasattr")
        ):
            literal = node.args[1]
            if isinstance(literal, ast.Constant) and is_private(str(literal.value)):
                found.add(str(literal.value))
    return found


def _from_the_private_one(name: str) -> str:
    """a._b.c → a._b"""
    parts = name.split(".")
    last = next(place for place, part in enumerate(parts) if is_private(part))
    return ".".join(parts[: last + 1])


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_private_module(name: str) -> bool:
    top, *below = name.split(".")
    return top not in ("llm_tools_mcp", *sys.stdlib_module_names) and any(map(is_private, below))


def defined(path: Path) -> set[str]:
    """Names with an underscore that a module of ours gives to something of its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    found |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return found | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


@functools.cache
def ours() -> set[str]:
    of_the_standard_library = {"_exit", "_getframe", "_open"}
    return of_the_standard_library.union(*map(defined, modules().values()))


def test_private_names_of_others_are_used_in_one_place() -> None:
    """Each is in the table above, with what serves instead; a new one needs a way out, too."""
    found = {(module, name) for module, path in modules().items() for name in private_names(path)}
    assert found == set(PRIVATE)


@with_live
async def test_sdk_without_its_private_parts_serves_too(live: Live, monkeypatch: Any) -> None:
    """Where a release of the SDK has moved them: tools are listed and called, over stdio and http."""
    monkeypatch.setattr(sdk_internals, "_negotiate", None)
    monkeypatch.setattr(sdk, "absorbed", lambda _session, tools, **_: tools)
    monkeypatch.setattr(sdk_internals, "_raw_parts", lambda _session: None)
    monkeypatch.setattr(sdk_internals, "_of_http", lambda _name: None)
    stdio = live.faulty("fine")
    assert await live.names(stdio) == ["echo", "pid"]
    assert await live.call(stdio, "echo", text="hi") == "hi"
    async with serving(Legacy()) as web:
        assert await live.call(live.define({"web": {"url": web.url()}}), "echo") == "hi"
        await live.pool.aclose()


def lacking(module: str, name: str = "") -> ImportError:
    return ImportError(f"cannot import name {name!r} from {module!r}", name=module)


def test_release_that_is_too_new_is_named_with_what_to_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed version, and the command that gets one that was tried."""
    monkeypatch.setattr(metadata, "version", lambda _name: "99.1.2")
    text = dependencies.explained(lacking("h2.connection", "H2ConnectionStateMachine"))
    minor = dependencies._after(dependencies.TRIED["h2"])
    assert text.endswith(f"h2 99.1.2 is too new for it; try: llm install 'h2<{minor}'")
    assert "protobuf 99.1.2 is too new" in dependencies.explained(lacking("google.protobuf.message", "x"))


def test_what_is_missing_is_installed_again() -> None:
    """A release that was tried, or none, or something that we do not know."""
    for module in ("h2.connection", "grpc", "unheard_of"):
        assert dependencies.explained(lacking(module)).endswith("; try: llm install --upgrade llm-tools-mcp")


def test_daemon_that_cannot_be_loaded_says_so_in_one_line(tmp_path: Path) -> None:
    """In its log, which the prompt quotes."""
    package = tmp_path / "hpack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = run([sys.executable, "-m", daemon.__name__, f"--socket={tmp_path}/s"], env=env, check=False)
    assert done.code == 1
    assert done.stderr.startswith("llm-mcp: llm-tools-mcp cannot be loaded: No module named 'hpack.")
    assert len(done.stderr.splitlines()) == 1


def test_sdk_that_cannot_be_loaded_fails_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon serves, and each server says what is wrong."""
    monkeypatch.setitem(sys.modules, "llm_tools_mcp.daemon.server.connecting", None)
    with pytest.raises(ServerFailure) as caught:
        load_connections()
    assert caught.value.kind == Kind.START_FAILED
    assert "llm-tools-mcp cannot be loaded" in caught.value.text


def test_override_of_what_is_gone_is_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """h2 would overlook it in silence, and restarts would lose calls."""
    engine.check_overrides()
    monkeypatch.delattr(H2Connection, "clear_outbound_data_buffer")
    monkeypatch.setattr(metadata, "version", lambda _name: "4.99.0")
    with pytest.raises(ImportError) as caught:
        engine.check_overrides()
    assert "h2.connection.H2Connection has no clear_outbound_data_buffer" in str(caught.value)
    assert "h2 4.99.0 is too new for it" in dependencies.explained(caught.value)


def test_every_dependency_was_tried() -> None:
    """What pyproject.toml asks for stands in the table, but for what only Python 3.10 needs."""
    wanted = [Requirement(line) for line in metadata.requires("llm-tools-mcp") or []]
    needed = {one.name for one in wanted if "extra" not in str(one.marker)}
    assert needed - {"tomli"} == set(dependencies.TRIED)
