"""Standard streams that whoever started us has closed (`2>&-`, cron, launchers): they lead nowhere instead.

Python sets them to None, which click, llm and rich ask for a terminal; and the next file that is opened
gets the number of one, which libraries write to.
"""

from __future__ import annotations

import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed() -> None:
    """From now on there are all three. Harmless when repeated."""
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _occupy(number)
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - it stays open


def _occupy(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
