"""Whoever can write to a branch besides the app's own right is found, by whatever right; nobody is overlooked."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from environments.database.databases import count_others, other_databases
from environments.database.fence import raise_fence
from environments.database.provenance import baseline
from environments.database.writers import Writer, with_sessions, writers_besides
from environments.ids import DatabaseName, RoleName
from tests.resources.computes import OWNER, PASSWORD, Database, Session, run
from tests.resources.writers import SCHEMA

pytestmark = pytest.mark.slow

PLATFORM = {RoleName("neon_service"), OWNER}


@pytest.fixture(autouse=True)
def schema(database: Database, owner: Session) -> None:
    run(owner, SCHEMA)
    database.make_app(owner)


def found(owner: Session, database: Database, *more: str) -> list[Writer]:
    """Who can write to it; logins that the package's other tests left aren't looked at."""
    rows = run(owner, f"SELECT rolname FROM pg_roles WHERE NOT starts_with(rolname, '{database.role}')")  # noqa: S608
    theirs = {RoleName(name) for (name,) in rows} - set(map(RoleName, more))
    return writers_besides(owner, [database.role], PLATFORM | theirs, revoked=[database.role])


def names(owner: Session, database: Database, *more: str) -> list[str]:
    return [each.name for each in found(owner, database, *more)]


def tried(database: Database, *statements: str) -> bool:
    """Tell whether the app's login can do it behind the fence."""
    with database.app() as app, contextlib.suppress(psycopg.Error):
        for statement in statements:
            run(app, statement)
        return True
    return False


def test_the_apps_own_rights_are_nothing_to_tell_since_the_fence_takes_them(database: Database, owner: Session) -> None:
    assert names(owner, database) == []
    assert {each.name for each in writers_besides(owner, [database.role], None)} >= {"public.written", "public.source"}


TENANT = """
CREATE ROLE {tenant}; GRANT INSERT ON written TO {tenant}; GRANT USAGE ON SCHEMA public TO {tenant};
GRANT {tenant} TO {app} WITH INHERIT FALSE, SET TRUE
"""
OWNED = """
CREATE TABLE theirs (n int); GRANT CREATE ON SCHEMA public TO {app}; ALTER TABLE theirs OWNER TO {app};
REVOKE CREATE ON SCHEMA public FROM {app}
"""
CALM = """
CREATE FUNCTION deep(i bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO written VALUES (i)';
CREATE FUNCTION calm(i bigint) RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER AS 'BEGIN PERFORM deep(i); END'
"""
WAYS = [
    ("GRANT INSERT ON written TO PUBLIC", "public.written", ["INSERT INTO written VALUES (1)"]),
    ("GRANT UPDATE (n) ON written TO PUBLIC", "public.written", ["UPDATE written SET n = 5"]),
    ("GRANT CREATE ON SCHEMA public TO {app}", "schema public", ["CREATE TABLE mine (n int)"]),
    ("GRANT CREATE ON DATABASE {database} TO {app}", "new schemas", ["CREATE SCHEMA mine", "CREATE TABLE mine.t ()"]),
    (OWNED, "public.theirs", ["GRANT INSERT ON theirs TO {app}", "INSERT INTO theirs VALUES (1)"]),
    (TENANT, "{tenant}", ["SET ROLE {tenant}", "INSERT INTO written VALUES (1)"]),
    (CALM, "public.calm(i bigint)", ["SELECT calm(1)"]),
]


@pytest.mark.parametrize(("made", "name", "used"), WAYS, ids=[way[1] for way in WAYS])
def test_each_way_of_the_apps_login_around_the_fence_is_found_and_is_one(
    database: Database, owner: Session, made: str, name: str, used: list[str]
) -> None:
    plain = {"app": database.role, "database": database.name, "tenant": f"{database.role}_tenant"}
    quoted = {word: f'"{each}"' for word, each in plain.items()}
    run(owner, made.format(**quoted))
    expected = name.format(**plain)
    assert names(owner, database) == [expected]
    raise_fence(owner, [database.role], [expected])
    try:
        assert tried(database, *(each.format(**quoted) for each in used)), "what is found is a way"
        assert not tried(database, "INSERT INTO source VALUES (1)"), "and the fence holds besides"
    finally:
        with database.app() as app:
            run(app, f'DROP OWNED BY "{database.role}"')


