"""The fence: no write commits once it is raised, reads go on, and nobody switches it off for himself."""

# ruff: noqa: S608 - every name in these statements is the tests' own

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from environments.database.fence import FenceError, is_fenced, lift_fence, raise_fence
from environments.ids import RoleName
from tests.localcloud.neon.hosting import wait_until
from tests.resources.computes import OWNER, Database, Session, own_cluster, run
from tests.resources.writers import KINDS, SCHEMA, autocommit, under_load

pytestmark = pytest.mark.slow

ROUNDS = 20


@pytest.fixture(autouse=True)
def schema(database: Database, owner: Session) -> None:
    run(owner, SCHEMA)
    database.make_app(owner)


def rights(owner: Session) -> list[tuple[object, ...]]:
    """Everything that was granted to anybody: on tables, columns, sequences, schemas, and on what comes later."""
    return run(
        owner,
        "SELECT c.oid::regclass::text, a::text FROM pg_class c, unnest(c.relacl) a WHERE c.oid >= 16384 UNION ALL "
        "SELECT format('later %s %s', d.defaclobjtype, d.defaclnamespace), a::text "
        "FROM pg_default_acl d, unnest(d.defaclacl) a "
        "UNION ALL SELECT n.nspname, a::text FROM pg_namespace n, unnest(n.nspacl) a ORDER BY 1, 2",
    )


def contents(owner: Session) -> tuple[set[int], int]:
    [(updates,)] = run(owner, "SELECT sum(n) FROM written")
    return {id_ for (id_,) in run(owner, "SELECT id FROM written WHERE id > 0")}, int(updates)


@pytest.mark.slow
def test_no_write_commits_after_the_fence_and_none_that_was_acknowledged_is_lost(
    database: Database, owner: Session
) -> None:
    with under_load(database, KINDS) as load:
        time.sleep(0.2)
        raise_fence(owner, [database.role])
        raised = time.monotonic()
        there, updates = contents(owner)
        reads = load.reads
        time.sleep(0.7)
        later, updates_later = contents(owner)
        wait_until(lambda: load.reads > reads + 20)
    assert (later, updates_later) == (there, updates)
    acknowledged = {id_: at for writer in load.writers for id_, at in writer.acknowledged}
    assert acknowledged.keys() <= there
    # What a client hears of after the fence was committed before it: the answer was on its way.
    assert max(acknowledged.values()) < raised + 0.1
    assert updates >= sum(writer.updates for writer in load.writers)
    assert load.failed_reads == []
    assert [writer.kind for writer in load.writers if not writer.denied] == []


@pytest.mark.slow
@pytest.mark.parametrize("writing", [0, 8])
def test_raising_the_fence_takes_a_moment(database: Database, owner: Session, writing: int) -> None:
    times = []
    for _ in range(ROUNDS):
        lift_fence(owner, [database.role], database.name, OWNER)
        run(owner, "TRUNCATE written")
        with under_load(database, [autocommit] * writing):
            began = time.monotonic()
            raise_fence(owner, [database.role])
            times.append(time.monotonic() - began)
    median = statistics.median(times)
    print(f"\nfence with {writing} writers: median {median * 1000:.0f} ms, largest {max(times) * 1000:.0f} ms")
    assert median < 1


