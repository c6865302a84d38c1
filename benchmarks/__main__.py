"""`python -m benchmarks [--full]`: the targets of the design, reached or missed, measured in one run."""

from __future__ import annotations

import argparse
import os
import sys
import time

from . import calls, logins, prompts, results, search, stages
from .table import show_rows
from .world import new_world, three_servers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="growth, endurance and peers, too: some minutes")
    parser.add_argument("--rounds", type=int, default=10, help="how often each is measured")
    options = parser.parse_args()
    began = time.monotonic()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    missed = _targets(options.rounds)
    if options.full:
        from . import endurance, growth, peers

        growth.show()
        endurance.show()
        peers.show(options.rounds)
    print(f"\n{missed} missed; {time.monotonic() - began:.0f} s")
    return 0


def _targets(rounds: int) -> int:
    """Returns how many were missed."""
    with new_world() as world:
        servers, tool = three_servers()
        world.configure(servers)
        rows = prompts.measure(world, servers[tool.server], tool, rounds)
        rows.append(prompts.memory(world, tool))
        stages.show_stages(world, tool)
        rows += results.measure(world, rounds)
        rows += calls.measure(world, rounds)
        rows += logins.measure(world)
    rows += search.measure()
    show_rows("Targets", rows)
    return sum(row.is_reached is False for row in rows)


if __name__ == "__main__":
    sys.exit(main())
