"""`llm mcp metrics`: what `status` tells, as OpenMetrics text for whoever collects that. Starts nothing.

Of OpenMetrics' types only those are used that the older text format of Prometheus has, too: node_exporter
refuses a whole file for one `info` or `stateset` in it (prometheus/node_exporter#1988).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import command
from llm_tools_mcp.cli.running_daemon import ask_status, is_running, server_state
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.terminal.screen import clean_line

from .status import NOT_RUNNING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from llm_tools_mcp import v1

_STATES = ("stopped", "failed", "starting", "ready", "backing_off", "stopping", "needs_login", "unknown")

# Labels beyond the server's, and a value.
_Samples = Iterable[tuple[dict[str, str], float]]
_Copies = list["v1.ServerStatus"]

_OF_THE_DAEMON: tuple[tuple[str, str, Callable[[v1.StatusResponse], float]], ...] = (
    ("uptime_seconds", "How long the daemon has been running.", lambda s: s.health.uptime_seconds),
    ("resident_memory_bytes", "Memory of the daemon, without its servers.", lambda s: s.memory_bytes),
    # The one that asks is no client.
    ("connections", "Clients that are connected.", lambda s: max(0, s.connections - 1)),
    ("calls_in_flight", "Requests that the daemon works on.", lambda s: s.calls_in_flight),
)


@command(
    "metrics",
    "llm mcp metrics",
    "llm mcp metrics | grep calls_total",
    "cd /var/lib/node_exporter && { llm mcp metrics > mcp.tmp; mv mcp.tmp mcp.prom; }    # by cron",
)
@click.pass_context
def metrics_command(context: click.Context) -> None:
    """Print OpenMetrics text: the daemon and its servers, their calls, errors, restarts, latency, memory.

    What does not run is shown as llm_mcp_up 0, with exit status 3. Starts nothing.

    Servers are told apart by the labels `server` and `where` (the folder that it runs in, or its url).
    Copies that have both in common are counted together; of their latencies the slowest is shown. The text
    can be read by Prometheus, by the textfile collector of node_exporter, and by what takes OpenMetrics.
    """
    if not is_running(installed_service()):
        click.echo(_exposition(None), nl=False)
        context.exit(NOT_RUNNING)
    try:
        status = ask_status()
    except McpError:
        click.echo(_exposition(None), nl=False)
        raise
    click.echo(_exposition(status), nl=False)


def _exposition(status: v1.StatusResponse | None) -> bytes:
    """UTF-8, whatever the locale says: the format knows no other."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.openmetrics.exposition import generate_latest
    from prometheus_client.registry import Collector

    class Status(Collector):
        def collect(self) -> Iterable[Metric]:
            return _families(status)

    registry = CollectorRegistry()
    registry.register(Status())
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


def _families(status: v1.StatusResponse | None) -> Iterator[Metric]:
    yield _family("up", "gauge", "Whether the daemon runs and answers.", [({}, status is not None)])
    if status is None:
        return
    version = {"version": status.health.version, "run_by": status.health.supervisor}
    yield _family("build_info", "gauge", "What runs, and who runs it; always 1.", [(version, 1)])
    for name, text, value in _OF_THE_DAEMON:
        yield _family(name, "gauge", text, [({}, value(status))])
    servers = _by_labels(status.servers)
    for name, kind, text, of in _OF_SERVERS:
        samples = [
            ({**dict(zip(("server", "where"), key, strict=True)), **more}, value)
            for key, copies in servers.items()
            for more, value in of(copies)
        ]
        yield _family(f"server_{name}", kind, text, samples)


def _family(name: str, kind: str, text: str, samples: _Samples) -> Metric:
    from prometheus_client.core import Metric

    unit = next((unit for unit in ("seconds", "bytes") if name.endswith(f"_{unit}")), "")
    family = Metric(f"llm_mcp_{name}", text, kind, unit)
    for labels, value in samples:
        family.add_sample(f"{family.name}_total" if kind == "counter" else family.name, labels, value)
    return family


def _by_labels(servers: Iterable[v1.ServerStatus]) -> dict[tuple[str, str], _Copies]:
    """No two samples may have the same labels."""
    found: dict[tuple[str, str], _Copies] = {}
    for server in servers:
        key = clean_line(server.server), clean_line(server.cwd or server.target)
        found.setdefault(key, []).append(server)
    return dict(sorted(found.items()))


def _states(copies: _Copies) -> _Samples:
    present = {server_state(copy).replace(" ", "_") for copy in copies}
    return [({"state": state}, state in present) for state in _STATES]


def _memory(copies: _Copies) -> _Samples:
    """Nothing of those that run elsewhere."""
    return [({}, sum(copy.memory_bytes for copy in copies))] if copies[0].transport == "stdio" else []


def _latency(copies: _Copies) -> _Samples:
    """Quantiles alone: the daemon keeps the last calls, neither their number nor their sum."""
    slowest = {
        "0.5": max(copy.latency_p50_seconds for copy in copies),
        "0.95": max(copy.latency_p95_seconds for copy in copies),
    }
    return [({"quantile": share}, seconds) for share, seconds in slowest.items() if seconds]


def _total(field: str) -> Callable[[_Copies], _Samples]:
    return lambda copies: [({}, sum(getattr(copy, field) for copy in copies))]


_OF_SERVERS: tuple[tuple[str, str, str, Callable[[_Copies], _Samples]], ...] = (
    ("state", "gauge", "1 for the state that the server is in.", _states),
    (
        "instances",
        "gauge",
        "Copies of the server that are connected.",
        lambda copies: [({}, sum(server_state(copy) == "ready" for copy in copies))],
    ),
    ("resident_memory_bytes", "gauge", "Memory of the server with all its processes.", _memory),
    (
        "tools",
        "gauge",
        "Tools that the server offers, as far as it was asked.",
        lambda copies: [({}, max(copy.tools for copy in copies))],
    ),
    ("calls_in_flight", "gauge", "Requests that the server works on.", _total("calls_in_flight")),
    ("calls", "counter", "Tool calls.", _total("calls")),
    ("call_errors", "counter", "Tool calls that brought no result.", _total("errors")),
    ("tool_errors", "counter", "Tool calls whose result is an error.", _total("tool_errors")),
    ("restarts", "counter", "Starts after the first one.", _total("restarts")),
    ("evictions", "counter", "Stops to make room for other servers.", _total("evictions")),
    ("call_latency_seconds", "summary", "How long the last tool calls took.", _latency),
    (
        "idle_seconds",
        "gauge",
        "How long ago the server was last used.",
        lambda copies: [({}, min(copy.idle_seconds for copy in copies))],
    ),
)
