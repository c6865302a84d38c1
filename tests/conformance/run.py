"""Runs the official suite against this client: `make conformance`, or with ARGS="SCENARIO …" some of it.

A scenario that fails, and one that is expected to and does not, make the run fail. Two run at a time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import external
from tests.conformance.scenarios import NOT_PASSED, RUNS

HERE = Path(__file__).parent
SECONDS = 180
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Outcome(NamedTuple):
    scenario: str
    version: str
    passed: bool
    output: str

    @property
    def reason(self) -> str:
        return NOT_PASSED.get(self.scenario, "")

    @property
    def is_expected(self) -> bool:
        return self.passed != bool(self.reason)


def main(wanted: Sequence[str]) -> int:
    external.install_conformance()
    suite = external.conformance()
    runs = [(name, version) for name, version in all_runs() if not wanted or name in wanted]
    with ThreadPoolExecutor(2) as workers:
        outcomes = []
        for outcome in workers.map(lambda run: play(suite, *run), runs):
            outcomes.append(outcome)
            print(line(outcome), flush=True)
    wrong = [outcome for outcome in outcomes if not outcome.is_expected]
    for outcome in wrong:
        print(f"\n== {outcome.scenario} ({outcome.version})\n{outcome.output}")
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"{passed} of {len(outcomes)} passed; not as expected: {len(wrong)}")
    return 1 if wrong or not outcomes else 0


def all_runs() -> Iterator[tuple[str, str]]:
    for version, names in RUNS.items():
        for name in names:
            yield name, version


def play(suite: Sequence[str], scenario: str, version: str) -> Outcome:
    argv = [*suite, "client", "--command", f"{sys.executable} {HERE / 'client.py'}"]
    argv += ["--scenario", scenario, "--spec-version", version, "--timeout", str(SECONDS * 1000), "--force"]
    result = subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * SECONDS,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return Outcome(scenario, version, result.returncode == 0, _COLOUR.sub("", result.stdout))


def line(outcome: Outcome) -> str:
    word = "passed" if outcome.passed else "failed"
    note = "" if outcome.is_expected and outcome.passed else outcome.reason or "!"
    return f"{word}  {outcome.version}  {outcome.scenario}  {note}".rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
