"""How a preview grows with the branches of one environment: one that serves and others that rest."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from localcloud.program import Program

COUNTS = (1, 10, 20)
RUNS = 7
GOAL = 15
"""Milliseconds for each further branch: component, BranchSource, Branch, Endpoint, AppLogin."""

_FROM_DEV = {"from": {"stack": "dev", "branch": "dev"}}


@dataclass(frozen=True)
class Growth:
    """Median seconds of a preview without changes by the number of branches."""

    seconds: dict[int, float]

    @property
    def per_branch(self) -> float:
        """Milliseconds that each further branch adds."""
        least, most = min(self.seconds), max(self.seconds)
        return 1000 * (self.seconds[most] - self.seconds[least]) / (most - least)


def measure(program: Program, stack: str = "many") -> Growth:
    """Bring up an environment of a git branch with ever more branches, and preview it; dev has to be up."""
    written = {"git_branch": "many", "serve": "many-1"}
    program.stack_file(stack).write_text("config:\n  environments:target: preview\n")
    program.select(stack)
    seconds = {}
    for count in COUNTS:
        program.edit(stack, **written, branches={f"many-{number}": _FROM_DEV for number in range(1, count + 1)})
        program.up(stack)
        seconds[count] = statistics.median(_preview(program, stack) for _ in range(RUNS))
    return Growth(seconds)


def report(program: Program) -> None:
    """Measure, and print it as a table."""
    growth = measure(program)
    print("\n| preview without changes | seconds |\n|---|---|")
    for count, seconds in growth.seconds.items():
        print(f"| {count} {'branch' if count == 1 else 'branches'} | {seconds:.2f} |")
    print(f"| each further branch | {growth.per_branch:.0f} ms (goal: {GOAL}) |")


def _preview(program: Program, stack: str) -> float:
    began = time.monotonic()
    program.preview(stack, "--expect-no-changes")
    return time.monotonic() - began
