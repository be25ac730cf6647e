"""The count of rows left behind: single traps, each of which a simpler count falls into."""

import threading
import time
from pathlib import Path

import psycopg
import pytest

from environments.database.provenance import baseline
from environments.database.rows import RowCount, count_rows
from environments.review.model import TableRows
from tests.localcloud.neon.hosting import wait_until
from tests.resources.computes import OWNER, Database, Session, own_cluster, run
from tests.resources.families import count


def test_a_fresh_branch_has_no_row_of_its_own(owner: Session) -> None:
    run(owner, "CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
    assert count_rows(owner, int(baseline(owner)), 20) == RowCount(())


def test_rows_of_a_transaction_that_was_in_flight_at_the_baseline_count(database: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE t (n int)")
    with database.owner() as other:
        run(other, "BEGIN")
        run(other, "INSERT INTO t VALUES (1)")
        run(other, "SAVEPOINT a")
        run(other, "INSERT INTO t VALUES (2)")
        run(owner, "INSERT INTO t VALUES (3)")
        began = int(baseline(owner))
        run(other, "SAVEPOINT b")
        run(other, "INSERT INTO t VALUES (4)")
        assert count(owner, began) == {"t": 1}  # committed before: an overcount that the one in flight costs
        run(other, "COMMIT")
    assert count(owner, began) == {"t": 4}


def test_names_with_quotes_capitals_and_percent_signs_are_counted(owner: Session) -> None:
    began = int(baseline(owner))
    run(owner, 'CREATE SCHEMA "Big ""S"" %s"')
    for name in ('"Tab.le"', '"100%"', '"a ""b"" %(c)s"', '"Big ""S"" %s"."Ünï"', '"select"'):
        run(owner, f"CREATE TABLE {name} AS SELECT 1 AS n")
    assert count(owner, began) == {"Tab.le": 1, "100%": 1, 'a "b" %(c)s': 1, 'Big "S" %s.Ünï': 1, "select": 1}


def test_a_schema_called_neon_counts_when_it_is_the_apps_own(owner: Session) -> None:
    began = int(baseline(owner))
    run(owner, "CREATE SCHEMA neon; CREATE TABLE neon.t AS SELECT 1 AS n")
    assert count(owner, began) == {"neon.t": 1}


def test_only_a_table_that_was_there_before_and_changed_is_called_rewritten(owner: Session) -> None:
    run(owner, "CREATE TABLE changed AS SELECT 1 AS n; CREATE TABLE kept AS SELECT 1 AS n")
    began = int(baseline(owner))
    run(owner, "ALTER TABLE changed ALTER n TYPE bigint; INSERT INTO kept VALUES (2)")
    run(owner, "CREATE TABLE fresh AS SELECT 1 AS n; ANALYZE; CREATE INDEX ON kept (n)")
    assert set(count_rows(owner, began, 20).tables) == {
        TableRows(table="changed", rows=1, rewritten=True),
        TableRows(table="kept", rows=1),
        TableRows(table="fresh", rows=1),
    }


def test_row_level_security_hides_nothing_from_the_count(database: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE secret (n int); CREATE TABLE zz_open (n int)")
    began = int(baseline(owner))
    run(owner, "INSERT INTO secret VALUES (1), (2); INSERT INTO zz_open VALUES (1)")
    run(owner, "ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY")
    assert count(owner, began) == {"secret": 2, "zz_open": 1}  # Neon's owner passes by every policy
    database.make_app(owner)
    with database.app() as bound:
        counted = count_rows(bound, began, 20)
    assert "secret can't be read" in counted.missing
    assert [each.table for each in counted.tables] == ["zz_open"]
    assert str(counted).startswith("at least 1 rows (zz_open 1); secret can't")


def test_a_table_of_another_role_is_named_and_the_others_are_counted(database: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE zz_mine AS SELECT 1 AS n")
    database.make_app(owner)
    run(owner, f'GRANT CREATE ON SCHEMA public TO "{database.role}"; CREATE TABLE closed AS SELECT 1 AS n')
    run(owner, f'REVOKE ALL ON closed FROM "{database.role}"')
    with database.app() as app:
        counted = count_rows(app, 1, 20)
        run(app, "CREATE TABLE theirs AS SELECT 1 AS n")
    assert "closed can't be read" in counted.missing
    assert [each.table for each in counted.tables] == ["zz_mine"]
    assert count(owner, 1).keys() == {"zz_mine", "closed", "theirs"}
    run(owner, "DROP TABLE theirs")


def test_a_count_out_of_time_says_at_least_and_returns_in_time(database: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE small AS SELECT 1 AS n; CREATE TABLE locked AS SELECT generate_series(1, 9999) AS n")
    run(owner, "ANALYZE")
    with database.owner() as other:
        run(other, "BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        counted = count_rows(owner, 1, 0.3)
        assert time.monotonic() - began < 2
    assert "counting locked and what follows took longer than" in counted.missing
    assert str(counted).startswith("at least 1 rows (small 1)")
    assert count_rows(owner, 1, -1).missing.startswith("counting its tables")


def test_a_table_that_is_renamed_during_the_count_is_not_passed_over(database: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE aaa AS SELECT 1 AS n; CREATE TABLE bbb AS SELECT 1 AS n FROM generate_series(1, 9999)")
    run(owner, "ANALYZE")
    found: list[RowCount] = []
    with database.owner() as other, database.owner() as third:
        run(other, "BEGIN; LOCK TABLE aaa IN ACCESS EXCLUSIVE MODE")
        counting = threading.Thread(target=lambda: found.append(count_rows(owner, 1, 10)))
        counting.start()
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'aaa'::regclass"
        wait_until(lambda: bool(run(third, waiting)))
        run(third, "ALTER TABLE bbb RENAME TO ccc")
        run(other, "ROLLBACK")
        counting.join()
    assert found[0].missing == "bbb was dropped or renamed meanwhile"
    assert found[0].total == 1


def test_large_objects_count_by_their_pages(owner: Session) -> None:
    assert count(owner, 1) == {}
    [(old,)] = run(owner, "SELECT lo_from_bytea(0, convert_to(repeat('x', 5000), 'UTF8'))")
    began = int(baseline(owner))
    assert count(owner, began) == {}
    run(owner, f"SELECT lo_put({old}, 0, 'y'), lo_from_bytea(0, 'z')")
    assert count(owner, began) == {"large objects": 2}
    run(owner, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata")


def test_what_is_made_of_other_rows_or_lies_elsewhere_does_not_count(owner: Session) -> None:
    run(owner, "CREATE TABLE t AS SELECT 1 AS n")
    began = int(baseline(owner))
    run(owner, "CREATE MATERIALIZED VIEW m AS SELECT * FROM t; CREATE VIEW v AS SELECT * FROM t")
    run(owner, "CREATE TEMP TABLE temporary AS SELECT 1 AS n; CREATE SEQUENCE s; SELECT nextval('s')")
    assert count(owner, began) == {}


def test_a_branch_that_was_set_back_to_before_its_baseline_is_not_counted_as_empty(owner: Session) -> None:
    run(owner, "CREATE TABLE t AS SELECT 1 AS n")
    counted = count_rows(owner, int(baseline(owner)) + 1_000_000, 20)
    assert counted.missing.startswith("it was set back")


@pytest.mark.slow
def test_a_transaction_prepared_before_the_baseline_counts_when_it_commits(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start(max_prepared_transactions="4")
        with cluster.connect() as session:
            run(session, "CREATE TABLE t (n int)")
            run(session, "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'p'")
            began = int(baseline(session))
            run(session, "INSERT INTO t VALUES (2)")
            run(session, "COMMIT PREPARED 'p'")
            assert count(session, began) == {"t": 2}


@pytest.mark.slow
def test_foreign_tables_are_left_out_and_an_ordinary_owner_is_told_what_it_cannot_read(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start()
        with cluster.connect() as root:
            run(root, f"CREATE ROLE {OWNER} LOGIN; CREATE SCHEMA neon; CREATE TABLE neon.internal AS SELECT 1 AS n")
            run(root, "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw")
            run(root, "CREATE FOREIGN TABLE far (n text) SERVER files OPTIONS (filename '/nowhere')")
            run(root, f"CREATE TABLE public.theirs AS SELECT 1 AS n; GRANT CREATE ON SCHEMA public TO {OWNER}")
        with cluster.connect(OWNER) as owner:
            run(owner, "CREATE TABLE zz_mine AS SELECT 1 AS n; SELECT lo_create(0)")
            counted = count_rows(owner, 1, 20)
            assert [each.table for each in counted.tables] == ["zz_mine"]
            assert "theirs can't be read" in counted.missing
            assert "large objects can't be read" in counted.missing
            assert "far" not in str(counted)
            assert "internal" not in str(counted)


def test_the_count_needs_no_transaction_of_its_own_and_burns_no_transaction_id(owner: Session) -> None:
    run(owner, "CREATE TABLE t AS SELECT 1 AS n")
    before = baseline(owner)
    count_rows(owner, 1, 20)
    assert baseline(owner) == before
    assert owner.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.slow
def test_tables_of_a_superuser_can_be_left_out_as_neons_own_in_its_database_postgres(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start()
        with cluster.connect() as root:
            run(root, "CREATE ROLE boss LOGIN; CREATE TABLE health_check (n int); CREATE TABLE t (n int)")
            run(root, "ALTER TABLE t OWNER TO boss; INSERT INTO health_check VALUES (1); INSERT INTO t VALUES (1)")
            assert count_rows(root, 0, 20).total == 2
            assert [each.table for each in count_rows(root, 0, 20, superusers=False).tables] == ["t"]
