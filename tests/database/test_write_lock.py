"""The lock: writers wait, readers don't, nothing is lost, and whatever happens to its holder writes go on."""

# ruff: noqa: S608 - every name in these statements is the tests' own

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from environments.clients.deadline import TimeLimit
from environments.database import write_lock as module
from environments.database.fence import FenceError, is_fenced
from environments.database.rows import count_rows
from environments.database.write_lock import LockLostError, WriteLock, write_lock
from environments.ids import RoleName
from tests.localcloud.neon.hosting import wait_until
from tests.resources.computes import OWNER, Database, Session, own_cluster, run
from tests.resources.writers import KINDS, SCHEMA, Load, autocommit, transaction, under_load

pytestmark = pytest.mark.slow

AGAIN = 2.0
"""Seconds within which writes go on, whatever became of the lock."""


@pytest.fixture(autouse=True)
def schema(database: Database, owner: Session) -> None:
    run(owner, SCHEMA)
    database.make_app(owner)


def uri(database: Database) -> str:
    return database.project.uri(database=database.name)


@contextmanager
def locked(database: Database, *roles: str, patience: float = 5) -> Iterator[WriteLock]:
    with write_lock(uri(database), [RoleName(role) for role in roles] or [database.role]) as lock:
        lock.take(patience)
        yield lock


def ids(session: Session) -> set[int]:
    return {id_ for (id_,) in run(session, "SELECT id FROM written WHERE id > 0")}


def acknowledged(load: Load) -> dict[int, float]:
    return {id_: at for writer in load.writers for id_, at in writer.acknowledged}


def writes_go_on(load: Load, since: float) -> float:
    """Return after how many seconds a writer was acknowledged again; fail after 2 s without one."""
    wait_until(lambda: any(at > since for at in acknowledged(load).values()), AGAIN)
    return min(at for at in acknowledged(load).values() if at > since) - since


def test_writers_wait_and_readers_do_not_until_it_is_rolled_back(database: Database, owner: Session) -> None:
    with under_load(database, [autocommit] * 4) as load:
        with locked(database) as lock:
            held, reads = time.monotonic(), load.reads
            there = ids(lock.session)
            time.sleep(1)
            assert ids(lock.session) == there, "nobody writes"
            assert load.reads > reads + 50, "readers go on"
            # What a client hears of afterwards was committed before: the answer was on its way.
            assert max(acknowledged(load).values()) < held + 0.5
            released = time.monotonic()
        print(f"\nwrites went on {writes_go_on(load, released):.3f} s after the rollback")
        wait_until(lambda: len(ids(owner)) > len(there) + 20)
    assert load.failed_reads == []
    assert [writer.denied for writer in load.writers] == [0, 0, 0, 0]
    assert acknowledged(load).keys() <= ids(owner)
    assert not is_fenced(owner, database.role)


