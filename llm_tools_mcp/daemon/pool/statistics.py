"""What `status` tells of a server."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from llm_tools_mcp import v1

_LATENCIES = 512


class State(IntEnum):
    STOPPED = v1.ServerStatus.STOPPED
    STARTING = v1.ServerStatus.STARTING
    READY = v1.ServerStatus.READY
    BACKING_OFF = v1.ServerStatus.BACKING_OFF
    STOPPING = v1.ServerStatus.STOPPING
    NEEDS_LOGIN = v1.ServerStatus.NEEDS_LOGIN
    UNREACHABLE = v1.ServerStatus.UNREACHABLE


@dataclass(slots=True)
class Statistics:
    calls: int = 0
    errors: int = 0
    tool_errors: int = 0  # results that say so themselves
    starts: int = 0
    evictions: int = 0  # ended to make room for others
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))  # seconds

    def quantile(self, share: float) -> float:
        """Seconds; 0 where nothing was measured yet."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
