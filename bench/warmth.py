"""The first queries after a promotion, with the cache warmed and without, on a table larger than the shared buffers.

On one machine the kernel caches the files of all computes, a clone's included, which was just written. So before each
start that is measured the compute's files are dropped from the kernel's cache, and nothing but the disk has them.

Visitors look at a tenth of the table: at its newest rows, which lie at its end, or at its oldest ones, which is the
worst case for a warm-up that can't know.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from environments.database.prewarm import Prewarmed, Relation, hot_relations, prewarm
from localcloud.program import Program

ROWS = 1_500_000
QUERIES = 1000
REPEATS = 5
HOT_ROWS = ROWS // 10
FIRST_HOT_ROWS = {"the newest tenth": ROWS - HOT_ROWS, "the oldest tenth": 1}
GOAL = 1.2
COLD, WARMED, WARM = "not warmed", "warmed as a promotion does", "warm: asked a second time"
_FILL = (
    "CREATE TABLE visits (id bigint PRIMARY KEY, at timestamptz DEFAULT now(), page text, filler text)",
    "INSERT INTO visits SELECT n, now(), n::text, repeat('x', 90) FROM generate_series(1, {}) AS n",
    "VACUUM ANALYZE visits",
)

Session = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one query: the median and the 99th percentile."""

    median: float
    p99: float


def report(program: Program) -> None:
    """Measure on a clone of dev, and print medians over the repeats beside how they compare with a warm compute."""
    clone, hot = _Clone(program, "bench-warmth"), _busy(program)
    print(f"\n| first {QUERIES:,} queries, medians of {REPEATS} | p50 | x warm | p99 | x warm |\n|---|---|---|---|---|")
    read: list[Prewarmed] = []
    took: list[float] = []
    for where, first in FIRST_HOT_ROWS.items():
        found: dict[str, list[Latency]] = {COLD: [], WARMED: [], WARM: []}
        for _ in range(REPEATS):
            with clone.started_anew() as session:
                found[COLD].append(_query(session, first))
                found[WARM].append(_query(session, first))
            with clone.started_anew() as session:
                began = time.monotonic()
                read.append(prewarm(session, hot))
                took.append(time.monotonic() - began)
                found[WARMED].append(_query(session, first))
                found[WARM].append(_query(session, first))
        for name, latencies in found.items():
            cells = [
                f"{_middle(latencies, of):.3f} ms | {_middle(latencies, of) / _middle(found[WARM], of):.2f}"
                for of in (_median, _p99)
            ]
            print(f"| {where}, {name} | {' | '.join(cells)} |")
    print(f"| goal for what is warmed | | {GOAL} | | {GOAL} |\nwarm-up: {read[-1]}, in {statistics.median(took):.2f} s")


def _median(latency: Latency) -> float:
    return latency.median


def _p99(latency: Latency) -> float:
    return latency.p99


def _middle(latencies: list[Latency], of: Callable[[Latency], float]) -> float:
    return statistics.median(map(of, latencies))


def _busy(program: Program) -> list[Relation]:
    """Fill dev, be its visitors, and return what is hot on it, as a promotion sees it on the branch that serves."""
    with psycopg.connect(program.owner_url("dev", "dev"), autocommit=True) as session:
        for first in FIRST_HOT_ROWS.values():
            _query(session, first)
    with psycopg.connect(program.owner_url("dev", "dev"), autocommit=True) as session:
        return hot_relations(session)


def _fill(program: Program) -> None:
    with psycopg.connect(program.owner_url("dev", "dev"), autocommit=True) as session:
        for statement in _FILL:
            session.execute(statement.format(ROWS).encode())


def _query(session: Session, first: int) -> Latency:
    """Ask for 1,000 rows of the tenth of the table that begins with the row `first`, the same ones each time."""
    chosen = random.Random(7)  # noqa: S311 - the same rows each time
    times = []
    for _ in range(QUERIES):
        wanted = first + chosen.randrange(HOT_ROWS)
        began = time.perf_counter()
        session.execute("SELECT page FROM visits WHERE id = %s", (wanted,)).fetchone()
        times.append(1000 * (time.perf_counter() - began))
    return Latency(statistics.median(times), statistics.quantiles(times, n=100)[98])


class _Clone:
    """A clone of dev with a compute of 1 CU, which can be started with nothing in any cache."""

    def __init__(self, program: Program, name: str) -> None:
        _fill(program)
        outputs, cloud = program.outputs("dev"), program.cloud
        project, parent = outputs["projects"]["neon"], outputs["branches"]["dev"]
        self._neon = httpx.Client(
            base_url=f"{cloud.neon_api_host}/projects/{project}",
            headers={"Authorization": f"Bearer {cloud.neon_api_key}"},
            timeout=120,
        )
        body = {"branch": {"name": name, "parent_id": parent}, "endpoints": [{"type": "read_write"}]}
        made = self._neon.post("/branches", json=body).raise_for_status().json()
        branch, self._endpoint = made["branch"]["id"], made["endpoints"][0]["id"]
        size = {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 1}
        self._neon.patch(f"/endpoints/{self._endpoint}", json={"endpoint": size}).raise_for_status()
        query = {"branch_id": branch, "endpoint_id": self._endpoint, "database_name": "neondb"}
        query |= {"role_name": "neondb_owner"}
        self._uri = str(self._neon.get("/connection_uri", params=query).raise_for_status().json()["uri"])
        self._files = cloud.neon_state / "branches" / branch

    def started_anew(self) -> Session:
        """Connect to the compute after a start that found nothing cached: neither in its buffers nor by the kernel."""
        self._neon.post(f"/endpoints/{self._endpoint}/suspend").raise_for_status()
        _drop_from_cache(self._files)
        return psycopg.connect(self._uri, autocommit=True)


def _drop_from_cache(folder: Path) -> None:
    """Have the kernel forget the files under `folder`; what isn't on disk yet could not be forgotten."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
