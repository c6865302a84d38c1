"""Do the oldest and newest releases of what we depend on work? `make compat`; with --all each minor of mcp 2.

The predecessor of this project died of a release of somebody else's: so this is a step of CI of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tests.external import CACHE, locked

from .environments import Environment, build_wheel, floors, minors_of_mcp, newest
from .smoke import smoke


def main(*options: str) -> int:
    CACHE.mkdir(exist_ok=True)
    with locked():
        wheel = build_wheel()
        chosen = [floors(), newest(), *(minors_of_mcp() if "--all" in options else [])]
        return sum([not works(environment, wheel) for environment in chosen])


def works(environment: Environment, wheel: object) -> bool:
    began = time.monotonic()
    try:
        environment.make(wheel)
        shown = ", ".join(f"{name} {version}" for name, version in environment.versions().items())
        print(f"== {environment.name} ({environment.python}): {shown}", flush=True)
        smoke(environment.bin)
    except (AssertionError, subprocess.CalledProcessError) as error:
        print(f"== {environment.name}: FAILED: {error}", flush=True)
        return False
    print(f"== {environment.name}: works ({time.monotonic() - began:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
