"""One request to a server, under its deadline: progress starts that anew, a person's answer stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server.elicitation import Ask
from llm_tools_mcp.daemon.server.to_wire import JsonObject

from .calls import Call, Calls, OnEvent
from .deadline import Deadline
from .statistics import Statistics

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection


@dataclass(slots=True)
class Request:
    """`seconds` for its answer, 0 for as long as it takes. What the server asks is put to `ask`."""

    method: str
    params: JsonObject
    on_event: OnEvent
    ask: Ask
    seconds: float

    @property
    def is_call(self) -> bool:
        return self.method == "tools/call"

    async def run(
        self,
        connection: Connection,
        calls: Calls,
        statistics: Statistics,
        clock: Callable[[], float],
        on_silence: Callable[[Connection], None],
    ) -> JsonObject:
        """Send it when its turn among `calls` has come. Raises ServerFailure.

        `on_silence` is told of a server that was given it and has not answered in time.
        """
        deadline = Deadline(self.seconds)

        def on_progress(progress: v1.Progress) -> None:
            deadline.restart()
            self.on_event(progress)

        async def asked(question: v1.Question) -> v1.AnswerRequest:
            with deadline.paused():
                return await self.ask(question)

        call = Call(self.on_event, asked)
        with deadline:
            async with calls.turn(call):
                deadline.restart()  # it may have waited for its turn
                began = clock()
                result = await connection.request(self.method, self.params, on_progress, asked)
                statistics.latencies.append(clock() - began)
                return result
        if call.is_waiting:
            text = (
                f"for {self.seconds:g} s another call of it has waited for a person's answer; "
                "this one was not run"
            )
            raise ServerFailure(Kind.TIMED_OUT, text)
        on_silence(connection)
        took = f"it took longer than {self.seconds:g} s and was cancelled"
        text = f"{took} (`timeout` in the config sets the limit)"
        raise ServerFailure(Kind.TIMED_OUT, text)
