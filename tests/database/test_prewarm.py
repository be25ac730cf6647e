"""Warming reads into a cold compute's buffers what was hot on another; a branch that stays cold is no failure."""

from __future__ import annotations

import re

import psycopg
import pytest

from environments.database.prewarm import hot_relations, prewarm
from tests.localcloud.neon.hosting import Project
from tests.resources.computes import Database, Session, run

pytestmark = pytest.mark.slow

ROWS = 20_000


def blocks_read(connection: Session, table: str) -> int:
    """Return how many blocks a scan of the table had to read from below the buffers."""
    plan = "\n".join(row[0] for row in run(connection, f"EXPLAIN (ANALYZE, BUFFERS, COSTS off) SELECT * FROM {table}"))  # noqa: S608
    return sum(int(count) for count in re.findall(r"read=(\d+)", plan))


@pytest.fixture
def tables(database: Database, owner: Session) -> Database:
    """Two tables; only one of them is ever looked at."""
    for table in ("hot", "idle"):
        run(owner, f"CREATE TABLE {table} AS SELECT n, repeat('x', 90) FROM generate_series(1, {ROWS}) AS n")  # noqa: S608
    run(owner, "VACUUM hot, idle")
    return database


def test_what_was_hot_is_in_the_buffers_and_what_was_not_is_not(project: Project, tables: Database) -> None:
    hot = [("public", "hot")]
    project.suspend()  # and the next connection starts the compute again, with nothing in its buffers
    with tables.owner() as cold:
        assert blocks_read(cold, "hot") > 100, "a compute that was started again has read nothing yet"
    project.suspend()
    with tables.owner() as connection:
        read = prewarm(connection, hot)
        assert read.relations == 1
        assert not read.missing
        assert blocks_read(connection, "hot") < 5, "of the table nothing; planning may read the catalog"
        assert blocks_read(connection, "idle") > 100


def test_of_a_table_larger_than_the_buffers_the_newest_rows_are_in_them_beside_what_fits_whole(
    project: Project, tables: Database
) -> None:
    with tables.owner() as connection:
        run(connection, "CREATE TABLE large AS SELECT n, repeat('x', 90) FROM generate_series(1, 400000) AS n")
        run(connection, "VACUUM large")
        [(size, buffers)] = run(
            connection,
            "SELECT pg_relation_size('large') / 8192, setting::int FROM pg_settings WHERE name = 'shared_buffers'",
        )
    assert size > buffers
    project.suspend()
    with tables.owner() as connection:
        assert prewarm(connection, [("public", "large"), ("public", "hot")]).missing == ""
        assert blocks_read(connection, "hot") < 5
        assert blocks_read(connection, f"large WHERE ctid >= '({size - buffers // 2},0)'") < 5
        assert blocks_read(connection, "large WHERE ctid < '(100,0)'") >= 100


def test_what_is_looked_at_most_is_the_hottest(tables: Database) -> None:
    with tables.owner() as reader:
        for _ in range(20):
            run(reader, "SELECT count(*) FROM hot")
    with tables.owner() as connection:
        found = hot_relations(connection)
    assert found[0] == ("public", "hot")


def test_no_time_and_no_right_leave_the_branch_cold_and_say_so(tables: Database) -> None:
    with tables.owner() as connection:
        assert "time for it was over" in prewarm(connection, [("public", "hot")], seconds=-1).missing
    with tables.owner() as connection:
        tables.make_app(connection)
        run(connection, "DROP EXTENSION IF EXISTS pg_prewarm")
    with tables.app() as connection:
        read = prewarm(connection, [("public", "hot")])
    assert read.relations == 0
    assert "the extension pg_prewarm isn't available" in read.missing
    assert isinstance(str(read), str)
    assert psycopg.errors.InsufficientPrivilege.__name__ in read.missing
