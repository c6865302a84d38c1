"""The house stands: imports run one way, third parties have homes, and nothing heavy is loaded early."""

from __future__ import annotations

import json
import os
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.imports import PACKAGE, imports, modules
from tests.programs import run

# The floors of the house, from the ground up. A place is a module, or a folder with all that is in it; of
# those that fit a module belongs to the longest. It imports only from lower floors and from its own place.
FLOORS = (
    ("dependencies", "errors", "system", "text"),
    ("paths",),
    ("acceptable", "config", "naming", "v1"),
    ("cache", "login"),
    ("consent", "published", "service", "terminal"),
    # the client's side                      the daemon's side
    (
        "client",
        *(
            f"daemon.{name}"
            for name in (
                "distribution",
                "failure",
                "limits",
                "lock",
                "log",
                "memory",
                "pid_file",
                "time_slice",
            )
        ),
    ),
    ("cli.command", "plugin", "daemon.listeners", "daemon.loading", "daemon.search", "daemon.server"),
    ("cli.rewriting", "cli.running_daemon", "daemon.pool"),
    ("cli.editing",),
    ("cli.known_lists", "cli.schema", "cli.secrets", "daemon.front"),
    ("cli.completers", "cli.typed_arguments", "daemon.lifecycle"),
    ("cli.tool_completers", "daemon.__main__"),
    ("cli.tools",),
    ("cli.login", "cli.resources"),
    ("cli.servers",),
    ("cli.daemon",),
    ("cli.help",),
    ("cli",),
)
# What both sides may import: they never import each other.
SHARED = (
    *("dependencies", "errors", "paths", "system", "text"),
    *("cache", "config", "login", "naming", "v1"),
)
# Knows none of ours, nor is known: a server of its own.
DEMO_SERVER = "cli.help.demo_server"
# The one lazy step of the command line to the daemon's side: `llm-mcp daemon`.
DAEMON_ENTRY = ("cli.daemon.start_stop", "daemon.__main__")
# And the lazy ones to the group itself, from above: the plugin hands it to llm, completion asks it.
GROUP_USERS = ("cli.help.completion", "plugin.hooks")

MCP_HOMES = ("daemon.server", DEMO_SERVER)
HOMES = {
    "click": ("cli", "plugin", "terminal"),
    "grpc": ("client", "v1"),
    "h2": ("daemon.front.http2",),
    "hpack": ("daemon.front.http2",),
    "cryptography": ("login.token",),
    "httpx2": (*MCP_HOMES, "login", "published.web"),
    "jsonschema": ("daemon.pool.conformity",),
    "llm": ("plugin",),
    "mcp": (*MCP_HOMES, "login"),
    "mcp_types": MCP_HOMES,
    "platformdirs": ("paths",),
    "prometheus_client": ("cli.daemon.metrics",),
    "pydantic": ("config", "daemon.server", DEMO_SERVER),  # server: the SDK speaks in it
    "dotenv": ("config.env_file",),
    "rapidjson": ("config.document",),
    "referencing": ("daemon.pool.conformity",),
    "rich": ("cli", "terminal"),
    "yaml": ("cli.servers.importing.documents",),
    "sdnotify": ("daemon.lifecycle",),
    "uritemplate": ("client.templates",),
}
HEAVY = (
    "google.protobuf",
    "grpc",
    "mcp",
    "mcp_types",
    "platformdirs",
    "prometheus_client",
    "psutil",
    "rapidjson",
    "rich",
)

MODULES = modules()


FLOOR_OF = {place: floor for floor, places in enumerate(FLOORS) for place in places}


def ours(module: str, *, at_load: bool = False) -> set[str]:
    """The modules of this package that `module` imports, dotted below the package."""
    found = imports(module, MODULES[module], at_load=at_load)
    return {name.removeprefix(f"{PACKAGE}.") for name in found if name.startswith(f"{PACKAGE}.")}


