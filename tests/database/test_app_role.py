"""The app's own role: it reads and writes rows, and nothing else; its password is seen by nobody."""

# ruff: noqa: S608 - every name in these statements is the tests' own

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from environments.clients.neon import Neon
from environments.clients.postgres import NotReadyError, connected, with_login
from environments.database import app_role
from environments.ids import RoleName
from tests.localcloud.neon.hosting import API_KEY
from tests.resources.computes import OWNER, PASSWORD, Database, Session, own_cluster, run

pytestmark = pytest.mark.slow

APP = RoleName("app")
ODD_ROLE = """The "app's" rôle 100% $$ \\ ;--"""
ODD_PASSWORD = """p'w" \\ $$ 100%s é ;-- @:/?#"""

BEYOND_ITS_RIGHTS = [
    "CREATE TABLE mine (n int)",
    "CREATE TABLE inside.mine (n int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION pg_prewarm",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "ALTER TABLE before ADD c int",
    "CREATE INDEX ON before (n)",
    "CREATE TRIGGER t BEFORE INSERT ON before EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "DROP TABLE before",
    "DROP SCHEMA inside CASCADE",
    "TRUNCATE before",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT setval('before_id_seq', 1)",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY before TO '/tmp/x'",
    "COPY before FROM PROGRAM 'true'",
    f"GRANT {OWNER} TO CURRENT_USER",
    f"SET ROLE {OWNER}",
    f"SET SESSION AUTHORIZATION {OWNER}",
    f"ALTER ROLE {OWNER} PASSWORD 'mine'",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    f"ALTER TABLE before OWNER TO {OWNER}",
    "ALTER SYSTEM SET log_statement = 'all'",
]


@pytest.fixture
def app(database: Database, owner: Session) -> Iterator[Session]:
    """A session of an app role, in a database that had tables before the role was made."""
    run(
        owner,
        "CREATE TABLE before (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY, n int);"
        "CREATE SCHEMA inside; CREATE TABLE inside.before (id int); CREATE VIEW seen AS SELECT id, n FROM before",
    )
    database.make_app(owner)
    with database.app() as session:
        yield session


def test_it_reads_and_writes_rows_of_tables_old_and_new(owner: Session, app: Session) -> None:
    run(owner, "CREATE TABLE later (id serial, other int GENERATED ALWAYS AS IDENTITY, n int)")
    run(owner, "CREATE SCHEMA late; CREATE TABLE late.later (id bigserial, n int); CREATE VIEW late.v AS SELECT 1 AS n")
    run(owner, "CREATE TABLE p (n int) PARTITION BY LIST (n); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)")
    for table in ("before", "later", "late.later", "seen", "p"):
        run(app, f"INSERT INTO {table} (n) VALUES (1), (1)")
        assert run(app, f"SELECT count(*) FROM {table}")[0][0] >= 2
        run(app, f"UPDATE {table} SET n = 1")
        run(app, f"SELECT n FROM {table.replace('seen', 'before')} FOR UPDATE")
    for table in ("late.later", "seen", "p"):
        run(app, f"DELETE FROM {table}")
    run(app, "INSERT INTO inside.before VALUES (1)")
    assert run(app, "SELECT * FROM late.v") == [(1,)]
    assert run(app, "SELECT currval('later_id_seq')") == [(2,)]


def test_it_calls_functions_and_they_run_with_its_own_rights(owner: Session, app: Session) -> None:
    run(owner, "CREATE FUNCTION adds() RETURNS int LANGUAGE sql AS 'INSERT INTO before (n) VALUES (7) RETURNING n'")
    run(owner, "CREATE FUNCTION empties() RETURNS void LANGUAGE plpgsql AS 'BEGIN TRUNCATE before; END'")
    assert run(app, "SELECT adds()") == [(7,)]
    with pytest.raises(InsufficientPrivilege):
        run(app, "SELECT empties()")


def test_it_changes_no_structure_reads_no_passwords_and_takes_no_rights(app: Session) -> None:
    allowed = [attempt for attempt in BEYOND_ITS_RIGHTS if not is_denied(app, attempt)]
    assert allowed == []


def is_denied(session: Session, statement: str) -> bool:
    try:
        run(session, statement)
    except InsufficientPrivilege:
        return True
    return False


def test_what_postgres_only_warns_about_changes_nothing(database: Database, app: Session) -> None:
    before = tables(app)
    run(app, f'GRANT SELECT, TRUNCATE ON before TO PUBLIC; GRANT ALL ON before TO "{database.role}" WITH GRANT OPTION')
    run(app, "VACUUM FULL pg_authid")
    assert tables(app) == before


def tables(session: Session) -> list[tuple[object, ...]]:
    """What there is, who owns it and who may use it."""
    return run(
        session, "SELECT oid::regclass::text, relowner, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY 1"
    )


def test_making_it_again_changes_nothing_but_the_password(database: Database, owner: Session, app: Session) -> None:
    before = tables(app)
    members = "SELECT * FROM pg_auth_members ORDER BY oid"
    made = run(owner, members)
    app_role.make_role(owner, database.role, "another one", OWNER)
    app_role.grant_rows(owner, database.role, database.name, OWNER)
    assert tables(app) == before
    assert run(owner, members) == made
    database.app(password="another one").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        database.app()
    run(app, "SELECT FROM before")