def test_no_client_switches_the_fence_off(database: Database, owner: Session) -> None:
    other = RoleName(f"{database.role}_dev")
    database.make_app(owner, other)
    raise_fence(owner, [database.role])
    role = database.role
    with database.app() as app:
        run(app, "SET default_transaction_read_only = off; SET row_security = off")
        run(app, f'GRANT INSERT ON written TO "{role}"')  # Postgres warns, and grants nothing
        for attempt in (
            f"SET ROLE {OWNER}",
            f'SET ROLE "{other}"',
            "SET ROLE neon_superuser",
            f"SET SESSION AUTHORIZATION {OWNER}",
            f'GRANT neon_superuser TO "{role}"',
            f'GRANT "{other}" TO "{role}"',
            f'ALTER ROLE "{role}" SUPERUSER',
            f'ALTER TABLE written OWNER TO "{role}"',
            f'REASSIGN OWNED BY {OWNER} TO "{role}"',
            "ALTER DEFAULT PRIVILEGES FOR ROLE neondb_owner GRANT INSERT ON TABLES TO PUBLIC",
            "CREATE TABLE mine (n int)",
            "TRUNCATE written",
            "CREATE RULE r AS ON SELECT TO written DO INSTEAD NOTHING",
            "BEGIN READ WRITE; INSERT INTO written VALUES (1)",
            "WITH w AS (INSERT INTO written VALUES (1) RETURNING 1) SELECT * FROM w",
            "MERGE INTO written USING source ON false WHEN NOT MATCHED THEN INSERT VALUES (1)",
            "UPDATE written SET n = 1",
            "DELETE FROM written",
            "SELECT FROM written FOR UPDATE",
            "COPY written FROM STDIN",
            "DO $$ BEGIN INSERT INTO written VALUES (1); END $$",
            "SELECT write_one(1)",
        ):
            with pytest.raises(InsufficientPrivilege):
                pytest.fail(f"{attempt} gave {run(app, attempt)}")
            run(app, "ROLLBACK")
        run(app, "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE")
        with pytest.raises(InsufficientPrivilege):
            run(app, "INSERT INTO written VALUES (1)")
    with database.app(other) as dev:
        run(dev, "INSERT INTO written VALUES (2)")
    run(owner, "INSERT INTO written VALUES (3)")


def test_a_transaction_that_only_read_lives_on_and_one_that_wrote_does_not(database: Database, owner: Session) -> None:
    with database.app() as reader, database.app() as writer, database.app() as scratch:
        run(reader, "BEGIN")
        run(reader, "SELECT FROM written")
        run(writer, "BEGIN")
        run(writer, "INSERT INTO written VALUES (1)")
        run(scratch, "CREATE TEMP TABLE own (n int)")
        run(scratch, "BEGIN")
        run(scratch, "INSERT INTO own VALUES (1)")
        raise_fence(owner, [database.role])
        with pytest.raises(psycopg.OperationalError):
            run(writer, "COMMIT")
        run(reader, "SELECT FROM written")
        assert run(scratch, "SELECT n FROM own") == [(1,)]
        with pytest.raises(InsufficientPrivilege):
            run(reader, "INSERT INTO written VALUES (2)")
        run(reader, "ROLLBACK")
    assert contents(owner)[0] == set()


def test_a_transaction_that_has_written_may_commit_within_a_moment(database: Database, owner: Session) -> None:
    with database.app() as writer, ThreadPoolExecutor() as threads:
        run(writer, "BEGIN")
        run(writer, "INSERT INTO written VALUES (1)")
        fence = threads.submit(raise_fence, owner, [database.role])
        with database.app() as other:
            wait_until(lambda: run(other, "SELECT has_table_privilege('written', 'INSERT')") == [(False,)])
        run(writer, "COMMIT")
        fence.result()
        assert run(writer, "SELECT 1") == [(1,)], "its session goes on"
    assert contents(owner)[0] == {1}


def test_lifting_gives_back_what_the_role_had_and_takes_nothing_from_others(database: Database, owner: Session) -> None:
    database.make_app(owner, RoleName(f"{database.role}_dev"))
    run(owner, 'CREATE SCHEMA "Odd %s"; CREATE TABLE "Odd %s"."T" (n int GENERATED ALWAYS AS IDENTITY, m serial)')
    run(owner, "CREATE VIEW seen AS SELECT * FROM written")
    before = rights(owner)
    lift_fence(owner, [database.role], database.name, OWNER)
    assert rights(owner) == before
    raise_fence(owner, [database.role])
    fenced = rights(owner)
    assert fenced != before
    raise_fence(owner, [database.role])
    assert rights(owner) == fenced
    lift_fence(owner, [database.role], database.name, OWNER)
    assert rights(owner) == before
    with database.app() as app:
        run(app, 'INSERT INTO "Odd %s"."T" DEFAULT VALUES')


def test_a_table_that_the_owner_makes_later_is_behind_the_fence_too(database: Database, owner: Session) -> None:
    raise_fence(owner, [database.role])
    run(owner, "CREATE TABLE later (n int); CREATE SCHEMA late; CREATE TABLE late.later (n int)")
    with database.app() as app:
        for table in ("later", "late.later"):
            assert run(app, f"SELECT * FROM {table}") == []
            with pytest.raises(InsufficientPrivilege):
                run(app, f"INSERT INTO {table} VALUES (1)")
        lift_fence(owner, [database.role], database.name, OWNER)
        run(owner, "CREATE TABLE last (n int)")
        for table in ("later", "late.later", "last"):
            run(app, f"INSERT INTO {table} VALUES (1)")


