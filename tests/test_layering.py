"""The house stands: imports run one way, third parties have homes, and nothing heavy is loaded early."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.imports import PACKAGE, imports, modules
from tests.programs import run

# Each layer may import those above it. Modules of one layer do not know each other.
LAYERS = (
    ("errors", "plain"),
    ("paths",),
    ("arguments", "config", "interrupt", "naming", "patience", "v1"),
    ("outcome",),
    ("client",),
    ("service",),
    ("activation",),
    ("progress", "tools"),
    ("toolbox", "cli"),
    ("plugin",),
)
SHARED = ("errors", "paths", "config", "naming", "v1")
DAEMON_LAYERS = (
    ("backoff", "configs", "deadline", "distribution", "failure", "http2", "log", "memory"),
    ("orphans", "peer", "rpc", "sanitize", "sdk", "statistics"),
    ("claims", "events", "listeners", "listing", "process", "results", "tool_cache"),
    ("transport",),
    ("connection",),
    ("owner",),
    ("session",),
    ("pool",),
    ("acceptor", "servicer"),
    ("lifecycle",),
    ("__main__",),
)
# Knows none of ours, nor is known: a server of its own.
ALONE = ("demo_server",)
# The one lazy step of the command line to the daemon's side: `llm-mcp daemon`.
DAEMON_ENTRY = "daemon.__main__"

MCP_HOMES = ("daemon.connection", "daemon.results", "daemon.sdk", "daemon.transport", "demo_server")
HOMES = {
    "click": ("cli", "plugin", "toolbox"),
    "grpc": ("client", "outcome", "v1"),
    "h2": ("daemon.http2",),
    "hpack": ("daemon.http2",),
    "httpx2": MCP_HOMES,
    "llm": ("plugin", "toolbox"),
    "mcp": MCP_HOMES,
    "mcp_types": MCP_HOMES,
    "platformdirs": ("paths",),
    "prometheus_client": ("cli.metrics",),
    "pydantic": ("config", "daemon.connection", "demo_server"),  # connection: the SDK speaks in it
    "rich": ("cli", "progress"),
    "sdnotify": ("daemon.lifecycle",),
}
HEAVY = ("google.protobuf", "grpc", "mcp", "mcp_types", "platformdirs", "prometheus_client", "psutil", "rich")

MODULES = modules()


def ranks(layers: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    return {name: rank for rank, layer in enumerate(layers) for name in layer}


def ours(module: str) -> set[str]:
    """The modules of this package that `module` imports, dotted below the package."""
    found = imports(module, MODULES[module])
    return {name.removeprefix(f"{PACKAGE}.") for name in found if name.startswith(f"{PACKAGE}.")}


def part(module: str) -> str:
    return module.partition(".")[0]


def room(module: str) -> str:
    """Of a module of the daemon: its first part below `daemon`."""
    return part(module.removeprefix("daemon."))


def is_daemon(module: str) -> bool:
    return module.startswith("daemon.")


def upward(module: str, imported: set[str], rank: dict[str, int]) -> list[str]:
    """The imports that point up or sideways; what has no place does (its own test says so)."""
    nowhere = len(rank)
    return sorted(name for name in imported - {module} if rank.get(name, nowhere) >= rank[module])


def test_every_module_has_a_place() -> None:
    """A new module is given its layer here, or it is nobody's."""
    known = {*ranks(LAYERS), *ALONE, "", "daemon"}
    assert {part(module) for module in MODULES} <= known
    assert {room(module) for module in MODULES if is_daemon(module)} <= set(ranks(DAEMON_LAYERS))


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) in ranks(LAYERS)])
def test_imports_run_one_way(module: str) -> None:
    """A module outside the daemon imports only layers above its own, and the daemon never."""
    imported = ours(module)
    if part(module) == "cli":
        imported -= {DAEMON_ENTRY}
    assert [name for name in imported if part(name) in ("daemon", *ALONE)] == []
    assert upward(part(module), {part(name) for name in imported}, ranks(LAYERS)) == []


@pytest.mark.parametrize("module", [m for m in MODULES if is_daemon(m)])
def test_imports_run_one_way_in_the_daemon(module: str) -> None:
    """A module of the daemon imports only layers above its own, and what is shared with the client."""
    imported = ours(module)
    inside = {room(name) for name in imported if is_daemon(name)}
    assert [name for name in imported if not is_daemon(name) and part(name) not in SHARED] == []
    assert upward(room(module), inside, ranks(DAEMON_LAYERS)) == []


def test_demo_server_stands_alone() -> None:
    """The demo's MCP server is a server like any other: it imports nothing of ours."""
    assert [name for module in ALONE if module in MODULES for name in ours(module)] == []


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) == "cli"])
def test_step_to_the_daemon_is_lazy(module: str) -> None:
    """Loading the command line does not load the daemon."""
    loaded = imports(module, MODULES[module], at_load=True)
    assert [name for name in loaded if name.startswith(f"{PACKAGE}.daemon")] == []


@pytest.mark.parametrize("third_party", HOMES)
def test_third_parties_have_homes(third_party: str) -> None:
    """Each third party is imported in its few homes only."""
    users = {
        module
        for module, path in MODULES.items()
        if any(name == third_party or name.startswith(f"{third_party}.") for name in imports(module, path))
    }
    homes = HOMES[third_party]
    strangers = [user for user in users if not any(f"{user}.".startswith(f"{home}.") for home in homes)]
    assert strangers == []


def loaded_by(*steps: str, **env: str) -> list[set[str]]:
    """The modules that are loaded after each step, run one after the other in a fresh interpreter."""
    look = "seen.append(list(sys.modules))"
    program = "\n".join(["import json, sys", "seen = []", *(f"{step}\n{look}" for step in steps)])
    result = run([sys.executable, "-c", f"{program}\nprint(json.dumps(seen))"], env={**os.environ, **env})
    return [set(names) for names in json.loads(result.stdout)]


def named(heavy: tuple[str, ...], loaded: set[str]) -> list[str]:
    return sorted(set(heavy) & loaded)


def test_package_loads_nothing_else() -> None:
    """Importing the package loads no other module of it, and nothing heavy."""
    (loaded,) = loaded_by(f"import {PACKAGE}")
    assert [name for name in loaded if name.startswith(f"{PACKAGE}.")] == []
    assert named((*HEAVY, "click", "llm", "pydantic"), loaded) == []


def test_llm_is_not_loaded() -> None:
    """`llm-mcp` and the daemon do not pay for importing llm (0.3 to 0.6 s)."""
    for loaded in loaded_by(f"import {PACKAGE}.cli", f"import {PACKAGE}.daemon.__main__"):
        assert named(("llm",), loaded) == []


def test_plugin_adds_nothing_heavy() -> None:
    """Nothing heavy is loaded with the plugin, for which every `llm` command would pay, nor by its hooks,
    which every command that knows tools runs.
    """
    before, loaded, asked, registered = loaded_by(
        "import llm, llm.cli",
        f"import {PACKAGE}.plugin",
        "llm.get_tools()",
        f"from llm.plugins import pm; pm.register({PACKAGE}.plugin); assert 'MCP' in llm.get_tools()",
        LLM_LOAD_PLUGINS="",
    )
    assert f"{PACKAGE}.plugin" in loaded
    assert named(HEAVY, loaded - before) == []
    assert named(HEAVY, registered - asked) == []
