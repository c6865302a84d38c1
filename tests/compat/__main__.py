"""Do the oldest and the newest releases of what we depend on work, and the way from 0.4 to ours and back?

`make compat`; ARGS=--all tries each minor release of mcp 2 as well, names such as ARGS=floors those alone.
The predecessor of this project died of a release of an SDK: so this is a step of CI of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.external import CACHE, locked

from .environments import Environment, build_wheel, floors, minors_of_mcp, newest
from .smoke import smoke
from .upgrade import upgrade

USUAL = ("floors", "newest", "upgrade")


def main(*options: str) -> int:
    """Returns how many did not work."""
    CACHE.mkdir(exist_ok=True)
    with locked():
        wheel = build_wheel()
        trials = {
            one.name: partial(try_environment, one, wheel) for one in (floors(), newest(), *minors_of_mcp())
        }
        trials["upgrade"] = partial(upgrade, wheel)
        chosen = list(trials) if "--all" in options else options or USUAL
        return sum([not works(name, trials[name]) for name in chosen])


def try_environment(environment: Environment, wheel: Path) -> None:
    environment.make(wheel)
    shown = ", ".join(f"{name} {version}" for name, version in environment.versions().items())
    print(f"== {environment.name} ({environment.python}): {shown}", flush=True)
    smoke(environment.bin)


def works(name: str, trial: Callable[[], None]) -> bool:
    began = time.monotonic()
    try:
        trial()
    except (AssertionError, subprocess.CalledProcessError) as error:
        print(f"== {name}: FAILED: {error}", flush=True)
        return False
    print(f"== {name}: works ({time.monotonic() - began:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