def test_a_fence_for_nobody_is_none(owner: Session) -> None:
    before = rights(owner)
    raise_fence(owner, [])
    assert rights(owner) == before


def test_being_fenced_means_that_no_table_can_be_written_to(database: Database, owner: Session) -> None:
    role = database.role
    assert not is_fenced(owner, role)
    raise_fence(owner, [role])
    assert is_fenced(owner, role)
    for right in ("INSERT", "UPDATE", "DELETE"):
        run(owner, f'GRANT {right} ON written TO "{role}"')
        assert not is_fenced(owner, role)
        run(owner, f'REVOKE {right} ON written FROM "{role}"')
    run(owner, "DROP TABLE written, source")
    assert is_fenced(owner, role)
    lift_fence(owner, [role], database.name, OWNER)
    assert not is_fenced(owner, role)
    assert not is_fenced(owner, RoleName("nobody of this name"))


def test_a_right_that_comes_from_elsewhere_is_refused_and_nothing_is_changed(
    database: Database, owner: Session
) -> None:
    role = database.role
    run(owner, f'GRANT UPDATE (n) ON written TO PUBLIC; CREATE ROLE "{role}_group"')
    before = rights(owner)
    with pytest.raises(
        FenceError,
        match=r"could write in spite of the fence: public\.written \(.* as PUBLIC; REVOKE .* FROM PUBLIC\)",
    ):
        raise_fence(owner, [role])
    assert rights(owner) == before
    run(owner, f'REVOKE UPDATE (n) ON written FROM PUBLIC; GRANT "{role}_group" TO "{role}"')
    run(owner, f'GRANT DELETE ON source TO "{role}_group"')
    with pytest.raises(FenceError, match=f'fence: {role}_group .*member of it; REVOKE "{role}_group" FROM "{role}"'):
        raise_fence(owner, [role])
    raise_fence(owner, [role], [f"{role}_group"])
    lift_fence(owner, [role], database.name, OWNER)
    run(owner, f'REVOKE DELETE ON source FROM "{role}_group"')
    raise_fence(owner, [role])
    run(owner, f'REVOKE "{role}_group" FROM "{role}"')


def test_a_function_that_writes_with_its_owners_rights_is_refused(database: Database, owner: Session) -> None:
    run(owner, "ALTER FUNCTION write_one SECURITY DEFINER")
    for volatility in ("VOLATILE", "STABLE", "IMMUTABLE"):
        run(owner, f"ALTER FUNCTION write_one {volatility}")
        with pytest.raises(FenceError, match=r"fence: public\.write_one\(bigint\) \(.*which has its owner's rights"):
            raise_fence(owner, [database.role])
    assert not is_fenced(owner, database.role)
    raise_fence(owner, [database.role], None)
    assert is_fenced(owner, database.role), "an undo takes what it can"
    lift_fence(owner, [database.role], database.name, OWNER)
    run(owner, "ALTER FUNCTION write_one VOLATILE; REVOKE EXECUTE ON FUNCTION write_one FROM PUBLIC")
    raise_fence(owner, [database.role])


def test_a_view_and_a_partition_are_no_way_around_the_fence(database: Database, owner: Session) -> None:
    run(owner, "CREATE VIEW seen AS SELECT * FROM written; CREATE TABLE p (n int) PARTITION BY LIST (n)")
    run(owner, "CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)")
    raise_fence(owner, [database.role])
    with database.app() as app:
        for target in ("seen", "p", "p_1"):
            with pytest.raises(InsufficientPrivilege):
                run(app, f"INSERT INTO {target} VALUES (1)")


@pytest.mark.slow
def test_a_prepared_transaction_is_refused_since_it_could_still_commit(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start(max_prepared_transactions="4")
        with cluster.connect() as root, cluster.connect() as session:
            run(root, "CREATE ROLE app LOGIN; CREATE TABLE t (n int); GRANT ALL ON t TO app")
            run(session, "SET SESSION AUTHORIZATION app; BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'late'")
            with pytest.raises(
                FenceError, match="app prepared late in database postgres, which can still be committed"
            ):
                raise_fence(root, [RoleName("app")])
            run(root, "ROLLBACK PREPARED 'late'")
            raise_fence(root, [RoleName("app")])
