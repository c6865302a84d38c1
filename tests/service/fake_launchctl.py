"""A launchctl that records what it is told: one JSON list a line in $FAKE_LAUNCHCTL/calls.

Loaded agents are lines in $FAKE_LAUNCHCTL/loaded. Answers of a verb can be scripted: each line of
$FAKE_LAUNCHCTL/VERB is the exit status of one call, and 0 when there are none left.
"""

from __future__ import annotations

import json
import os
import plistlib
import sys
from pathlib import Path

STATE = Path(os.environ["FAKE_LAUNCHCTL"])
LOADED = STATE / "loaded"
TEXT = "{target} = {{\n\tstate = {state}\n\tprogram = {program}\n{more}}}\n"


def scripted(verb: str) -> int:
    path = STATE / verb
    if not path.exists():
        return 0
    first, *rest = path.read_text().split() or ["0"]
    path.write_text("\n".join(rest))
    return int(first)


def loaded() -> list[str]:
    return LOADED.read_text().splitlines() if LOADED.exists() else []


def main(verb: str, *arguments: str) -> int:
    with (STATE / "calls").open("a") as calls:
        calls.write(json.dumps([verb, *arguments]) + "\n")
    status = scripted(verb)
    if status:
        print(f"{verb.capitalize()} failed: {status}: Input/output error", file=sys.stderr)
        return status
    if verb in ("bootstrap", "load"):
        agent = plistlib.loads(Path(arguments[-1]).read_bytes())
        LOADED.write_text("\n".join([*loaded(), f"{agent['Label']} {agent['ProgramArguments'][0]}"]))
    if verb in ("bootout", "unload"):
        LOADED.write_text("")
    if verb == "print":
        return describe(arguments[0])
    return 0


def describe(target: str) -> int:
    for line in loaded():
        label, program = line.split(" ", 1)
        if target.endswith(f"/{label}"):
            more = (STATE / "more").read_text() if (STATE / "more").exists() else ""
            print(TEXT.format(target=target, state="running", program=program, more=more))
            return 0
    print(f"Could not find service {target!r}", file=sys.stderr)
    return 113


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
