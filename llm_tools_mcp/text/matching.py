"""Patterns that somebody else wrote (a server, a model): tried in a process of its own, which can be ended.

`re` never gives up, and holds the interpreter's lock: (a+)+$ on 60 letters takes longer than anybody lives.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence

# Seconds of processor time for the search alone, so that a busy machine does no pattern wrong; and of all.
_PROCESSOR, _WALL = 1.0, 15.0
_MEMORY = 2 << 30  # bytes
# What is not caught by the parent, as when that is killed, is ended by the timer and the alarm.
_PROGRAM = f"""
import json, re, resource, signal, sys
signal.alarm({_WALL:.0f})
try: resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
except (OSError, ValueError): pass
pattern, any_case, texts = json.load(sys.stdin.buffer)
signal.setitimer(signal.ITIMER_VIRTUAL, {_PROCESSOR})
try:
    sought = re.compile(pattern, re.IGNORECASE if any_case else 0)
    answer = [number for number, text in enumerate(texts) if sought.search(text)]
except MemoryError: sys.exit(1)
except RecursionError: answer = "it is nested too deeply"
except Exception as error: answer = str(error)
json.dump(answer, sys.stdout)
"""


class BadPattern(ValueError):
    """What cannot be told with it, and why: for whoever wrote it."""


def matching(pattern: str, texts: Sequence[str], *, any_case: bool = False) -> list[int]:
    """The indices of the texts in which the pattern is found. Raises BadPattern."""
    # Through stdin: others can read the arguments of a process, and those have a bound.
    given = json.dumps([pattern, any_case, texts]).encode()
    try:
        argv = [sys.executable, "-I", "-S", "-c", _PROGRAM]
        process = subprocess.run(argv, input=given, capture_output=True, timeout=_WALL, check=False)
    except subprocess.TimeoutExpired:
        raise BadPattern(_TOO_LONG) from None
    except OSError as error:
        raise BadPattern(f"the pattern could not be tried: {error.strerror}") from None
    if process.returncode in (-signal.SIGVTALRM, -signal.SIGALRM):
        raise BadPattern(_TOO_LONG)
    if process.returncode:
        raise BadPattern("the pattern could not be tried: it takes too much memory; write a simpler one")
    answer = json.loads(process.stdout)
    if isinstance(answer, str):
        raise BadPattern(f"the pattern is no regular expression: {answer}")
    return [int(index) for index in answer]


_TOO_LONG = (
    f"the pattern took too long: it was ended after {_PROCESSOR:.0f} second; write one without a repetition "
    "within a repetition"
)
