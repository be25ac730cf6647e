"""The first queries after a promotion, with the cache warmed and without, on a table larger than the shared buffers."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass

import httpx
import psycopg

from localcloud.program import Program
from resources.warm import hot_relations, warm

ROWS = 1_500_000
QUERIES = 1000
SHARE_THAT_IS_HOT = 10
_FILL = (
    "CREATE TABLE visits (id bigint PRIMARY KEY, at timestamptz DEFAULT now(), page text, filler text)",
    "INSERT INTO visits SELECT n, now(), n::text, repeat('x', 90) FROM generate_series(1, {}) AS n",
    "VACUUM ANALYZE visits",
)


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one query: the median and the 99th percentile."""

    median: float
    p99: float

    def __str__(self) -> str:
        """Show both."""
        return f"{self.median:.2f} / {self.p99:.2f} ms"


def measure(program: Program) -> dict[str, Latency]:
    """Return the latency of the first 1,000 queries: on the busy branch, on a cold clone and on a warmed one."""
    with psycopg.connect(program.owner_url("dev", "dev"), autocommit=True) as busy:
        for statement in _FILL:
            busy.execute(statement.format(ROWS).encode())
        _query(busy)
        found = {"the branch that is busy (warm)": _query(busy)}
        hot = hot_relations(busy)
    for name in ("cold", "warm"):
        branch = _clone(program, f"bench-{name}")
        with psycopg.connect(branch, autocommit=True) as connection:
            if name == "warm":
                print(f"warm-up: {warm(connection, hot)}")
            found[f"a new clone, {'warmed' if name == 'warm' else 'not warmed'}"] = _query(connection)
    return found


def _query(connection: psycopg.Connection) -> Latency:
    """Ask for 1,000 rows of the tenth of the table that visitors look at."""
    chosen = random.Random(7)  # noqa: S311 - the same rows each time
    times = []
    for _ in range(QUERIES):
        wanted = chosen.randrange(1, ROWS // SHARE_THAT_IS_HOT)
        began = time.perf_counter()
        connection.execute("SELECT page FROM visits WHERE id = %s", (wanted,)).fetchone()
        times.append(1000 * (time.perf_counter() - began))
    return Latency(statistics.median(times), statistics.quantiles(times, n=100)[98])


def _clone(program: Program, name: str) -> str:
    """Clone dev and return the clone's URL, its compute started anew so that nothing of it is cached."""
    outputs = program.outputs("dev")
    project, parent = outputs["projects"]["neon"], outputs["branches"]["dev"]
    headers = {"Authorization": f"Bearer {program.cloud.neon_api_key}"}
    with httpx.Client(
        base_url=f"{program.cloud.neon_api_host}/projects/{project}", headers=headers, timeout=120
    ) as neon:
        body = {"branch": {"name": name, "parent_id": parent}, "endpoints": [{"type": "read_write"}]}
        made = neon.post("/branches", json=body).raise_for_status().json()
        branch, endpoint = made["branch"]["id"], made["endpoints"][0]["id"]
        size = {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 1}
        neon.patch(f"/endpoints/{endpoint}", json={"endpoint": size}).raise_for_status()
        neon.post(f"/endpoints/{endpoint}/suspend").raise_for_status()
        query = {"branch_id": branch, "endpoint_id": endpoint, "database_name": "neondb", "role_name": "neondb_owner"}
        return str(neon.get("/connection_uri", params=query).raise_for_status().json()["uri"])
