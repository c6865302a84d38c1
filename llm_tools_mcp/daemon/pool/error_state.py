"""What is known against a server: why it last failed, whether it wants a login, how long it is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_tools_mcp.daemon.failure import Kind, ServerFailure

from .backoff import Backoff

if TYPE_CHECKING:
    from llm_tools_mcp.daemon.server.connection import Connection

# Tools that are named; the others are counted.
_NAMED = 5


class ErrorState:
    """`cleaned` takes the server's secrets out of a text."""

    def __init__(self, backoff: Backoff, cleaned: Callable[[str], str]) -> None:
        self.last_error = ""
        self.refusal: ServerFailure | None = None  # until somebody logs in
        self.backoff = backoff
        self._list_error = self._last_loss = ""
        self._cleaned = cleaned

    def complaint(self, connection: Connection | None) -> str:
        """What is to be said against it: the last error, or what is missing though it is connected."""
        if connection is not None and connection.unreachable:
            return connection.unreachable
        if self.last_error or connection is None:
            return self.last_error
        if self._list_error:
            return f"connected, but it did not list its tools: {self._list_error}"
        left_out = connection.left_out
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        return f"left out of its tools: {', '.join(left_out[:_NAMED])}{more}" if left_out else ""

    def check(self) -> None:
        """Raises ServerFailure where it is too early for another start."""
        if self.backoff.pause and self.refusal is not None:
            raise ServerFailure(self.refusal.kind, self.refusal.text)  # time does not help it
        if self.backoff.pause:
            why = self.last_error or self._list_error or self._last_loss
            raise ServerFailure(Kind.START_FAILED, f"{why} ({self.backoff.next_try})")

    def clean(self, failure: ServerFailure) -> None:
        failure.clean_with(self._cleaned)

    def note_refusal(self, failure: ServerFailure) -> None:
        """Of all failures only those that want a login count."""
        if failure.kind == Kind.NEEDS_LOGIN:
            self.refusal = failure
            self.last_error = failure.text

    def note_failed_start(self, failure: ServerFailure) -> None:
        self.clean(failure)
        self.note_refusal(failure)
        self.last_error = failure.text
        self.backoff.note_failure()

    def note_loss(self, why: str, lived: float, *, is_replaced: bool) -> None:
        """A connection ended by itself after so many seconds; no error where another one serves by now."""
        self._last_loss = why
        self.last_error = self.last_error if is_replaced else why or self.last_error
        self.backoff.note_loss(lived)

    def note_start(self) -> None:
        self.backoff.note_start()
        self.last_error = self._list_error = ""

    def note_failed_list(self, failure: ServerFailure) -> None:
        """Of its tools."""
        self.clean(failure)
        self.note_refusal(failure)
        self._list_error = failure.text

    def note_list(self) -> None:
        """It has listed its tools."""
        self.refusal, self._list_error = None, ""

    def note_success(self) -> None:
        """A request was answered."""
        self.backoff.note_success()
        self.refusal = None