def place_of(module: str) -> str | None:
    """The longest place that fits, if there is one."""
    parts = module.split(".")
    prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in FLOOR_OF), None)


def is_allowed(module: str, imported: str) -> bool:
    """Whether the import points down, or stays in its place."""
    if (module, imported) == DAEMON_ENTRY or (module in GROUP_USERS and imported == "cli"):
        return True
    here, there = place_of(module), place_of(imported)
    return here is not None and there is not None and (here == there or FLOOR_OF[there] < FLOOR_OF[here])


def is_daemon(module: str) -> bool:
    return module.startswith("daemon.")


def rooms_of(module: str) -> set[str]:
    """Itself and all folders that it lies in."""
    parts = module.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def test_every_module_has_a_place() -> None:
    """A new module or folder is given its floor here, or it is nobody's."""
    assert [module for module in MODULES if module not in ("", "daemon") and place_of(module) is None] == []


def test_every_place_exists() -> None:
    """The floors name no place that is gone."""
    existing = set().union(*map(rooms_of, MODULES))
    assert [place for place in FLOOR_OF if place not in existing] == []


# Those that follow look at all modules in one test each: the workers of a run would parse them all otherwise.


def test_imports_run_one_way() -> None:
    """A module imports only from lower floors and from its own place."""
    modules = [module for module in MODULES if module not in ("", "daemon")]
    arrows = [(module, name) for module in modules for name in sorted(ours(module) - {module})]
    assert [arrow for arrow in arrows if not is_allowed(*arrow)] == []


def test_daemon_side_knows_nothing_of_the_clients() -> None:
    """A module of the daemon imports only the daemon's own, and what both sides share."""
    arrows = [(module, name) for module in filter(is_daemon, MODULES) for name in ours(module)]
    assert [arrow for arrow in arrows if not is_daemon(arrow[1]) and not rooms_of(arrow[1]) & {*SHARED}] == []


def test_client_side_knows_nothing_of_the_daemon() -> None:
    """But for the one lazy step of `llm-mcp daemon`."""
    modules = [module for module in MODULES if not is_daemon(module)]
    arrows = [(module, name) for module in modules for name in ours(module) if is_daemon(name)]
    assert [arrow for arrow in arrows if arrow != DAEMON_ENTRY] == []
    assert [
        (module, name) for module in modules for name in ours(module, at_load=True) if is_daemon(name)
    ] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also within a place, and lazily; but a package may be asked for what it names (`__init__`)."""
    graph = {module: ours(module) & set(MODULES) - {module} for module in MODULES}
    for module in GROUP_USERS:
        graph[module].discard("cli")
    packages = {module for module, path in MODULES.items() if path.name == "__init__.py"}
    graph = {
        module: {name for name in names if name not in packages or not module.startswith(f"{name}.")}
        for module, names in graph.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imported in a circle: {' → '.join(error.args[1])}")


def test_demo_server_stands_alone() -> None:
    """The demo's MCP server is a server like any other: it imports nothing of ours."""
    assert ours(DEMO_SERVER) == set()


def test_third_parties_have_homes() -> None:
    """Each third party is imported in its few homes only."""
    used = [
        (module, name.partition(".")[0]) for module, path in MODULES.items() for name in imports(module, path)
    ]
    strangers = [
        (module, third_party)
        for module, third_party in used
        if not any(f"{module}.".startswith(f"{home}.") for home in HOMES.get(third_party, (module,)))
    ]
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


def test_daemon_is_ready_before_the_sdk_is_loaded() -> None:
    """The prompt that starts it waits for READY, and has its tools before the SDK is loaded in a thread."""
    (loaded,) = loaded_by(f"import {PACKAGE}.daemon.__main__")
    assert (
        named(
            ("httpx2", "importlib.metadata", "keyring", "mcp", "mcp_types", "psutil", "pydantic_core"), loaded
        )
        == []
    )


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
