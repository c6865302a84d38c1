"""What Status tells of a server: a session → the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from llm_tools_mcp import paths, v1
from llm_tools_mcp.daemon.pool.session import Session
from llm_tools_mcp.text.token_estimate import tokens_of


def server_status(session: Session, *, login: str, memory: int) -> v1.ServerStatus:
    """`login`: who has let us in, if anybody has. `memory`: in bytes, 0 where there is no process."""
    definition, statistics = session.definition, session.statistics
    name, *others = session.names
    connection = session.connection
    listed = session.offer.tools or ()
    tools = [tool for tool in listed if definition.offers(tool.name) and not v1.needs_task(tool)]
    return v1.ServerStatus(
        server=name,
        also_called=others,
        state=session.state.value,
        transport=definition.transport.value,
        target=paths.sendable(definition.target),
        cwd=paths.sendable(definition.public_cwd),
        pid=session.pid,
        memory_bytes=memory,
        tools=len(tools),
        calls=statistics.calls,
        errors=statistics.errors,
        restarts=max(0, statistics.starts - statistics.evictions - 1),
        evictions=statistics.evictions,
        tool_errors=statistics.tool_errors,
        calls_in_flight=session.in_use,
        latency_p50_seconds=statistics.quantile(0.5),
        latency_p95_seconds=statistics.quantile(0.95),
        idle_seconds=session.idle_seconds,
        last_error=session.silence or session.error_state.complaint(connection),
        protocol_version=connection.protocol_version if connection is not None else "",
        login=login,
        tool_tokens=sum(tokens_of(tool.name, tool.description, tool.input_schema) for tool in tools),
    )


def memory_of(pids: Iterable[int]) -> dict[int, int]:
    """Resident bytes of each with the processes below it, in one walk of all processes: for a thread."""
    import psutil  # who asks for this can wait for it

    wanted = set(pids) - {0}
    below: dict[int, list[int]] = {}
    for pid in psutil.pids() if wanted else ():
        with suppress(psutil.Error):
            below.setdefault(psutil.Process(pid).ppid(), []).append(pid)
    return {pid: sum(map(_resident, _family(pid, below))) for pid in wanted}


def _family(pid: int, below: Mapping[int, Sequence[int]]) -> set[int]:
    family: set[int] = set()
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        if one not in family:  # a pid that is used again during the walk may make a circle
            family.add(one)
            waiting += below.get(one, ())
    return family


def _resident(pid: int) -> int:
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0
