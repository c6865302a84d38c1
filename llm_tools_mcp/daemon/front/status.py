"""What Status tells of a server: a session → the wire."""

from __future__ import annotations

from llm_tools_mcp import paths, v1
from llm_tools_mcp.daemon.pool.session import Session
from llm_tools_mcp.text.token_estimate import tokens_of


def server_status(session: Session, *, login: str) -> v1.ServerStatus:
    """`login`: who has let us in, if anybody has."""
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
        memory_bytes=_memory(session.pid),
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


def _memory(pid: int) -> int:
    """Resident bytes of the server and the processes below it; 0 where there is none."""
    if not pid:
        return 0
    import psutil  # who asks for this can wait for it

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0