def test_names_and_passwords_with_odd_characters_work(database: Database, owner: Session) -> None:
    role = RoleName(f"{database.role} {ODD_ROLE}")
    run(owner, "CREATE TABLE t (n int)")
    app_role.make_role(owner, role, ODD_PASSWORD, OWNER)
    app_role.make_role(owner, role, ODD_PASSWORD, OWNER)
    app_role.grant_rows(owner, role, database.name, OWNER)
    with psycopg.connect(database.project.uri(database=database.name), user=role, password=ODD_PASSWORD) as session:
        assert session.execute("SELECT current_user").fetchone() == (role,)
        session.execute("INSERT INTO t VALUES (1)")
    assert role in app_role.other_logins(owner, [OWNER])
    app_role.forbid_login(owner, role)
    assert role not in app_role.other_logins(owner, [OWNER])


def test_the_owner_sees_and_ends_its_sessions(database: Database, owner: Session, app: Session) -> None:
    run(app, "SELECT 42")
    seen = owner.execute("SELECT query FROM pg_stat_activity WHERE usename = %s", (database.role,)).fetchall()
    assert seen == [("SELECT 42",)]
    assert run(owner, f"SELECT pg_terminate_backend({app.info.backend_pid})") == [(True,)]


@pytest.mark.slow
def test_an_owner_without_neons_privileges_sees_and_ends_its_sessions_too(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start()
        with cluster.connect() as root:
            run(root, f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
        with cluster.connect(OWNER) as owner:
            app_role.make_role(owner, APP, PASSWORD, OWNER)
            app = cluster.connect("app")
            run(app, "BEGIN")
            seen = run(owner, "SELECT xact_start IS NOT NULL FROM pg_stat_activity WHERE usename = 'app'")
            assert seen == [(True,)]
            assert run(owner, f"SELECT pg_terminate_backend({app.info.backend_pid})") == [(True,)]
            app.close()


def test_its_password_is_in_no_statistics_no_activity_and_no_log(
    database: Database, owner: Session, server_log: Path
) -> None:
    run(owner, "CREATE EXTENSION pg_stat_statements")
    with database.owner() as other:
        database.make_app(other)
        [(activity,)] = run(owner, "SELECT string_agg(query, ' ') FROM pg_stat_activity")
        [(statements,)] = run(owner, "SELECT string_agg(query, ' ') FROM pg_stat_statements")
    database.app().close()
    assert "environments_login" in statements
    for text in (activity, statements, server_log.read_text()):
        assert PASSWORD not in text
        assert PASSWORD.replace("'", "''") not in text


@pytest.mark.slow
def test_its_password_is_in_no_log_of_a_server_that_logs_every_statement(tmp_path: Path) -> None:
    with own_cluster(tmp_path / "cluster") as cluster:
        cluster.start(log_statement="all", log_min_duration_statement="0", log_parameter_max_length_on_error="-1")
        with cluster.connect() as root:
            run(root, f"CREATE ROLE {OWNER} LOGIN CREATEROLE; CREATE ROLE taken LOGIN")
        with cluster.connect(OWNER) as owner:
            app_role.make_role(owner, APP, "not-to-be-logged", OWNER)
            with pytest.raises(InsufficientPrivilege) as refused:
                app_role.make_role(owner, RoleName("taken"), "not-to-be-logged", OWNER)
        assert "not-to-be-logged" not in str(refused.value)
        assert "environments_login" in cluster.log()
        assert "not-to-be-logged" not in cluster.log()


def test_a_refused_role_does_not_give_its_password_away(database: Database, owner: Session) -> None:
    path = f"{database.project.path}/branches/{database.project.root}/roles"
    database.project.host.call("POST", path, {"role": {"name": f"{database.role}_api"}}, status=201)
    with pytest.raises(InsufficientPrivilege) as refused:
        app_role.make_role(owner, RoleName(f"{database.role}_api"), "not-to-be-told", OWNER)
    assert "not-to-be-told" not in str(refused.value)
    database.project.host.call("DELETE", f"{path}/{database.role}_api")


@contextmanager
def foreign_login(database: Database, name: RoleName, *, by_api: bool) -> Iterator[str]:
    """A role that came along with the copy; the password that it came with."""
    path = f"{database.project.path}/branches/{database.project.root}/roles"
    if by_api:
        made = database.project.host.call("POST", path, {"role": {"name": name}}, status=201)
        yield str(made["role"]["password"])
        database.project.host.call("DELETE", f"{path}/{name}")
        return
    with database.owner() as session:
        app_role.make_role(session, name, PASSWORD, OWNER)
    yield PASSWORD


def test_a_login_of_sql_that_came_along_is_shut_out(database: Database, owner: Session) -> None:
    database.make_app(owner)
    other = RoleName(f"{database.role}_of_dev")
    with foreign_login(database, other, by_api=False):
        found = app_role.other_logins(owner, [OWNER, database.role])
        assert other in found
        assert not {OWNER, database.role} & set(found)
        app_role.forbid_login(owner, other)
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            database.app(other)
        assert other not in app_role.other_logins(owner, [OWNER, database.role])


def test_a_login_of_neons_api_is_not_the_owners_to_shut_out_so_its_password_is_reset(
    database: Database, owner: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, project, other = database.project.host, database.project, RoleName(f"{database.role}_api")
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    with foreign_login(database, other, by_api=True) as password:
        assert other in app_role.other_logins(owner, [OWNER, database.role])
        database.app(other, password).close()
        with pytest.raises(InsufficientPrivilege):
            app_role.forbid_login(owner, other)
        address = database.address
        with Neon() as neon:
            neon.reset_password(address.project, address.branch, other)
        uri = with_login(project.uri(database=database.name), other, password)
        with pytest.raises(NotReadyError, match="password authentication failed"), connected(uri):
            pass
