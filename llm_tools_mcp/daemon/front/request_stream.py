"""A call or another request while it runs: its events go to the client, and at the end what came of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure, unexpected
from llm_tools_mcp.daemon.pool.calls import OnEvent
from llm_tools_mcp.daemon.server.elicitation import Ask, nobody
from llm_tools_mcp.errors import ConfigError

from .events import Event, EventWriter, Write
from .pending_questions import Questions
from .rpc import AnswerTooLarge

_log = logging.getLogger(__name__)

# Does what was asked, and writes the result into the last event, in place.
Run = Callable[[OnEvent, Ask], Awaitable[None]]


async def run(
    run_it: Run,
    last: Event,
    write: Write,
    questions: Questions,
    request: v1.CallToolRequest | v1.RequestMessage,
) -> None:
    """Write what happens meanwhile, then `last` with what came of it."""
    subject = request.tool if isinstance(request, v1.CallToolRequest) else request.method
    events = EventWriter(write, type(last))
    asker = questions.asker(request.server, subject, events.put_question)
    try:
        try:
            await run_it(events.put, asker.ask if request.caller.can_answer else nobody)
        except Exception as error:  # noqa: BLE001 - the caller must hear of it
            last.failure.CopyFrom(_failure(error))
        asker.close()
        await events.flush()
        try:
            await write(last)
        except AnswerTooLarge as error:
            failure = ServerFailure(Kind.TOO_LARGE, f"its result {error.excess}")
            await write(type(last)(failure=failure.to_wire()))
    finally:
        asker.close()
        events.cancel()


def _failure(error: Exception) -> v1.Failure:
    """Why there is no result."""
    if isinstance(error, ServerFailure):
        return error.to_wire()
    if isinstance(error, ConfigError):
        return v1.Failure(kind=Kind.CONFIG, message=str(error))
    _log.error("a call failed in the daemon", exc_info=error)
    return v1.Failure(kind=Kind.REJECTED, message=unexpected(error))
