"""A daemon that may open few files: what it cannot start says so, and everything else goes on."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from llm_tools_mcp.client.channel import DaemonClient
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import Legacy, serving
from tests.home import BIN, Home
from tests.servers import entry, faulty_server

WORDS = "the daemon has too many open files (ulimit -n)"


@contextmanager
def no_more_files() -> Iterator[None]:
    """As if this process had all files open that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_lowest_free(), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _lowest_free() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


@pytest.mark.parametrize("kind", ["stdio", "mcp", "sse"])
@with_live
async def test_server_that_lacks_files_says_so(live: Live, kind: str) -> None:
    """The failure names the limit; once there is room the server starts."""
    async with serving(Legacy()) as web:
        entries = {"stdio": entry(faulty_server("fine"))}
        server = live.define({"one": entries.get(kind, {"url": web.url(f"/{kind}")})})
        await live.names(live.define({"other": entry(faulty_server("fine"), env={"OTHER": "1"})}))
        if kind != "stdio":
            await failure_of(live.names(live.define({"warm": {"url": f"http://127.0.0.1:1/{kind}"}})))
        with no_more_files():
            failure = await failure_of(live.names(server))
        assert WORDS in failure.text
        if kind != "sse":
            live.session(server).stop()
            assert "echo" in await live.names(server)
        await live.pool.aclose()


def test_daemon_with_a_low_limit_survives_many_servers(home: Home) -> None:
    """Of thirty servers some cannot be started and name the limit; the others, and the daemon, work."""
    home.write_config(
        {f"s{number}": entry(faulty_server("fine"), env={"N": str(number)}) for number in range(30)}
    )
    limited = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh", BIN / "llm-mcp")
    done = home.run(*limited, "tools", check=False)
    assert "Warning: s29: the daemon has too many open files (ulimit -n)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "s0\n  echo" in done.stdout
    assert home.run_cli("health").code == 0
    assert home.run_cli("call", "s0", "echo", "text=hi").stdout == "hi\n"


def test_daemon_allows_itself_more_files_than_a_shell(home: Home) -> None:
    """A hundred clients at once need three hundred files; the shell that began it allowed 128."""
    home.write_config({"one": entry(faulty_server("fine"))})
    limited = ("sh", "-c", 'ulimit -Sn 128; exec "$@"', "sh", BIN / "llm-mcp")
    home.run(*limited, "tools")
    with ExitStack() as clients:
        for _ in range(100):
            assert clients.enter_context(DaemonClient(home.socket)).health().pid
