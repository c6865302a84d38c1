"""The limits that the daemon runs under: not those of whichever shell happened to start it."""

from __future__ import annotations

import resource
from contextlib import suppress

# Each client takes one file, each server four; systems begin with 1024, macOS with 256. Not all that the hard
# limit allows: servers inherit it, and some close every file that there may be.
_OPEN_FILES = 8192

# What would end or starve it hours later. Not the stack, which threads are sized by, nor cores: they would
# hold secrets.
_LIFTED = (
    *("AS", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NPROC", "RSS", "RTTIME"),
    "SIGPENDING",
)


def allow_open_files() -> None:
    """As many as the system lets everybody have; servers inherit it, and most raise theirs by themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        _set(resource.RLIMIT_NOFILE, wanted, hard)


def lift() -> None:
    """To the hard ones, of a daemon that a client has started: its `ulimit` was for something else."""
    for name in _LIFTED:
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            soft, hard = resource.getrlimit(number)
            if soft != hard:
                _set(number, hard, hard)


def keep_out_of_cores() -> None:
    """A crash writes nothing of the memory to disk: it holds tokens. Servers inherit that."""
    _set(resource.RLIMIT_CORE, 0, resource.getrlimit(resource.RLIMIT_CORE)[1])


def _set(number: int, soft: int, hard: int) -> None:
    with suppress(OSError, ValueError):  # macOS has a second bound
        resource.setrlimit(number, (soft, hard))