def test_the_count_under_it_is_exact_and_after_its_commit_nobody_writes(database: Database, owner: Session) -> None:
    began = int(run(owner, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")[0][0])
    with under_load(database, [autocommit, transaction, autocommit, transaction]) as load:
        time.sleep(0.3)
        with locked(database) as lock:
            counted = count_rows(lock.session, began, 20)
            there = ids(lock.session)
            time.sleep(0.3)
            lock.commit()
        assert counted.missing == ""
        assert counted.total == len(there)
        wait_until(lambda: all(writer.denied for writer in load.writers))
        assert ids(owner) == there
    assert acknowledged(load).keys() == there
    assert load.failed_reads == []
    assert is_fenced(owner, database.role)


def test_it_holds_for_each_way_to_write(database: Database, owner: Session) -> None:
    with under_load(database, KINDS) as load:
        time.sleep(0.2)
        with locked(database) as lock:
            there = ids(lock.session)
            [updates] = run(lock.session, "SELECT sum(n) FROM written")
            time.sleep(0.5)
            assert ids(lock.session) == there
            assert run(lock.session, "SELECT sum(n) FROM written") == [updates]
            lock.commit()
        wait_until(lambda: all(writer.denied for writer in load.writers))
        assert (ids(owner), run(owner, "SELECT sum(n) FROM written")) == (there, [updates])
    assert acknowledged(load).keys() <= there
    assert load.failed_reads == []


def test_transactions_over_two_tables_are_not_ended_while_it_is_taken(database: Database, owner: Session) -> None:
    """One that holds a lock on a table and needs one on a table before it: the lock gives way until it is through."""
    run(owner, "CREATE TABLE a (n int); CREATE TABLE b (n int); CREATE TABLE c (n int)")
    run(owner, f'GRANT INSERT ON a, b, c TO "{database.role}"')
    failures: list[str] = []
    stopped = threading.Event()

    def write() -> None:
        with database.app() as app:
            while not stopped.is_set():
                try:
                    with app.transaction():
                        for table in ("c", "b", "a"):
                            run(app, f"INSERT INTO {table} VALUES (1)")
                            time.sleep(0.005)
                except psycopg.Error as error:
                    failures.append(repr(error))
                    return

    taken = []
    with ThreadPoolExecutor() as threads:
        writing = [threads.submit(write) for _ in range(4)]
        try:
            time.sleep(0.2)
            for _ in range(10):
                with write_lock(uri(database), [database.role]) as lock:
                    began = time.monotonic()
                    lock.take()
                    taken.append(time.monotonic() - began)
                    time.sleep(0.05)
                time.sleep(0.05)
        finally:
            stopped.set()
    for each in writing:
        each.result()
    assert failures == []
    assert run(owner, "SELECT count(*) > 0 FROM a") == [(True,)]
    print(f"\nlock taken in {statistics.median(taken):.3f} s, at most {max(taken):.3f} s")


@pytest.mark.parametrize("writing", [0, 4])
def test_taking_it_takes_a_moment(database: Database, writing: int) -> None:
    times = []
    with under_load(database, [autocommit] * writing) as load:
        for _ in range(20):
            with write_lock(uri(database), [database.role]) as lock:
                began = time.monotonic()
                lock.take()
                times.append(time.monotonic() - began)
    median = statistics.median(times)
    print(f"\nlock with {writing} writers: median {median * 1000:.0f} ms, largest {max(times) * 1000:.0f} ms")
    assert median < 1
    assert load.failed_reads == []


def test_a_transaction_that_has_written_may_commit_within_a_moment(database: Database, owner: Session) -> None:
    with ThreadPoolExecutor() as threads, database.app() as writer:
        run(writer, "BEGIN; INSERT INTO written VALUES (1)")
        taken = threading.Event()

        def take() -> set[int]:
            with locked(database) as lock:
                taken.set()
                return ids(lock.session)

        taking = threads.submit(take)
        wait_until(
            lambda: bool(run(owner, "SELECT 1 FROM pg_locks WHERE relation = 'written'::regclass AND NOT granted"))
        )
        assert not taken.is_set()
        run(writer, "COMMIT")
        assert taking.result() == {1}
        assert run(writer, "SELECT 1") == [(1,)], "its session goes on"


def test_one_that_stays_open_is_ended_and_one_that_only_read_is_not(database: Database, owner: Session) -> None:
    with database.app() as reader, database.app() as writer, database.app() as scratch:
        run(reader, "BEGIN; SELECT FROM written")
        run(writer, "BEGIN; INSERT INTO written VALUES (1)")
        run(scratch, "CREATE TEMP TABLE own (n int)")
        run(scratch, "BEGIN; INSERT INTO own VALUES (1)")
        began = time.monotonic()
        with locked(database):
            assert time.monotonic() - began < AGAIN
            with pytest.raises(psycopg.OperationalError):
                run(writer, "COMMIT")
            run(reader, "SELECT FROM written")
            assert run(scratch, "SELECT n FROM own") == [(1,)]
        run(reader, "INSERT INTO written VALUES (2); COMMIT")
    assert ids(owner) == {2}


def test_a_transaction_of_another_role_is_waited_for_and_named(database: Database) -> None:
    with database.owner() as other, database.app() as app:
        run(other, "BEGIN; INSERT INTO written VALUES (1)")
        with pytest.raises(FenceError) as refused, locked(database, patience=0.7):
            pytest.fail("the other one has written")
        assert "a transaction of neondb_owner (session " in str(refused.value)
        assert "that has written to public.written is open since 20" in str(refused.value)
        run(app, "INSERT INTO written VALUES (2)")
        run(other, "COMMIT")
    with locked(database) as lock:
        assert ids(lock.session) == {1, 2}


def test_a_transaction_that_makes_a_table_is_ended_if_the_app_may_make_some(database: Database, owner: Session) -> None:
    run(owner, f'GRANT CREATE ON SCHEMA public TO "{database.role}"')
    with database.app() as app, write_lock(uri(database), [database.role], ["schema public"]) as lock:
        run(app, "BEGIN; CREATE TABLE mine (n int)")
        run(app, "INSERT INTO mine SELECT generate_series(1, 700)")
        lock.take()
        with pytest.raises(psycopg.OperationalError):
            run(app, "COMMIT")
        lock.commit()
    assert run(owner, "SELECT to_regclass('mine') IS NULL") == [(True,)], "700 rows were not acknowledged"


@pytest.mark.parametrize(
    "written",
    ["CREATE TABLE made (n int); INSERT INTO made VALUES (1)", "SELECT lo_from_bytea(0, 'large')"],
    ids=["a new table", "a large object"],
)
def test_what_another_role_has_written_where_no_lock_is_is_waited_for(
    database: Database, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.owner() as other, database.app() as app:
        run(other, f"BEGIN; {written}")
        with ThreadPoolExecutor() as threads:
            rehearsing = threads.submit(rehearsed, database)
            time.sleep(0.5)
            run(app, "INSERT INTO written VALUES (2)")
            assert not rehearsing.done(), "nobody else waits meanwhile"
            run(other, "COMMIT")
            rehearsing.result()
        run(other, f"BEGIN; {written.replace('made', 'more')}")
        monkeypatch.setattr(module, "PATIENCE", 0.5)
        with pytest.raises(FenceError, match=r"transaction of neondb_owner \(session .* that has made or changed a"):
            rehearsed(database)
        run(other, "ROLLBACK; DROP TABLE IF EXISTS made; SELECT lo_unlink(oid) FROM pg_largeobject_metadata")


def test_what_is_open_in_another_database_is_waited_for(
    database: Database, owner: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    other = f"{database.name}_b"
    run(owner, f'CREATE DATABASE "{other}"')
    try:
        with psycopg.connect(database.project.uri(database=other), autocommit=True) as session:
            run(session, "CREATE TABLE events (n int)")
            run(session, "BEGIN; INSERT INTO events VALUES (1)")
            with pytest.raises(FenceError, match=f"in database {other} is open since"):
                rehearsed(database)
            with write_lock(uri(database), [database.role], [OWNER]) as lock:
                lock.take()  # the settings list whose transaction it is
            run(session, "COMMIT")
        rehearsed(database)
    finally:
        run(owner, f'DROP DATABASE "{other}" WITH (FORCE)')


def test_one_that_waits_for_the_lock_is_not_ended_though_it_has_taken_rows(database: Database, owner: Session) -> None:
    """SELECT … FOR UPDATE, then the write: it waits as every other one does, also through a view or a sequence."""
    run(owner, "CREATE VIEW seen AS SELECT * FROM written; CREATE SEQUENCE s; INSERT INTO written VALUES (1)")
    run(owner, f'GRANT ALL ON seen, s TO "{database.role}"')
    with database.app() as app, ThreadPoolExecutor() as threads:
        run(app, "BEGIN; SELECT nextval('s'), n FROM written FOR UPDATE")
        with locked(database):
            writing = threads.submit(run, app, "UPDATE seen SET n = 7; COMMIT")
            time.sleep(1)
            assert not writing.done()
        writing.result()
    assert run(owner, "SELECT n FROM written WHERE id = 1") == [(7,)]


def test_nobody_waits_for_longer_than_what_is_left_of_a_pause_of_writes(database: Database) -> None:
    with database.owner() as other:
        run(other, "BEGIN; INSERT INTO written VALUES (1)")
        began = time.monotonic()
        refused = pytest.raises(FenceError, match=r"has written to public\.written")
        with refused, TimeLimit(1, "too long"), locked(database, patience=60):
            pytest.fail("the other one has written")
        assert time.monotonic() - began < 4
        run(other, "COMMIT")


def test_what_works_on_a_table_for_long_is_waited_for_and_named(database: Database, owner: Session) -> None:
    """CREATE INDEX CONCURRENTLY waits for the transactions before it, as VACUUM does for as long as it has work."""
    with ThreadPoolExecutor() as threads, database.owner() as other, database.owner() as reader:
        run(reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM written")
        working = threads.submit(run, other, "CREATE INDEX CONCURRENTLY slow ON written (n)")
        wait_until(lambda: bool(run(owner, "SELECT 1 FROM pg_stat_progress_create_index")))
        with pytest.raises(FenceError) as refused, locked(database, patience=0.7):
            pytest.fail("an index is being made")
        assert "a VACUUM, ANALYZE, CREATE INDEX CONCURRENTLY or the like of neondb_owner (session " in str(
            refused.value
        )
        assert "works on public.written" in str(refused.value)
        run(reader, "COMMIT")
        working.result()
    with locked(database):
        pass


def test_a_session_of_the_owner_that_is_ended_lets_writers_go_on_and_the_commit_says_so(
    database: Database, owner: Session
) -> None:
    with under_load(database, [autocommit] * 4) as load, locked(database) as lock:
        time.sleep(0.2)
        killed = time.monotonic()
        run(owner, f"SELECT pg_terminate_backend({lock.session.info.backend_pid})")
        print(f"\nwrites went on {writes_go_on(load, killed):.3f} s after the session was ended")
        with pytest.raises(LockLostError, match="the lock on writes was lost"):
            lock.require_held()
        with pytest.raises(LockLostError):
            lock.commit()
    assert not is_fenced(owner, database.role)
    assert [writer.denied for writer in load.writers] == [0, 0, 0, 0]


HOLDER = """
import sys, time
from environments.database.write_lock import write_lock
from environments.ids import RoleName
with write_lock(sys.argv[1], [RoleName(sys.argv[2])]) as lock:
    lock.take()
    print("held", flush=True)
    if sys.argv[3] == "at work":
        lock.session.execute("SELECT pg_sleep(20)")
    time.sleep(20)
"""


@pytest.mark.parametrize("doing", ["nothing", "at work"])
def test_after_a_kill_of_its_holder_writes_go_on(database: Database, owner: Session, doing: str) -> None:
    with under_load(database, [autocommit] * 4) as load, holder(database, doing) as process:
        time.sleep(1)
        before = time.monotonic()
        assert max(acknowledged(load).values()) < before - 0.3, "nobody writes"
        process.kill()
        print(f"\nwrites went on {writes_go_on(load, before):.3f} s after SIGKILL")
    assert not is_fenced(owner, database.role)


def test_a_holder_that_falls_silent_loses_it(database: Database, owner: Session) -> None:
    """A machine or a network that vanished sends nothing, not even the end of its connection: as a stopped process."""
    with under_load(database, [autocommit] * 2) as load, holder(database, "nothing") as process:
        time.sleep(3)
        assert max(acknowledged(load).values()) < time.monotonic() - 2, "the heartbeat keeps it"
        os.kill(process.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: any(at > stopped for at in acknowledged(load).values()), 8)
        print(f"\nwrites went on {time.monotonic() - stopped:.1f} s after SIGSTOP")
    assert not is_fenced(owner, database.role)


@contextmanager
def holder(database: Database, doing: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, uri(database), database.role, doing]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_rights_that_a_revoke_can_not_take_are_found_before_anybody_waits(database: Database, owner: Session) -> None:
    run(owner, "GRANT UPDATE (n) ON written TO PUBLIC")
    with pytest.raises(FenceError, match=r"could write in spite of the fence: public\.written "):
        rehearsed(database)
    run(owner, "REVOKE UPDATE (n) ON written FROM PUBLIC; ALTER FUNCTION write_one SECURITY DEFINER")
    with pytest.raises(FenceError, match=r"may call public\.write_one\(bigint\), which has its owner's rights"):
        rehearsed(database)
    run(owner, "ALTER FUNCTION write_one SECURITY INVOKER")
    rehearsed(database)
    assert not is_fenced(owner, database.role), "a rehearsal changes nothing"


def rehearsed(database: Database) -> None:
    with write_lock(uri(database), [database.role]):
        pass


def rehearsed_at(address: str) -> None:
    with write_lock(address, [RoleName("app")]):
        pass


def test_tables_that_are_made_meanwhile_and_partitions_are_locked_too(database: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE p (n int) PARTITION BY LIST (n); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)")
    run(owner, 'CREATE SCHEMA "Odd %s"; CREATE TABLE "Odd %s"."T ""x""" (n int); CREATE TABLE gone (n int)')
    run(owner, f'GRANT ALL ON ALL TABLES IN SCHEMA public, "Odd %s" TO "{database.role}"')
    run(owner, f'GRANT USAGE ON SCHEMA "Odd %s" TO "{database.role}"')
    with write_lock(uri(database), [database.role]) as lock:
        run(owner, f'CREATE TABLE late (n int); GRANT ALL ON late TO "{database.role}"; DROP TABLE gone')
        lock.take()
        with database.app() as app:
            run(app, "SET lock_timeout = 100")
            for table in ("written", "p", "p_1", '"Odd %s"."T ""x"""', "late"):
                assert run(app, f"SELECT count(*) >= 0 FROM {table}") == [(True,)]
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    run(app, f"INSERT INTO {table} SELECT 1")
            lock.commit()
            for table in ("written", "p", "p_1", '"Odd %s"."T ""x"""', "late"):
                with pytest.raises(InsufficientPrivilege):
                    run(app, f"INSERT INTO {table} SELECT 1")


def test_a_table_that_fails_under_it_leaves_the_transaction_whole(database: Database, owner: Session) -> None:
    """A table that refuses to be counted is named; the lock is held, and can be committed."""
    run(owner, "CREATE TABLE walled (n int); ALTER TABLE walled ENABLE ROW LEVEL SECURITY")
    run(owner, "ALTER TABLE walled FORCE ROW LEVEL SECURITY; INSERT INTO written VALUES (1)")
    bound = run(owner, "SELECT NOT rolbypassrls AND NOT rolsuper FROM pg_roles WHERE rolname = current_user")
    with locked(database) as lock:
        counted = count_rows(lock.session, 1, 20)
        late = count_rows(lock.session, 1, -1)
        lock.commit()
    assert counted.missing == ("walled can't be read by the database's owner" if bound == [(True,)] else "")
    assert {each.table: each.rows for each in counted.tables}["written"] == 51
    assert late.missing.startswith("counting its tables")
    assert is_fenced(owner, database.role)


def test_more_tables_than_postgres_has_locks_for_are_refused_before_anybody_waits(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start(max_locks_per_transaction="10", max_connections="20")
        with cluster.connect() as root:
            run(root, "CREATE ROLE app LOGIN; CREATE TABLE t (n int); GRANT ALL ON t TO app")
            for number in range(100):
                run(root, f"CREATE TABLE t_{number} (n int)")
            with pytest.raises(FenceError) as refused, held(root):
                pytest.fail("101 tables of 200 locks are more than half")
            assert "the database has 101 tables, partitions among them, and its Postgres has room for 200 locks" in str(
                refused.value
            )
            assert "safety: {fence: after}" in str(refused.value)
            run(root, "DROP TABLE t_0")
            with held(root):
                pass


def test_a_lock_table_that_others_have_filled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start(max_locks_per_transaction="10", max_connections="20")
        with cluster.connect() as root:
            run(root, "CREATE ROLE app LOGIN; CREATE TABLE t (n int); GRANT ALL ON t TO app")
            for number in range(3000):
                run(root, f"CREATE TABLE t_{number} (n int)")
            monkeypatch.setattr(module, "_ROOM", "SELECT 1000000")
            with pytest.raises(FenceError, match="no room for a lock on every table"), held(root):
                pytest.fail("3,001 tables don't fit")


@contextmanager
def held(root: Session) -> Iterator[WriteLock]:
    address = f"host={root.info.host} user=root dbname=postgres"
    with write_lock(address, [RoleName("app")]) as lock:
        lock.take()
        yield lock


def test_a_table_of_another_owner_that_the_app_may_write_to_is_named(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start(max_prepared_transactions="4")
        with cluster.connect() as root:
            run(root, "CREATE ROLE app LOGIN; CREATE ROLE boss LOGIN; GRANT app TO boss; CREATE ROLE stranger LOGIN")
            run(root, "GRANT CREATE ON SCHEMA public TO boss, stranger")
            run(root, "SET ROLE boss; CREATE TABLE t (n int); GRANT ALL ON t TO app; RESET ROLE")
            run(root, "SET ROLE stranger; CREATE TABLE theirs (n int); GRANT SELECT ON theirs TO PUBLIC; RESET ROLE")
            address = f"host={root.info.host} user=boss dbname=postgres"
            with write_lock(address, [RoleName("app")]) as lock:
                lock.take()  # the app can't write there, so there is nothing to lock
            run(root, "GRANT INSERT ON theirs TO app")
            with (
                pytest.raises(FenceError, match=r"public\.theirs belongs to stranger, and boss may not lock it"),
                write_lock(address, [RoleName("app")]),
            ):
                pytest.fail("the app writes where nobody can stop it")
            # A prepared transaction is found before, whose ever it is.
            run(root, "REVOKE INSERT ON theirs FROM app")
            for user in ("app", "boss"):
                with cluster.connect(user) as session:
                    run(session, "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'late'")
                text = f"{user} prepared late in database postgres, which can still be committed"
                with pytest.raises(FenceError, match=text):
                    rehearsed_at(address)
                run(root, "ROLLBACK PREPARED 'late'")


def test_of_two_at_once_the_second_comes_after_the_first_or_is_told_of_it(database: Database, owner: Session) -> None:
    other = RoleName(f"{database.role}_dev")
    database.make_app(owner, other)
    with ThreadPoolExecutor() as threads, locked(database) as first:
        second = threads.submit(taken_and_committed, database, other)
        time.sleep(0.5)
        assert not second.done()
        first.commit()
        second.result()
    assert is_fenced(owner, database.role)
    assert is_fenced(owner, other)
    with locked(database), pytest.raises(FenceError, match="another session changes the rights on its tables"):
        taken_and_committed(database, other)
    assert run(owner, f"SELECT has_table_privilege('{OWNER}', 'written', 'INSERT')") == [(True,)]


def taken_and_committed(database: Database, role: str) -> None:
    with locked(database, role) as lock:
        lock.commit()
