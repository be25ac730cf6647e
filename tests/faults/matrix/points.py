"""The points of the matrix: each request of each scenario, as a run without faults made it, and what may befall it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tests.faults.matrix.faults import FAULTS
from tests.faults.matrix.victims import RECOVERY, VICTIMS
from tests.faults.matrix.wire import Asked


@dataclass(frozen=True)
class Point:
    """One request of one scenario, and the fault or the kill that comes with it."""

    scenario: str
    asked: Asked
    fault: str

    @property
    def id(self) -> str:
        """Its name in results and on the command line."""
        return f"{self.scenario}: {self.asked} × {self.fault}"  # noqa: RUF001 - a sign, no letter


KILLS = (*(victim.name for victim in VICTIMS), RECOVERY)
KINDS = (*(fault.name for fault in FAULTS), *KILLS)
"""The columns of the table."""


def points_of(scenario: str, requests: Iterable[Asked]) -> Iterator[Point]:
    """Yield a scenario's points. Kills come with what writes, and with what the app itself is asked."""
    for asked in dict.fromkeys(requests):
        for fault in FAULTS:
            if fault.concerns(asked):
                yield Point(scenario, asked, fault.name)
        if not asked.reads or asked.service == "edge":
            for victim in KILLS:
                yield Point(scenario, asked, victim)


def in_order(recordings: Mapping[str, Sequence[Asked]], seed: int) -> list[Point]:
    """Return every point in an order of its own for each seed: any first part of it holds something of everything."""
    cells: dict[tuple[str, str], list[Point]] = {}
    for scenario, requests in recordings.items():
        for point in points_of(scenario, requests):
            cells.setdefault((scenario, point.fault), []).append(point)
    source = random.Random(seed)  # noqa: S311 - an order, no secret
    for points in cells.values():
        source.shuffle(points)
        points.sort(
            key=lambda point: (point.asked.reads, point.asked.nth)
        )  # what changes something first, and each once
    columns = list(cells.values())
    source.shuffle(columns)
    return [point for row in zip_longest(*columns) for point in row if point]
