"""The count of rows left behind through freezes, rewrites and changes of epoch, and without any baseline."""

# ruff: noqa: S608 - every name in these statements is the tests' own

from pathlib import Path

import pytest

from environments.database.provenance import baseline
from tests.resources.computes import Cluster, Session, own_cluster, run
from tests.resources.families import FAMILIES, NAMES, SCHEMA, count

pytestmark = pytest.mark.slow

EPOCH = 2**32


def jump(cluster: Cluster, xid: int) -> None:
    """Continue with this transaction id, as if all before it had been used; nothing old stays unfrozen."""
    cluster.start()
    with cluster.connect() as session:
        names = [name for (name,) in run(session, "SELECT datname FROM pg_database")]
        for name in names:
            run(session, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    for name in names:
        with cluster.connect(database=name) as session:
            run(session, "VACUUM FREEZE")
    cluster.stop()
    cluster.call("pg_resetwal", f"--next-transaction-id={xid}")
    cluster.grow_status_file(xid)


def test_the_count_holds_through_a_change_of_epoch(tmp_path: Path) -> None:
    almost = EPOCH - 100
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start()
        with cluster.connect() as session:
            run(session, "CREATE TABLE t (n int); INSERT INTO t VALUES (0)")
        cluster.stop()
        for xid in (EPOCH * 2 // 5, EPOCH * 4 // 5, almost):
            jump(cluster, xid)
        cluster.start(autovacuum="off")
        with cluster.connect() as session:
            run(session, "INSERT INTO t VALUES (1)")
            began = int(baseline(session))
            assert almost < began < EPOCH
            for n in range(10):
                run(session, f"INSERT INTO t VALUES (1{n})")
            assert count(session, began) == {"t": 10}
            while int(baseline(session)) < EPOCH + 50:
                run(session, "SELECT pg_current_xact_id()")
            assert count(session, began) == {"t": 10}
            for n in range(10):
                run(session, f"INSERT INTO t VALUES (2{n})")
            assert count(session, began) == {"t": 20}
            later = int(baseline(session))
            assert later > EPOCH
            assert count(session, later) == {}
            run(session, "INSERT INTO t VALUES (3)")
            run(session, "VACUUM FULL t")
            run(session, "VACUUM FREEZE t")
            assert count(session, later) == {"t": 1}
            assert count(session, began) == {"t": 21}


def counted_by_family(session: Session) -> dict[str, int]:
    """Rows by family of a count without a baseline, as for a branch that was adopted."""
    found = count(session, 0)
    return {family: sum(found.get(table, 0) for table in tables) for family, tables in FAMILIES.items()}


def insert_into_each(session: Session, number: int) -> None:
    for name in NAMES.values():
        run(session, f"INSERT INTO {name} (id, v, part) VALUES ({number}, 0, {number % 2})")


def test_of_an_adopted_branch_every_row_counts_through_a_change_of_epoch(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start()
        with cluster.connect() as session:
            run(session, SCHEMA)
        cluster.stop()
        for number, xid in enumerate((EPOCH * 2 // 5, EPOCH * 4 // 5, EPOCH - 3)):
            cluster.start()
            with cluster.connect() as session:
                insert_into_each(session, number)
            cluster.stop()
            jump(cluster, xid)
        cluster.start(autovacuum="off")
        with cluster.connect() as session:
            insert_into_each(session, 3)
            assert int(baseline(session)) > EPOCH
            assert counted_by_family(session) == dict.fromkeys(FAMILIES, 4)
            run(session, "VACUUM FULL")
            run(session, "VACUUM FREEZE")
            assert counted_by_family(session) == dict.fromkeys(FAMILIES, 4)


def test_rows_frozen_with_an_id_that_is_still_to_come_count_where_every_row_does(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start()
        cluster.stop()
        jump(cluster, EPOCH * 2 // 5)
        cluster.start()
        with cluster.connect() as session:
            run(session, "CREATE TABLE t AS SELECT 1 AS n")
        cluster.stop()
        jump(cluster, 100_000)
        cluster.start(autovacuum="off")
        with cluster.connect() as session:
            began = int(baseline(session))
            run(session, "INSERT INTO t VALUES (2)")
            assert count(session, 0) == {"t": 2}
            assert count(session, began) == {"t": 1}, "what is frozen from before is older than any baseline"


def test_of_an_adopted_branch_every_row_counts_after_a_vacuum_of_any_kind(owner: Session) -> None:
    run(owner, SCHEMA)
    for number in range(4):
        insert_into_each(owner, number)
    for vacuum in ("VACUUM FREEZE", "VACUUM FULL", "VACUUM (FULL, FREEZE)", "VACUUM FREEZE"):
        for name in NAMES.values():
            run(owner, f"{vacuum} {name}")
        assert counted_by_family(owner) == dict.fromkeys(FAMILIES, 4)
