"""When a person is asked before a tool is called: the words for it, and which of several counts."""

from __future__ import annotations

from collections.abc import Iterable

# From the laxest to the strictest. `writes`: all tools but those that only read, as their server says.
NEVER, WRITES, ALWAYS = "never", "writes", "always"
APPROVALS = (NEVER, WRITES, ALWAYS)


def strictest(approvals: Iterable[str]) -> str:
    """Of what toolbox, server and config say: nobody weakens what another asks for."""
    return max(approvals, key=APPROVALS.index, default=NEVER)
