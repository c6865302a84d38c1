"""What a server offers, as far as it has told: its tools, and which of its other lists are still true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server.to_wire import JsonObject

from .deadline import Deadline

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection


def not_listed(seconds: float) -> ServerFailure:
    return ServerFailure(Kind.TIMED_OUT, f"it did not list its tools within {seconds:g} s")


class Offer:
    """Asked for by those who use it. `schemas` are those of the last known tools, as JSON text, by tool."""

    def __init__(self, schemas: Mapping[str, str]) -> None:
        self.tools: list[v1.Tool] | None = None  # until this daemon has asked
        self.instructions = ""
        self.schemas = schemas
        self._changes = 0  # of lists besides that of the tools
        self._true_lists: set[str] = set()  # methods; of this connection

    async def ask_for_tools(self, connection: Connection, seconds: float) -> list[v1.Tool]:
        """Raises ServerFailure."""
        with Deadline(seconds):
            tools = await connection.list_tools()
            self._note_tools(tools, connection.instructions)
            return tools
        raise not_listed(seconds)

    async def ask_for_list(self, connection: Connection, method: str, seconds: float) -> JsonObject:
        """All pages of another list. Raises ServerFailure."""
        changes = self._changes
        with Deadline(seconds):
            result = await connection.whole_list(method)
            if changes == self._changes and connection.announces(method):
                self._true_lists.add(method)
            return result
        raise ServerFailure(Kind.TIMED_OUT, f"it did not answer {method} within {seconds:g} s")

    def _note_tools(self, tools: list[v1.Tool], instructions: str) -> None:
        self.tools = tools
        self.schemas = {tool.name: tool.input_schema for tool in tools}
        self.instructions = instructions

    def note_connection(self) -> None:
        """A new one has announced nothing yet."""
        self._changes += 1
        self._true_lists.clear()

    def note_change(self, kind: str) -> None:
        self._changes += 1
        self._true_lists = {method for method in self._true_lists if not method.startswith(kind)}

    def vouches_for(self, method: str) -> bool:
        """Whether the server would have said that this list has changed since it gave it."""
        return method in self._true_lists
