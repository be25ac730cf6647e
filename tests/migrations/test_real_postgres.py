"""What the judge says is what happens: on a real Postgres, with the real drizzle-kit."""

# ruff: noqa: S608 - every name in these statements is the tests' own

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from environments.migrations.checks.judge import judge
from environments.migrations.drizzle.folders import DrizzleFolders
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.drizzle.table import TABLE
from environments.migrations.model import Applied, BrokenMigrationsError
from environments.migrations.plain import TABLE_SQL, PlainSql
from tests.migrations import examples
from tests.migrations.folders import QUIET, STEP, WHEN, folders, journal, plain, verdict
from tests.resources.computes import Cluster, Session, own_cluster, run

pytestmark = pytest.mark.slow

APP = Path(__file__).resolve().parents[2] / "app"
CONFIG = (
    "export default {dialect: 'postgresql', schema: './schema.js', out: './drizzle', "
    "dbCredentials: {url: process.env.DATABASE_URL}, migrations: {table: process.env.TABLE}}"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with own_cluster(folder / "postgres") as cluster:
        cluster.start(wal_level="logical")
        yield cluster


@pytest.fixture
def database(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an empty database."""
    name = f"d{abs(hash(request.node.nodeid)):x}"[:20]
    with cluster.connect() as owner:
        run(owner, f"CREATE DATABASE {name}")
        yield name
        run(owner, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def session(cluster: Cluster, database: str) -> Iterator[Session]:
    with cluster.connect(database=database) as connection:
        yield connection


@pytest.fixture(scope="module")
def prepared(cluster: Cluster) -> Iterator[Session]:
    """A session in a database in which the examples' names are there; what a test does is rolled back."""
    with cluster.connect() as connection:
        run(connection, examples.SETUP)
        run(connection, "ALTER SUBSCRIPTION sub ENABLE")
        yield connection


def in_transaction(session: Session, *statements: str) -> None:
    """Run statements in one transaction that is rolled back."""
    with session.transaction(force_rollback=True):
        for statement in statements:
            run(session, statement)


@pytest.mark.parametrize("statement", examples.UNRUNNABLE)
def test_what_is_refused_fails_inside_a_transaction(statement: str, prepared: Session) -> None:
    with pytest.raises(errors.ActiveSqlTransaction):
        in_transaction(prepared, statement)


@pytest.mark.parametrize("statements", examples.RUNNABLE)
def test_what_is_not_refused_runs_inside_a_transaction(statements: str, prepared: Session) -> None:
    in_transaction(prepared, *statements.split(";"))


@pytest.mark.parametrize("statement", examples.POSTGRES_18)
def test_what_is_new_in_postgres_18_runs_and_leaves_the_rows_alone(statement: str, session: Session) -> None:
    run(session, examples.SETUP_18)
    files = "SELECT pg_relation_filenode('orders'), pg_stat_get_xact_numscans('orders'::regclass)"
    with session.transaction(force_rollback=True):
        before = session.execute(files).fetchone()
        run(session, statement)
        if statement.startswith("ALTER TABLE"):
            assert session.execute(files).fetchone() == before


@pytest.mark.parametrize(("added", "used"), examples.EARLY)
def test_a_fresh_enum_value_fails_inside_its_transaction(added: str, used: str, prepared: Session) -> None:
    with pytest.raises(errors.UnsafeNewEnumValueUsage):
        in_transaction(prepared, added, used)


REWRITES = {
    "ALTER COLUMN a TYPE varchar(40) USING a::varchar(40)": False,
    "ALTER COLUMN a TYPE varchar(20)": False,
    "ALTER COLUMN a TYPE text USING a::text": False,
    "ALTER COLUMN c TYPE numeric(12, 2)": False,
    "ALTER COLUMN c TYPE numeric": False,
    "ADD COLUMN x timestamptz NOT NULL DEFAULT now()": False,
    "ADD COLUMN x int NOT NULL DEFAULT 0": False,
    "ALTER COLUMN b TYPE bigint": True,
    "ALTER COLUMN a TYPE varchar(10)": True,
    "ALTER COLUMN c TYPE numeric(12, 3)": True,
    "ADD COLUMN x uuid DEFAULT gen_random_uuid()": True,
    "ADD COLUMN x serial": True,
    "ADD COLUMN x int GENERATED ALWAYS AS IDENTITY": True,
    "ADD COLUMN x int GENERATED ALWAYS AS (b + 1) STORED": True,
    "SET UNLOGGED": True,
}


@pytest.mark.parametrize("change", REWRITES)
def test_what_is_said_to_rewrite_a_table_rewrites_it_and_nothing_else_does(change: str, session: Session) -> None:
    table = "CREATE TABLE r (a varchar(20), b int, c numeric(10, 2))"
    warned = any(
        "rewrites every row of r" in each for each in verdict(f"ALTER TABLE r {change}", before=table).warnings
    )
    run(session, f"{table}; INSERT INTO r VALUES ('a', 1, 1)")
    before = run(session, "SELECT pg_relation_filenode('r')")
    run(session, f"ALTER TABLE r {change}")
    assert (run(session, "SELECT pg_relation_filenode('r')") != before) == warned == REWRITES[change]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder in which drizzle-kit runs over ./drizzle."""
    (tmp_path / "node_modules").symlink_to(APP / "node_modules")
    (tmp_path / "drizzle.config.js").write_text(CONFIG)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


def migrate(work: Path, session: Session, table: str = "__drizzle_migrations") -> int:
    """Run the real drizzle-kit; its exit code."""
    url = f"postgresql://root@localhost/{session.info.dbname}?host={session.info.host}"
    done = subprocess.run(
        ["node", "node_modules/drizzle-kit/bin.cjs", "migrate"],
        cwd=work,
        env=os.environ | {"DATABASE_URL": url, "TABLE": table},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    return done.returncode


def refusals(tool: DrizzleJournal | DrizzleFolders | PlainSql, folder: Path, session: Session) -> list[str]:
    """Why the folder may not run on the database, in words."""
    return [str(each) for each in judge(tool.read(folder), tool.applied(session), tool, QUIET).refusals]


def test_what_drizzle_notes_is_read_as_applied(work: Path, session: Session) -> None:
    tool = DrizzleJournal()
    folder = journal(work / "drizzle", "CREATE TABLE a (id int);\n--> statement-breakpoint\nSELECT 1;", "SELECT 2")
    found = tool.read(folder)
    assert tool.applied(session) == ()
    assert tool.pending(found, ()) == found
    assert migrate(work, session) == 0
    assert tool.applied(session) == tuple(Applied(each.hash, each.order) for each in found)
    assert refusals(tool, folder, session) == []


def test_a_table_that_the_config_names_is_read(work: Path, session: Session) -> None:
    journal(work / "drizzle", "SELECT 1")
    assert migrate(work, session, table="Mine") == 0
    assert len(DrizzleJournal("drizzle.Mine").applied(session)) == 1
    assert DrizzleJournal().applied(session) == ()
    with pytest.raises(BrokenMigrationsError, match=r"'mine': the migrations table is schema\.table"):
        DrizzleJournal("mine").applied(session)


def test_a_late_one_that_drizzle_skips_without_a_word_is_refused(work: Path, session: Session) -> None:
    first, late = {"when": WHEN + STEP}, {"when": WHEN + 1}
    journal(work / "drizzle", "CREATE TABLE a (id int)", m0=first)
    assert migrate(work, session) == 0
    (work / "drizzle").rename(work / "before")
    folder = journal(work / "drizzle", "CREATE TABLE a (id int)", "CREATE TABLE b (id int)", m0=first, m1=late)
    assert migrate(work, session) == 0
    assert run(session, "SELECT to_regclass('b')") == [(None,)]
    [found] = refusals(DrizzleJournal(), folder, session)
    assert found.startswith("0001_m: it would be skipped in silence: ")


def test_an_applied_one_that_was_changed_and_that_drizzle_does_not_look_at_is_refused(
    work: Path, session: Session
) -> None:
    folder = journal(work / "drizzle", "CREATE TABLE a (id int)")
    assert migrate(work, session) == 0
    (folder / "0000_m.sql").write_text("CREATE TABLE a (id bigint)")
    assert migrate(work, session) == 0
    [found] = refusals(DrizzleJournal(), folder, session)
    assert found.startswith("0000_m.sql: it was changed after it ran here ")


def test_one_that_is_dated_anew_and_that_drizzle_runs_twice_is_refused(work: Path, session: Session) -> None:
    sql = "CREATE TABLE IF NOT EXISTS a (id int); INSERT INTO a VALUES (1)"
    journal(work / "drizzle", sql)
    assert migrate(work, session) == 0
    (work / "drizzle").rename(work / "before")
    folder = journal(work / "drizzle", sql, m0={"when": WHEN + 1})
    [found] = refusals(DrizzleJournal(), folder, session)
    assert found.startswith("0000_m: it ran here, and drizzle-kit with a journal would run it again: ")
    assert migrate(work, session) == 0
    assert run(session, "SELECT count(*) FROM a") == [(2,)]


def test_a_commit_inside_a_migration_keeps_half_of_it_as_the_refusal_says(work: Path, session: Session) -> None:
    folder = journal(work / "drizzle", "CREATE TABLE a (id int);\nCOMMIT;\nSELECT 1 / 0;")
    [found] = refusals(DrizzleJournal(), folder, session)
    assert "BEGIN, COMMIT or ROLLBACK can't run inside drizzle's single transaction" in found
    assert migrate(work, session) == 1
    assert run(session, "SELECT to_regclass('a') IS NOT NULL") == [(True,)]
    assert DrizzleJournal().applied(session) == ()


def test_a_folder_that_was_converted_to_1_is_known_by_what_0_noted(work: Path, session: Session) -> None:
    journal(work / "drizzle", "SELECT 1", "SELECT 2")
    assert migrate(work, session) == 0
    # The folders that `drizzle-kit up` of 1.0.0-rc.5 makes of it: the when as UTC, cut to seconds.
    converted = folders(work / "new", m20261124103229_m="SELECT 1", m20261124103329_m="SELECT 2")
    tool = DrizzleFolders()
    assert refusals(tool, converted, session) == []
    assert tool.pending(tool.read(converted), tool.applied(session)) == ()


# What drizzle-kit 1.0.0-rc.5 made of a table of 0.x, and what it writes.
TABLE_OF_1 = f"""
CREATE SCHEMA drizzle;
CREATE TABLE {TABLE} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
INSERT INTO {TABLE} (hash, created_at) VALUES ('of 0.x', {WHEN});
ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS name text;
ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS applied_at timestamptz DEFAULT now();
UPDATE {TABLE} SET name = '20261124103229_shop', applied_at = NULL;
INSERT INTO {TABLE} (hash, created_at, name) VALUES
    ('a3a939a4fb3ede347154098a277ca7337ed0e19dff0805e4077b773e6dbb61b7', 1795527246000, '20261124133406_first');
"""


def test_what_drizzle_1_notes_is_read_as_applied(session: Session) -> None:
    run(session, TABLE_OF_1)
    assert DrizzleFolders().applied(session) == (
        Applied("of 0.x", 20261124103229, "20261124103229_shop"),
        Applied(
            "a3a939a4fb3ede347154098a277ca7337ed0e19dff0805e4077b773e6dbb61b7", 20261124133406, "20261124133406_first"
        ),
    )
    run(session, f"INSERT INTO {TABLE} (hash, created_at) VALUES ('x', 1795527246000)")
    assert DrizzleFolders().applied(session)[-1].name == "(a row without a name)"


def test_what_plain_files_note_is_read_as_applied(tmp_path: Path, session: Session) -> None:
    tool = PlainSql()
    folder = plain(tmp_path / "sql", m0001_one="SELECT 1", m0002_two="SELECT 2")
    one, two = tool.read(folder)
    assert tool.applied(session) == ()
    run(session, TABLE_SQL)
    run(session, TABLE_SQL)
    session.execute("INSERT INTO environments.migrations (name, hash) VALUES (%s, %s)", (one.tag, one.hash))
    assert tool.applied(session) == (Applied(one.hash, 1, one.tag),)
    assert tool.pending((one, two), tool.applied(session)) == (two,)
    assert refusals(tool, folder, session) == []


def test_a_table_that_may_not_be_read_is_an_error_and_not_an_empty_history(cluster: Cluster, session: Session) -> None:
    run(session, TABLE_OF_1)
    run(session, "CREATE ROLE stranger LOGIN")
    with (
        cluster.connect("stranger", session.info.dbname) as stranger,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        DrizzleJournal().applied(stranger)
