"""A database carried over to a newer Postgres: all that a dump holds, exactly, and refused where it can't hold it.

The source is a project of the older Postgres that Debian installs, the copy one of the default version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from environments.clients.neon import Address, Neon
from environments.database.copy import programs
from environments.database.copy.carry_over import CopyError, carry_over, copy_refusal, was_cut_short
from environments.database.copy.note import read_note
from environments.database.copy.programs import DumpError, find_tools
from environments.database.rows import count_rows
from environments.ids import BranchId, DatabaseName, EndpointId, NeonProject
from localcloud.neon.installations import Installations
from tests.localcloud.neon.hosting import API_KEY, Host, Project
from tests.resources.computes import OWNER, Cluster, Session, own_cluster, run

pytestmark = pytest.mark.slow

SHOP = """
CREATE ROLE readers; CREATE ROLE app LOGIN PASSWORD 'of the source'; GRANT readers TO app;
CREATE EXTENSION pg_trgm;
CREATE TYPE state AS ENUM ('open', 'sent');
CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, since timestamptz);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, state state, paid float8,
    tags text[], extra jsonb, raw bytea, total money);
CREATE TABLE gone (a int, b int, c int); ALTER TABLE gone DROP COLUMN b; INSERT INTO gone VALUES (1, 3);
CREATE TABLE "Odd name" ("per%cent" int, "quo""te" text); INSERT INTO "Odd name" VALUES (1, 'ü \\ " ''');
CREATE TABLE events (at date, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE events ADD PRIMARY KEY (at); INSERT INTO events VALUES ('2026-02-03', 'x');
CREATE SCHEMA drizzle; CREATE TABLE drizzle.migrations (id serial, hash text); INSERT INTO drizzle.migrations (hash)
    VALUES ('abc');
INSERT INTO customers (name, since) SELECT 'c' || n, '2026-03-29T01:30:00+01' FROM generate_series(1, 200) n;
INSERT INTO orders (customer_id, state, paid, tags, extra, raw, total)
    SELECT 1 + n % 200, 'open', n / 3.0, ARRAY['a,b', NULL], '{"a": 1}', '\\xdeadbeef', n
    FROM generate_series(1, 2000) n;
CREATE INDEX orders_state ON orders (state) WHERE paid > 3;
CREATE VIEW big AS SELECT orders.id, orders.paid FROM orders WHERE orders.paid > 100;
CREATE MATERIALIZED VIEW sums AS SELECT customer_id, sum(paid) FROM orders GROUP BY 1;
CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION secret() FROM PUBLIC;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.since := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE gone ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON gone FOR SELECT TO app USING (a > 0);
GRANT SELECT ON orders TO readers; GRANT INSERT ON orders TO app;
SELECT lo_from_bytea(0, 'a large object'::bytea);
ALTER DATABASE neondb SET search_path = "$user", public, drizzle; ALTER ROLE app SET statement_timeout = '7s'
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A Neon of this module's own, in a process of its own."""
    folder = tmp_path_factory.mktemp("neon")
    host = Host(folder / "state", folder / "host.log").start()
    yield host
    host.end()


@pytest.fixture(autouse=True)
def surroundings(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Neon is, and the programs of the newer version, where a user would name their folder."""
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    monkeypatch.setenv(programs.FOLDER_VARIABLE, str(Installations.find().default.bin))


@pytest.fixture(scope="module")
def older(host: Host) -> Project:
    """A project of the older version with everything in it that a shop could have."""
    installed = Installations.find()
    oldest = next(iter(installed.by_major))
    assert oldest < installed.default.major, "an older Postgres is needed: apt-get install postgresql (see .ci/run)"
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "o", "pg_version": oldest}}, status=201))
    with psycopg.connect(made.uri(), autocommit=True) as connection:
        connection.execute(SHOP.encode())
    return made


@pytest.fixture(scope="module")
def newer(host: Host) -> Project:
    """An empty project of the default version."""
    return Project(host, host.call("POST", "/projects", {"project": {"name": "n"}}, status=201))


@pytest.fixture
def source(older: Project) -> Iterator[Address]:
    """A branch of the older project, of the test's own."""
    with own_branch(older) as address:
        yield address


@pytest.fixture
def target(newer: Project) -> Iterator[Address]:
    """An empty branch of the newer project."""
    with own_branch(newer) as address:
        yield address


@contextmanager
def own_branch(project: Project) -> Iterator[Address]:
    made = project.branch(f"b{len(project.host.call('GET', f'{project.path}/branches')['branches'])}")
    branch, endpoint = BranchId(made["branch"]["id"]), EndpointId(made["endpoints"][0]["id"])
    yield Address(NeonProject(project.answer["project"]["id"]), branch, endpoint, DatabaseName("neondb"), OWNER)
    project.host.call("DELETE", f"{project.path}/branches/{branch}")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Postgres with a superuser, who may make what can't be carried."""
    with own_cluster(tmp_path_factory.mktemp("elsewhere")) as cluster:
        cluster.start(max_prepared_transactions="2", wal_level="logical")
        with cluster.connect() as connection:
            run(connection, "CREATE TABLE gone AS SELECT 1 AS a")
        yield cluster


def uri(place: Address) -> str:
    with Neon() as neon:
        return neon.uri(place, pooled=False)


def session(place: Address) -> Session:
    return psycopg.connect(uri(place), autocommit=True)


def ask(place: Address, statement: str) -> list[tuple[object, ...]]:
    with session(place) as connection:
        return run(connection, statement)


def major(place: Address) -> int:
    with session(place) as connection:
        return connection.info.server_version // 10_000


def test_a_database_is_carried_over_whole_to_a_newer_postgres(source: Address, target: Address) -> None:
    filled = carry_over(source, target)
    assert major(source) < major(target)
    assert filled.rows == 200 + 2000 + 1 + 1 + 1 + 1 + 1
    assert ask(target, "SELECT count(*), sum(paid)::numeric(20, 6) FROM orders") == ask(
        source, "SELECT count(*), sum(paid)::numeric(20, 6) FROM orders"
    )
    assert ask(target, "SELECT nextval('orders_id_seq')") == [(2001,)]
    assert ask(target, "INSERT INTO customers (name) VALUES ('new') RETURNING id") == [(201,)]
    assert ask(target, "SELECT (SELECT count(*) FROM big) > 0, (SELECT count(*) FROM sums)") == [(True, 200)]
    assert ask(target, "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata") == [("a large object",)]
    assert ask(target, "SELECT hash FROM migrations") == [("abc",)], "the database's own search_path came along"


def test_roles_come_along_without_a_login_and_with_exactly_their_privileges(source: Address, target: Address) -> None:
    carry_over(source, target)
    assert ask(target, "SELECT rolcanlogin, rolconfig FROM pg_roles WHERE rolname = 'app'") == [
        (False, ["statement_timeout=7s"])
    ]
    privileges = (
        "SELECT pg_has_role('app', 'readers', 'MEMBER'), has_table_privilege('app', 'orders', 'SELECT'), "
        "has_table_privilege('app', 'orders', 'INSERT'), has_table_privilege('app', 'orders', 'DELETE'), "
        "has_function_privilege('app', 'secret()', 'EXECUTE')"
    )
    assert ask(target, privileges) == ask(source, privileges) == [(True, True, True, False, False)]
    assert ask(target, "SELECT polroles::regrole[]::text FROM pg_policy") == [("{app}",)]


def test_what_is_written_while_it_is_read_counts_from_the_snapshot_on(source: Address, target: Address) -> None:
    with session(source) as writer, session(source) as counting:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO customers (name) VALUES ('under way')")
        filled = carry_over(source, target)
        writer.execute("COMMIT")
        writer.execute("INSERT INTO customers (name) VALUES ('later')")
        count = count_rows(counting, int(filled.copied.fork), 20)
    assert {found.table: found.rows for found in count.tables} == {"customers": 2}
    assert ask(target, "SELECT count(*) FROM customers") == [(200,)]


def test_nothing_of_the_copy_counts_as_its_own_until_somebody_writes_to_it(source: Address, target: Address) -> None:
    filled = carry_over(source, target)
    with session(target) as connection:
        assert count_rows(connection, int(filled.copied.begins), 20).total == 0
        connection.execute("INSERT INTO customers (name) VALUES ('visitor')")
        assert count_rows(connection, int(filled.copied.begins), 20).total == 1


def test_a_copy_is_filled_again_with_what_changed_and_nothing_of_before(source: Address, target: Address) -> None:
    before = carry_over(source, target)
    ask(source, "DELETE FROM orders WHERE id > 10")
    ask(source, "DROP TABLE gone CASCADE")
    again = carry_over(source, target)
    assert ask(target, "SELECT count(*), to_regclass('gone') FROM orders") == [(10, None)]
    assert int(again.copied.fork) > int(before.copied.fork)
    with session(target) as connection:
        assert read_note(connection, target.branch) == again.copied
        assert again.copied.source == source.branch
        assert read_note(connection, BranchId("br-another")) is None


def test_a_copy_that_was_cut_short_is_made_from_the_beginning(
    source: Address, target: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not was_cut_short(target)
    with monkeypatch.context() as patched:
        patched.setattr("environments.database.copy.carry_over.differences", lambda *_: ["a row fell off"])
        with pytest.raises(CopyError, match="may not serve: a row fell off"):
            carry_over(source, target)
    with session(target) as connection:
        assert read_note(connection, target.branch) is None, "what differs is no copy"
    assert was_cut_short(target)
    assert carry_over(source, target).rows == 2205
    assert not was_cut_short(target)


def test_a_branch_that_holds_anything_else_is_not_emptied(source: Address, target: Address) -> None:
    ask(target, "CREATE TABLE precious AS SELECT 1 AS n")
    with pytest.raises(CopyError, match="holds tables already \\(precious"):
        carry_over(source, target)
    assert ask(target, "SELECT n FROM precious") == [(1,)]


def test_a_copy_that_was_written_to_is_not_emptied(source: Address, target: Address) -> None:
    carry_over(source, target)
    ask(target, "INSERT INTO customers (name) VALUES ('visitor')")
    with pytest.raises(CopyError, match=r"1 rows \(customers 1\) were written to .* would be lost"):
        carry_over(source, target)
    assert ask(target, "SELECT count(*) FROM customers WHERE name = 'visitor'") == [(1,)]


def test_an_extension_and_a_physical_slot_are_no_obstacles(source: Address, target: Address) -> None:
    ask(source, "CREATE EXTENSION hstore; SELECT pg_create_physical_replication_slot('s')")
    carry_over(source, target)
    assert ask(target, "SELECT 'a=>1'::hstore -> 'a'") == [("1",)]
    ask(source, "SELECT pg_drop_replication_slot('s')")


@pytest.mark.parametrize(
    ("statements", "told", "after"),
    [
        (
            ("BEGIN", "UPDATE gone SET a = 2", "PREPARE TRANSACTION 'waiting'"),
            "prepared transactions \\(waiting\\)",
            "ROLLBACK PREPARED 'waiting'",
        ),
        (
            ("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')",),
            "logical replication slots \\(feed\\) point",
            "SELECT pg_drop_replication_slot('feed')",
        ),
        (
            ("CREATE EXTENSION postgres_fdw", "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw"),
            "servers \\(far\\)",
            "DROP EXTENSION postgres_fdw CASCADE",
        ),
    ],
)
def test_what_no_dump_holds_is_told_before_anything_is_done(
    elsewhere: Cluster, target: Address, statements: tuple[str, ...], told: str, after: str
) -> None:
    with elsewhere.connect() as connection, session(target) as owner:
        for statement in statements:
            run(connection, statement)
        assert re.search(told, copy_refusal(connection, owner, 18))
        run(connection, after)
    assert ask(target, "SELECT count(*) FROM pg_class WHERE relname = 'gone'") == [(0,)]


def test_an_object_that_the_owner_cannot_read_is_told(elsewhere: Cluster) -> None:
    with elsewhere.connect() as connection:
        run(connection, "CREATE ROLE plain LOGIN; CREATE TABLE private (n int)")
        with elsewhere.connect("plain") as plain:
            assert "owner can't read gone, private: GRANT SELECT" in copy_refusal(plain, None, 18)
        run(connection, "GRANT SELECT ON gone, private TO plain")
        with elsewhere.connect("plain") as plain:
            assert copy_refusal(plain, None, 18) == ""
        run(connection, "DROP OWNED BY plain; DROP ROLE plain; DROP TABLE private")


def test_rows_do_not_go_to_an_older_version(source: Address, target: Address) -> None:
    with pytest.raises(CopyError, match="go to the same or a newer version"):
        carry_over(target, source)


def test_no_password_and_no_token_reaches_a_command_line(
    source: Address, target: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = Installations.find().default.bin
    for program in ("pg_dump", "pg_restore"):
        script = tmp_path / program
        script.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\nenv >>{tmp_path}/env\nexec {real}/{program} "$@"\n')
        script.chmod(0o700)
    monkeypatch.setenv(programs.FOLDER_VARIABLE, str(tmp_path))
    carry_over(source, target)
    passwords = [psycopg.conninfo.conninfo_to_dict(uri(place))["password"] for place in (source, target)]
    said, env = (tmp_path / "said").read_text(), (tmp_path / "env").read_text()
    assert "--snapshot=" in said
    assert not [password for password in passwords if str(password) in said]
    assert API_KEY not in env


def test_tools_that_are_too_old_are_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(programs.FOLDER_VARIABLE)
    with pytest.raises(DumpError, match=r"pg_restore of Postgres 99 or newer are needed.*postgresql-client-99"):
        find_tools(99)
