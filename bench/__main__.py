"""Times whole commands on a local cloud of its own, and prints medians beside the goals. Asserts nothing."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import branches, warmth
from localcloud import engine, lifecycle
from localcloud.cloud import ROOT
from localcloud.program import Program
from localcloud.workspace import make_workspace

RUNS = 5
GOALS = {"preview of prod without changes": 1.5, "promotion (up --skip-preview, tiny data)": 4.0, "rollback": 2.5}


def main() -> int:
    """Bring up dev and prod, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "cloud"
        cloud = lifecycle.start(state).cloud
        try:
            engine.install_plugins(cloud.pulumi_home)
            program = Program(make_workspace(ROOT, Path(folder) / "program"), cloud)
            _report(_measure(program))
            branches.report(program)
            warmth.report(program)
        finally:
            lifecycle.stop(state)
    return 0


def _measure(program: Program) -> dict[str, list[float]]:
    program.select("dev")
    program.up("dev")
    program.fill("dev", "dev")
    program.select("prod")
    program.up("prod")
    preview, promotion, rollback = GOALS
    times: dict[str, list[float]] = {name: [] for name in GOALS}
    branches = program.setting("prod", "branches")
    for run in range(RUNS):
        times[preview].append(_timed(lambda: program.preview("prod", "--expect-no-changes")))
        name = f"prod-v{run + 2}"
        branches = branches | {name: {"from": {"stack": "dev", "branch": "dev"}}}
        program.edit("prod", branches=branches, serve=name)
        times[promotion].append(_timed(lambda: program.up("prod")))
        program.edit("prod", serve="prod-v1")
        times[rollback].append(_timed(lambda: program.up("prod")))
    return times


def _timed(command: Callable[[], object]) -> float:
    began = time.monotonic()
    command()
    return time.monotonic() - began


def _report(times: dict[str, list[float]]) -> None:
    print(f"| median of {RUNS} | seconds | min to max | goal |\n|---|---|---|---|")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {middle:.2f} | {min(seconds):.2f} to {max(seconds):.2f} | {GOALS[name]:.1f} |")


if __name__ == "__main__":
    sys.exit(main())
