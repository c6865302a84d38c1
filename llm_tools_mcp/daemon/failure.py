"""Why a server could not do what was asked, in the words of the wire (`Failure` in the proto)."""

from __future__ import annotations

import asyncio
import errno
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths, v1
from llm_tools_mcp.errors import McpError

Kind = v1.Failure.Kind

# Pydantic quotes what a server sent, and cuts it: half a secret would not be recognized.
_QUOTED, _QUOTED_END = "input_value=", ", input_type="

UNREADABLE = "its answer does not follow the protocol"
# What EMFILE and ENFILE are told as.
TOO_MANY_FILES = "the daemon has too many open files (ulimit -n)"


def lacks_files(error: BaseException | None) -> bool:
    """Whether EMFILE or ENFILE is among the causes, where libraries keep it."""
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return True
    causes = (*getattr(error, "exceptions", ()), error.__cause__ or error.__context__)
    return any(map(lacks_files, causes))


def unexpected(error: BaseException) -> str:
    """What is said of a fault of ours; but where our own files are gone, that is the reason of anything."""
    if isinstance(error, ImportError) or not Path(__file__).exists():
        return (
            f"the environment that the daemon runs in ({sys.prefix}) was deleted or changed: llm mcp restart"
        )
    return f"internal error in the daemon ({type(error).__name__}); its log has more: llm mcp logs"


class ServerFailure(McpError):
    """One server failed to start, to list or to run a call. `text` is for people and holds no secrets."""

    def __init__(self, kind: v1.Failure.Kind.ValueType, text: str) -> None:
        super().__init__(kind, text)
        self.kind, self.text = kind, paths.sendable(text)
        self._cleaned: Callable[[str], str] = str
        self._trace = ""

    def __str__(self) -> str:
        return self.text

    def clean_with(self, cleaned: Callable[[str], str]) -> None:
        """Causes are quoted in the traceback as they came: with secrets, and what servers say.

        Repeated: a connection knows of other secrets than its session.
        """
        before = self._cleaned
        self._cleaned = lambda text: cleaned(before(text))

    def detach(self) -> None:
        """Keep the traceback as text alone.

        Its frames hold all that they saw, this failure among it: only the collector would free them, much
        later, and a start that fails leaves 350 objects.
        """
        self._trace = self._formatted()
        self.__traceback__ = self.__cause__ = self.__context__ = None

    def again(self) -> ServerFailure:
        """The same for one of several who wait for it: raised, it grows a traceback of its own."""
        twin = ServerFailure(self.kind, self.text)
        twin._cleaned, twin._trace = self._cleaned, self._trace
        return twin

    def _formatted(self) -> str:
        """With the chain of causes."""
        return "".join(traceback.format_exception(type(self), self, self.__traceback__))

    def to_wire(self) -> v1.Failure:
        """The message, with its traceback."""
        trace = self._trace or self._formatted()
        return v1.Failure(kind=self.kind, message=self.text, traceback=self._cleaned(_unquoted(trace)))


def _unquoted(trace: str) -> str:
    """No pattern: of a million beginnings without an end each would be looked at to the end of the text."""
    kept, begin = [], 0
    while (quote := trace.find(_QUOTED, begin)) >= 0 and (end := trace.find(_QUOTED_END, quote)) >= 0:
        kept.append(f"{trace[begin:quote]}{_QUOTED}…")
        begin = end
    return "".join([*kept, trace[begin:]])


class NotSent(ServerFailure):
    """The call certainly did not run: there was no connection, or the server rejected the session."""

    def __init__(self, text: str) -> None:
        super().__init__(Kind.START_FAILED, text)


class HeaderMismatch(ServerFailure):
    """The server missed headers that a newer tool list asks for, and did not run the call (-32020)."""

    def __init__(self, text: str) -> None:
        super().__init__(Kind.REJECTED, text)


class HandshakeLost(ServerFailure):
    """The server left during the handshake: some do when the first request is one that they do not know."""

    def __init__(self, text: str) -> None:
        super().__init__(Kind.START_FAILED, text)


def retrieve(done: asyncio.Future[Any]) -> None:
    """As a callback: every waiter may have given up, and that is no error of its own."""
    if not done.cancelled():
        done.exception()
