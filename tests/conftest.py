"""Fixtures for all tests. Real programs in a home of their own; see tests/home.py and tests/servers.

home           Home: an isolated HOME, config folder, llm folder and daemon socket; `home.env`, `home.work`,
               `home.processes()`. Afterwards its daemon is stopped; a process that is left fails the test.
served         one Home for the tests of a module that change nothing in it; its servers are listed already
write_config   home.write_config(servers, path=None) -> Path
run_llm        home.run_llm(*args, input=None, cwd=None, env=None, timeout=60, check=True) -> Result,
run_cli        the same with `llm-mcp`. Result has code, stdout, stderr, seconds.
               Each costs a process; home.run_here(*args) is `llm-mcp` in this one.
serve_http     serve_http("http" or "sse", *args, port=0, env=None) -> HttpServer: .url, .port, .stop();
               everything.py with these arguments, such as "--token", "T"
npm_server     npm_server("server-filesystem") -> argv. These two skip where it is not installed:
time_server    argv of mcp-server-time. Mark their tests `external`.

To import: `wait_until`, `wait_until_async` (tests.waiting), `run`, `processes_with` (tests.programs) and
`everything_server`, `naming_server`, `faulty_server`, `entry` (tests.servers).
"""

from __future__ import annotations

import compileall
import gc
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import llm_tools_mcp
from tests import external
from tests.home import Home
from tests.programs import end
from tests.servers import entry, everything_server, naming_server

# Groups that CI has everything for: there a skipped test is a failed one.
REQUIRED_IN_CI = ("external", "systemd")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """With the servers `every` and `names`, listed already, and a file."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    home.write_config(
        {
            "every": entry(everything_server()),
            "names": entry(naming_server("alpha", "beta")),
        }
    )
    (home.work / "folder").mkdir()
    (home.work / "folder" / "note.txt").write_text("a note")
    home.run_here("tools")
    yield home
    home.close()


@pytest.fixture
def write_config(home: Home) -> Callable[..., Path]:
    return home.write_config


@pytest.fixture
def run_llm(home: Home) -> Callable[..., object]:
    return home.run_llm


@pytest.fixture
def run_cli(home: Home) -> Callable[..., object]:
    return home.run_cli


@dataclass
class HttpServer:
    """everything.py behind a port of this machine."""

    process: subprocess.Popen[str]
    port: int
    path: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.path}"

    def stop(self) -> None:
        end(self.process)
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def serve_http() -> Iterator[Callable[..., HttpServer]]:
    """Starts HTTP servers and ends them; returns once they listen."""
    servers: list[HttpServer] = []

    def serve(kind: str = "http", *args: str, port: int = 0, env: dict[str, str] | None = None) -> HttpServer:
        argv = everything_server(f"--{kind}", str(port), *args)
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        server = HttpServer(process, port, "sse" if kind == "sse" else "mcp")
        servers.append(server)
        assert process.stdout
        word, _, number = process.stdout.readline().partition(" ")
        assert word == "PORT", f"{argv} did not start"
        server.port = int(number)
        return server

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def npm_server() -> Callable[[str], list[str]]:
    return lambda name: _or_skip(lambda: external.npm_server(name))


@pytest.fixture(scope="session")
def time_server() -> list[str]:
    return _or_skip(external.time_server)


def _or_skip(find: Callable[[], list[str]]) -> list[str]:
    try:
        return find()
    except external.Unavailable as why:
        pytest.skip(str(why))


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all tests are found: else up to a third of the time of that, in each worker
    # Hundreds of commands load the package; some of them may not write, or are told not to.
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(llm_tools_mcp.__file__).parent, quiet=2)
    # So that fixtures end what they have started, also when a run is terminated; and in a shell's background
    # jobs, where SIGINT would be ignored by the commands that tests interrupt, too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests that take minutes, too")


# They type dozens of commands one after the other: begun last, they would be waited for by an idle machine.
LONGEST = ("tests/test_published.py", "tests/cli/test_walk.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    if not config.getoption("--soak"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: make soak"))


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """When CI=true, a skipped test of a required group has failed: green must mean that it ran."""
    report = yield
    marks = [name for name in REQUIRED_IN_CI if item.get_closest_marker(name)]
    if in_ci() and report.skipped and marks and not item.get_closest_marker("soak"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI may not skip tests marked {', '.join(marks)}: {reason}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()
    _require_groups(session)


def _require_groups(session: pytest.Session) -> None:
    """Nor may a required group be missing altogether from a whole run, say by a skip of its module."""
    whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if in_ci() and whole and not session.config.option.keyword and not session.config.option.markexpr:
        found = {mark.name for item in session.items for mark in item.iter_markers()}
        if missing := sorted(set(REQUIRED_IN_CI) - found):
            raise pytest.UsageError(f"CI must run tests marked {', '.join(missing)}, and found none")
