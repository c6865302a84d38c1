"""The composition root: builds everything and passes it in. `python -m llm_tools_mcp.daemon`."""

from __future__ import annotations

import gc
import os

# Until all is loaded, which stays: looking for garbage in it is a seventh of the SDK's 0.5 s.
gc.disable()
# Pydantic loads zoneinfo, which else loads all that Python was built with to learn where time zones are.
os.environ.setdefault("PYTHONTZPATH", "")
# And looks for plugins of its own in all that is installed, for 12 ms of the first prompt.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
# The SDK offers its calls to OpenTelemetry, which would look for a trace to pass on at each of them.
os.environ.setdefault("OTEL_PROPAGATORS", "none")

from llm_tools_mcp import dependencies

dependencies.report_in_a_line()  # before anything of somebody else's is loaded

import asyncio
import functools
import getopt
import logging
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from llm_tools_mcp import __version__, paths, v1
from llm_tools_mcp.cache import known_lists, tool_lists
from llm_tools_mcp.cache.pruning import prune_unused
from llm_tools_mcp.config import Protocol, ServerDefinition
from llm_tools_mcp.errors import DaemonError
from llm_tools_mcp.login.store import LoginStore
from llm_tools_mcp.system import access
from llm_tools_mcp.system.peer import trusted_uids

from . import limits
from .distribution import Distribution
from .front import rpc
from .front.acceptor import Acceptor
from .front.http2 import Connection as ClientConnection
from .front.http2 import RequestMemory
from .front.pending_questions import Questions
from .front.servicer import Servicer
from .lifecycle import Lifecycle, Notifier, drain
from .listeners import Listeners, Origin, listen
from .loading import load_connections
from .log import Logs
from .memory import Trimmer, collect_if_due
from .pid_file import pid_file
from .pool.list_cache import ListCache
from .pool.pool import Pool
from .pool.session import Session
from .pool.tool_cache import ToolCache
from .server.logins import Logins
from .server.tokens import Renewals

if TYPE_CHECKING:
    from .server.connection import Connection

T = TypeVar("T")

_log = logging.getLogger("llm_tools_mcp.daemon")  # not __name__: under `python -m` that is __main__

# Set by the client that spawns a daemon.
SPAWNED_VARIABLE = "LLM_MCP_SPAWNED"

_EXIT_REFUSED = 1

# Seconds after READY: the prompt that started us asks for its tools first.
_SWEEP_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    socket: Path
    log_file: Path | None
    log_level: str
    idle_timeout: float  # seconds; 0 = never