def test_the_remedy_ends_the_way(database: Database, owner: Session) -> None:
    run(owner, f'GRANT INSERT ON written TO PUBLIC; GRANT CREATE ON SCHEMA public TO "{database.role}"')
    for way in found(owner, database):
        run(owner, way.remedy)
    assert found(owner, database) == []


def test_large_objects_that_the_app_may_change_are_found(database: Database, owner: Session) -> None:
    run(owner, "SELECT lo_from_bytea(4711, 'of the owner')")
    assert names(owner, database) == []
    run(owner, f'GRANT UPDATE ON LARGE OBJECT 4711 TO "{database.role}"')
    assert names(owner, database) == ["large objects"]
    run(owner, "SELECT lo_unlink(4711)")
    with database.app() as app:
        run(app, "SELECT lo_from_bytea(4712, 'of the app')")
    assert names(owner, database) == ["large objects"]
    run(owner, "SELECT lo_unlink(4712)")


def test_any_login_that_can_write_is_found_however_it_was_made(database: Database, owner: Session) -> None:
    hand = f"{database.role}_hand"
    run(owner, f"CREATE ROLE \"{hand}\" LOGIN PASSWORD '{PASSWORD.replace(chr(39), '')}'")
    assert names(owner, database, hand) == [], "it can log in and can't write"
    run(owner, f'GRANT USAGE ON SCHEMA public TO "{hand}"; GRANT INSERT ON written TO "{hand}"')
    [writer] = found(owner, database, hand)
    assert str(writer).startswith(f"{hand} (a login that may write to public.written; ")
    run(owner, f'REVOKE INSERT ON written FROM "{hand}"; CREATE ROLE "{hand}_group"')
    run(owner, f'GRANT "{hand}_group" TO "{hand}" WITH INHERIT FALSE; GRANT DELETE ON written TO "{hand}_group"')
    assert "as " in found(owner, database, hand)[0].ways
    run(owner, f'REVOKE "{hand}_group" FROM "{hand}"; ALTER ROLE "{hand}" NOLOGIN')
    assert names(owner, database, hand) == []
    project, api = database.project, f"{hand}_api"
    project.host.call("POST", f"{project.path}/branches/{project.root}/roles", {"role": {"name": api}}, status=201)
    [writer] = found(owner, database, api)
    assert "as neon_superuser" in str(writer)
    assert with_sessions(owner, [RoleName(hand), OWNER]) == {OWNER}
    project.host.call("DELETE", f"{project.path}/branches/{project.root}/roles/{api}", status=200)


def test_rows_of_other_databases_count_with_the_databases_name(database: Database, owner: Session) -> None:
    other = DatabaseName(f"{database.name}_b")
    run(owner, f'CREATE DATABASE "{other}"')
    uri = database.project.uri(database=database.name)
    try:
        began = int(baseline(owner))
        with psycopg.connect(database.project.uri(database=other), autocommit=True) as session:
            run(session, "CREATE TABLE events (n int); INSERT INTO events SELECT generate_series(1, 500)")
            with other_databases(uri, owner) as others:
                count = count_others(others, began, 20)
        assert [(each.table, each.rows) for each in count.tables] == [(f"{other}: events", 500)]
        assert count.missing == ""
    finally:
        run(owner, f'DROP DATABASE "{other}" WITH (FORCE)')


def test_a_database_that_can_not_be_opened_makes_the_count_incomplete(database: Database, owner: Session) -> None:
    other = DatabaseName(f"{database.name}_c")
    run(owner, f'CREATE DATABASE "{other}"')
    try:
        run(owner, f'ALTER DATABASE "{other}" CONNECTION LIMIT 0')
        with other_databases(database.project.uri(database=database.name), owner) as others:
            count = count_others(others, 1, 20)
        assert f"database {other} could not be opened" in count.missing
    finally:
        run(owner, f'DROP DATABASE "{other}" WITH (FORCE)')
