"""The results of the matrix: one line of JSON for each point, and the table that is made of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.matrix.judge import BY_ITSELF, BY_RECOVERY, BY_UP, NOT, UNMET, Result
from tests.faults.matrix.points import KINDS, Point

LETTERS = {BY_ITSELF: "s", BY_UP: "u", BY_RECOVERY: "r", NOT: "NOT", UNMET: "-"}
LEGEND = "s by itself · u by up · r by recover and up · NOT · - the request did not come · . not run yet"


@dataclass(frozen=True)
class Results:
    """A file that only grows: a run that was stopped goes on after what is in it."""

    file: Path

    def read(self) -> dict[str, Result]:
        """Return the last result of each point, by its id."""
        if not self.file.exists():
            return {}
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        return {line.pop("point"): Result(**line) for line in lines}

    def add(self, point: Point, result: Result) -> None:
        """Note one."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(json.dumps({"point": point.id, **asdict(result)}) + "\n")


def table(points: Sequence[Point], results: Mapping[str, Result]) -> Iterator[str]:
    """Yield the lines of the table: requests by faults for each scenario, then what did not converge, then the sums."""
    yield LEGEND
    for scenario in dict.fromkeys(sorted(point.scenario for point in points)):
        of = {(point.asked, point.fault): point for point in points if point.scenario == scenario}
        if not any(point.id in results for point in of.values()):
            continue
        yield f"\n{scenario}"
        yield "  ".join([f"{'':52}", *KINDS])
        for asked in sorted({asked for asked, _ in of}):
            cells = [_cell(of.get((asked, kind)), results).center(len(kind)) for kind in KINDS]
            yield "  ".join([f"{asked!s:52.52}", *cells]).rstrip()
    yield ""
    yield from _sums(points, results)
    for point in points:
        result = results.get(point.id)
        if result and (result.verdict == NOT or result.hung or result.lost_writes):
            yield f"\n{point.id}: {result.verdict}, {result.seconds} s, hung {result.hung}"
            yield from (f"    {line}" for each in (*result.wrong, *result.said) for line in each.splitlines()[-6:])


def _cell(point: Point | None, results: Mapping[str, Result]) -> str:
    if point is None:
        return ""
    found = results.get(point.id)
    return LETTERS[found.verdict] if found else "."


def _sums(points: Sequence[Point], results: Mapping[str, Result]) -> Iterator[str]:
    """Yield one line for each kind of fault, and one for all."""
    head = ["run", *LETTERS, "median s", "longest s", "failed reads", "failed writes", "lost writes", "longest gap s"]
    yield "  ".join([f"{'fault':20}", *head])
    for kind in (*KINDS, "all"):
        ran = [results[each.id] for each in points if each.id in results and kind in (each.fault, "all")]
        if not ran:
            continue
        verdicts = Counter(result.verdict for result in ran)
        seconds = sorted(result.seconds for result in ran)
        cells = [
            *(len(ran), *(verdicts[verdict] for verdict in LETTERS), seconds[len(seconds) // 2], seconds[-1]),
            f"{sum(result.failed_reads for result in ran)}/{sum(result.reads for result in ran)}",
            f"{sum(result.failed_writes for result in ran)}/{sum(result.writes for result in ran)}",
            *(sum(result.lost_writes for result in ran), max(result.longest_gap for result in ran)),
        ]
        yield "  ".join([f"{kind:20}", *(str(cell).rjust(len(name)) for cell, name in zip(cells, head, strict=True))])
    yield f"{sum(point.id in results for point in points)} of {len(points)} points were run."