class Daemon:
    """Everything that one daemon consists of, wired together."""

    def __init__(self, options: Options, listeners: Listeners, logs: Logs, notifier: Notifier) -> None:
        self._started = time.monotonic()
        self._listeners = listeners
        self._logs = logs
        self._socket = options.socket
        self._connections: asyncio.Future[ModuleType] | None = None
        self._background: list[asyncio.Future[Any]] = []
        self._distribution = Distribution("llm-tools-mcp", __version__)
        self._spawned = bool(os.environ.pop(SPAWNED_VARIABLE, ""))
        self.lifecycle = Lifecycle(
            notifier,
            idle_timeout=options.idle_timeout,
            is_idle=self._is_idle,
            is_reachable=listeners.is_current,
            status=self._describe,
            tidy=self._tidy,
            reload=self._reload,
        )
        logins = Logins(LoginStore(paths.logins_file()))
        self._renewals = Renewals(logins)
        self.pool = Pool(
            self._connect,
            ToolCache(tool_lists.folder()),
            ListCache(known_lists.folder()),
            clock=time.monotonic,
            on_change=self.lifecycle.note_change,
        )
        self.acceptor = Acceptor(
            self._serve_client,
            allowed_uids=trusted_uids(),
            on_change=self.lifecycle.note_change,
        )
        self.questions = Questions()
        self.servicer = self._made_servicer(logins)
        self._server = rpc.Server(rpc.methods(v1.SERVICE, self.servicer), max_message=v1.MAX_MESSAGE_BYTES)
        self._request_memory = RequestMemory(2 * v1.MAX_MESSAGE_BYTES, Trimmer().note)

    def _made_servicer(self, logins: Logins) -> Servicer:
        return Servicer(
            self.pool,
            logins,
            self.questions,
            health=self.health,
            connections=lambda: self.acceptor.connections,
            socket=paths.sendable(self._socket),
            shut_down=self.lifecycle.shut_down,
            is_outdated=self._distribution.is_outdated,
        )

    async def serve(self) -> None:
        self.acceptor.start(self._listeners.sockets)
        _log.info("llm-mcp %s serves on %s (pid %d)", __version__, self._socket, os.getpid())
        loop = asyncio.get_running_loop()
        # At once: a prompt that has started us loads itself on meanwhile, and its first call waits for this.
        begin = loop.call_soon(self._loading)
        sweep = loop.call_later(_SWEEP_PAUSE, self._sweeping)
        with pid_file(wanted=self._spawned):
            try:
                await self.lifecycle.run()
            finally:
                begin.cancel()
                sweep.cancel()
                await drain(self._listeners, self.acceptor, self.pool, self.questions)
                await self._renewals.aclose()
                await asyncio.gather(*self._background, return_exceptions=True)

    def _loading(self) -> asyncio.Future[ModuleType]:
        """What connections are made of; begun when it is first asked for."""
        if self._connections is None:
            self._connections = self._in_background(load_connections)
        return self._connections

    def _sweeping(self) -> None:
        self._in_background(self._sweep)

    def _in_background(self, work: Callable[[], T]) -> asyncio.Future[T]:
        future = asyncio.get_running_loop().run_in_executor(None, work)
        self._background.append(future)
        return future

    def _serve_client(self, sock: socket.socket) -> ClientConnection:
        return ClientConnection(sock, self._server, self._request_memory)

    def _sweep(self) -> None:
        from .server import orphans  # psutil, for which no prompt shall wait

        orphans.sweep(self._socket)
        for folder in (tool_lists.folder(), known_lists.folder()):
            prune_unused(folder)

    @asynccontextmanager
    async def _connect(
        self, definition: ServerDefinition, session: Session, protocol: Protocol
    ) -> AsyncIterator[Connection]:
        module = await asyncio.shield(self._loading())
        from .server import orphans  # loaded by now

        hooks = module.Hooks(
            on_log=functools.partial(self._log_line, session),
            on_message=session.calls.note,
            on_changed=session.on_changed,
            ask=session.calls.ask,
        )
        owner = orphans.owner_mark(self._socket)
        async with module.connect(definition, hooks, owner, protocol, self._renewals) as connection:
            yield connection

    def _log_line(self, session: Session, line: str) -> None:
        """In the log of each name that the server has: whoever looks there knows of no other."""
        session.note_line(line)
        for name in session.names:
            self._logs.server_line(name, line)

    def health(self) -> v1.HealthResponse:
        stopping = self.lifecycle.is_stopping
        return v1.HealthResponse(
            state=v1.HealthResponse.DRAINING if stopping else v1.HealthResponse.SERVING,
            version=__version__,
            installed_version=self._distribution.installed_version(),
            protocol_major=v1.PROTOCOL_MAJOR,
            pid=os.getpid(),
            uptime_seconds=time.monotonic() - self._started,
            supervisor=self._supervisor(),
            log=self._logs.place,
        )

    def _supervisor(self) -> str:
        if self._listeners.origin is not Origin.BOUND:
            return str(self._listeners.origin.value)
        return "spawned" if self._spawned else "foreground"

    def _is_idle(self) -> bool:
        return self.acceptor.connections == 0 and not self.pool.sessions.is_busy

    def _describe(self) -> str:
        sessions = self.pool.sessions
        return f"{sessions.live} servers connected, {sessions.in_use} calls in flight"

    def _tidy(self) -> None:
        self.pool.sessions.expire()
        if not self.pool.sessions.is_busy:
            collect_if_due()

    def _reload(self) -> None:
        _log.info("reloading: configs are parsed anew")
        self.servicer.forget_configs()
        self._logs.reopen()


def _check_proc() -> None:
    if access.lacks_proc():
        raise DaemonError(access.NO_PROC)


def run(options: Options) -> int:
    """Run the daemon until it stops; returns the exit code."""
    os.umask(0o077)  # what it makes is for its user alone; servers get the umask of their callers
    limits.allow_open_files()
    limits.keep_out_of_cores()
    if SPAWNED_VARIABLE in os.environ:
        limits.lift()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it is heeded: it must end nobody who holds the lock
    notifier = Notifier(os.environ)
    try:
        _check_proc()
        logs = Logs(options.log_file, options.log_level, os.environ)
        with closing(listen(options.socket, os.environ)) as listeners:
            asyncio.run(_serve(options, listeners, logs, notifier))
    except DaemonError as error:
        sys.stderr.write(f"llm-mcp: {error}\n")
        return _EXIT_REFUSED
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(f"llm-mcp: {access.obstacle(error)}\n")
        return _EXIT_REFUSED
    return 0


async def _serve(options: Options, listeners: Listeners, logs: Logs, notifier: Notifier) -> None:
    daemon = Daemon(options, listeners, logs, notifier)
    daemon.lifecycle.heed_signals()
    await daemon.serve()


def main(argv: Sequence[str]) -> int:
    """As a client spawns it; people type `llm mcp daemon`. Not argparse: a prompt waits for this to start."""
    names = ["socket=", "log-file=", "log-level=", "idle-timeout="]
    try:
        given = dict(getopt.getopt(argv, "", names)[0])
        idle_timeout = float(given.get("--idle-timeout", 1800))
    except (getopt.GetoptError, ValueError) as error:
        sys.stderr.write(f"llm-mcp: {error}; for people there is: llm mcp daemon --help\n")
        return _EXIT_REFUSED
    log_file = given.get("--log-file")
    return run(
        Options(
            socket=Path(given.get("--socket") or paths.socket_path()),
            log_file=Path(log_file) if log_file else None,
            log_level=given.get("--log-level", "info"),
            idle_timeout=idle_timeout,
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
