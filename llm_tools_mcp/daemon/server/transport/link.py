"""What a connection may know about its transport besides the messages, and what a transport may say to it.

A transport that meets a failure of one request answers that request itself, in the server's place: so the
failure costs this request alone, and what it means (did it run?) is not lost on the way through the SDK.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.memory import Trimmer
from llm_tools_mcp.daemon.server.sanitize import clean_line
from llm_tools_mcp.text.redaction import redactor

# (read, write) of SessionMessage, as the SDK's dispatcher takes them.
Streams = tuple[Any, Any]

# Bytes of one message. One over it costs its request or its connection, never the daemon's memory.
MAX_MESSAGE_BYTES = 256 * 1024 * 1024
TOO_LONG = f"it sent a message of more than {MAX_MESSAGE_BYTES // 2**20} MiB"

# Of what a server says about itself: the lines that an error may quote, and what a log takes in.
_QUOTED_LINES, _KEPT_LINES = 5, 60
_LONGEST_LINE = 1000  # characters
_LINES_AT_ONCE, _LINES_PER_SECOND = 2000, 100.0

# Sets of tokens or headers that a request was sent with: of a connection that lives for weeks the last ones.
_HIDDEN = 8

# Where a crash happened, as node, Python, Java, Go and Rust write it, and what they add.
_OF_A_TRACE = re.compile(
    r"Traceback \(most recent call last\)|\s{4}"
    r'|\s+at \S|\s*[\^~]+\s*$|Node\.js v|\s+File "|goroutine \d|\s+\S+\.go:\d|note: run with|node:internal'
    r"|npm (?:ERR!|error) A complete log|\s*\}?\s*$"
)
_REASON = re.compile(
    r"^\s*(?:[\w.$]*(?:Error|Exception)\b(?: \[\w+\])?:|panic:|fatal|error:|.* panicked at )", re.IGNORECASE
)


class Verdict(str, Enum):
    """What happened to a request that the server did not answer itself."""

    NOT_SENT = "not-sent"  # no connection could be made
    UNKNOWN_SESSION = (
        "unknown-session"  # refused at the door, as after a restart: it did not run, if that is so
    )
    BROKEN = "broken"  # sent, and no answer came: it may have run
    REFUSED = "refused"  # answered, but not so that it can be read
    TOO_LARGE = "too-large"  # answered, with more than can be taken
    NEEDS_LOGIN = "needs-login"  # refused, until somebody logs in
    NEEDS_SCOPE = "needs-scope"  # refused, until the login is given more rights

    @property
    def failure_kind(self) -> v1.Failure.Kind.ValueType:
        """As a failure of the whole connection."""
        if self is Verdict.NEEDS_LOGIN:
            return Kind.NEEDS_LOGIN
        return Kind.NEEDS_SCOPE if self is Verdict.NEEDS_SCOPE else Kind.START_FAILED


class Link:
    """One transport's state. `ended`: nothing more will come; `lost` is set when the reason is known too."""

    def __init__(self, on_log: Callable[[str], None], secret_values: Iterable[str] = ()) -> None:
        self.pid = 0
        self.ended = False
        self.lost = asyncio.Event()
        self.lost_why = ""
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.received = 0  # bytes
        self.is_deaf: Callable[[], bool] = lambda: False  # whether the server has closed its input
        self.unwritten: Callable[[], int] = lambda: 0  # bytes that the server has not read
        self.is_http = False
        self.is_no_server = False  # but some other program
        self.has_exited = False  # as a process does, by itself
        self.via = ""  # ` through the caller's proxy http://…`
        self.has_session = False  # which the server may forget, over http
        self.is_noise: Callable[[str], bool] = lambda _: False  # of the lines on stderr
        self._secrets = frozenset(secret_values)
        self._hidden: deque[frozenset[str]] = deque(maxlen=_HIDDEN)
        self.redacted = redactor(self._secrets)
        self.note_size = Trimmer().note  # of each message, in bytes
        self._on_log = on_log
        self._budget = _Budget()
        # Signs our own answers: a server must not be able to claim that a call did not run.
        self._signature = secrets.token_hex(8)

    def hide(self, *secret_values: str) -> None:
        """From now on these are taken out of what the server says, too, until some others have followed."""
        values = frozenset(secret_values)
        if values not in self._hidden:
            self._hidden.append(values)
            self.redacted = redactor(self._secrets.union(*self._hidden))

    def lose(self, why: str) -> None:
        self.ended = True
        if not self.lost.is_set():
            self.lost_why = why
            self.lost.set()

    def cleaned(self, text: str) -> str:
        """What a server said, as one line that may be shown."""
        return clean_line(self.redacted(text))

    def log(self, text: str) -> None:
        """A line about the server; a flood of them is cut."""
        if self.has_room_for_log():
            self._on_log(self.cleaned(text))

    def has_room_for_log(self) -> bool:
        """For one line more, or one notice of the server's own logging."""
        if skipped := self._budget.skipped_before_this():
            self._on_log(f"({skipped} lines skipped: it writes too much)")
        return self._budget.take()

    def noticed(self, level: str, text: str) -> None:
        """A notice of the server's own logging, for which there was room."""
        self._on_log(self.cleaned(f"{level}: {text}"))

    def said(self, line: str) -> None:
        """A line of the server's own, from its stderr."""
        if not self.is_noise(line):
            # Redacted before it is cut: of half a secret nobody knows that it is one.
            self.last_lines.append(
                line if len(line) <= _LONGEST_LINE else self.redacted(line)[:_LONGEST_LINE]
            )
            self.log(line)

    def blurted(self, text: str) -> None:
        """Text on stdout, where messages belong."""
        self.said(f"(on stdout) {text}")

    def last_words(self) -> str:
        """The last lines that say something; of a crash the one with the reason among them."""
        lines = [line for line in self.last_lines if line.strip() and not _OF_A_TRACE.match(line)]
        reason = next((line for line in reversed(lines) if _REASON.search(line)), "")
        quoted = lines[-_QUOTED_LINES:]
        if reason and reason not in quoted:
            quoted = [reason, *quoted[-1:]]
        return " | ".join(filter(None, map(self.cleaned, quoted)))

    def with_last_words(self, why: str) -> str:
        words = self.last_words()
        return f"{why}; its last lines were: {words}" if words else why

    # --- answers in the server's place --------------------------------------------------------------

    def error(self, verdict: Verdict, text: str) -> dict[str, Any]:
        """A JSON-RPC error object that carries a verdict."""
        return {"code": -32000, "message": text, "data": f"{self._signature} {verdict.value}"}

    def verdict(self, error_data: object) -> Verdict | None:
        """The verdict of an error, if it is one of ours."""
        signature, _, verdict = error_data.partition(" ") if isinstance(error_data, str) else ("", "", "")
        return Verdict(verdict) if signature == self._signature else None


class _Budget:
    """A bucket of lines that fills up again slowly."""

    def __init__(self) -> None:
        self._left = float(_LINES_AT_ONCE)
        self._filled_at = time.monotonic()
        self._skipped = 0

    def take(self) -> bool:
        if self._left < 1:
            self._skipped += 1
            return False
        self._left -= 1
        return True

    def skipped_before_this(self) -> int:
        """How many were skipped, once there is room again."""
        now = time.monotonic()
        self._left = min(_LINES_AT_ONCE, self._left + (now - self._filled_at) * _LINES_PER_SECOND)
        self._filled_at = now
        if self._left < 1 or not self._skipped:
            return 0
        skipped, self._skipped = self._skipped, 0
        return skipped
