"""The SQL of an app's own role: what it may do, and which other logins a branch has.

Roles made through Neon's API join `neon_superuser`, which may write everything; these are made by SQL and may read and
write rows, nothing else. Neon's control plane refuses a pre-hashed password ("Neon only supports being given plaintext
passwords"), so the password is sent as data of a COPY: a server that logs every statement logs its parameters too.
"""

from __future__ import annotations

from collections.abc import Collection

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection
from environments.database.schemas import user_schemas
from environments.ids import DatabaseName, RoleName

_INHERIT_IS_A_GRANTS = 160_000
"""From Postgres 16 on each grant of membership says whether it is inherited; before, the role said so."""

_MAKE_ROLE = """
DO $$
DECLARE
    name text := role FROM pg_temp.environments_login;
    secret text := password FROM pg_temp.environments_login;
    verb text := CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN 'ALTER' ELSE 'CREATE' END;
BEGIN
    EXECUTE format('%s ROLE %I LOGIN PASSWORD %L', verb, name, secret);
EXCEPTION WHEN query_canceled OR others THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
END $$
"""
"""An error of the inner statement is raised again without its context, which quotes the statement and the password."""

_OTHER_LOGINS = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> ALL(%s) ORDER BY rolname"


def make_role(connection: Connection, role: RoleName, password: str, owner: RoleName) -> None:
    """Create `role` with `password`, or give it that password; `owner` may see and end its sessions."""
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE environments_login (role text, password text)")
        with connection.cursor() as cursor, cursor.copy("COPY pg_temp.environments_login FROM STDIN") as copy:
            copy.write_row((role, password))
        connection.execute(_MAKE_ROLE)
        connection.execute("DROP TABLE pg_temp.environments_login")
        grant_membership(connection, role, owner)


def grant_membership(connection: Connection, role: RoleName, member: RoleName) -> None:
    """Make `member` one of `role` that has its rights without SET ROLE, whatever Postgres it is."""
    inherit = " WITH INHERIT TRUE" if connection.info.server_version >= _INHERIT_IS_A_GRANTS else ""
    connection.execute(sql.SQL("GRANT {} TO {}" + inherit).format(sql.Identifier(role), sql.Identifier(member)))


def grant_rows(connection: Connection, role: RoleName, database: DatabaseName, owner: RoleName) -> None:
    """Let `role` read and write the rows of every table that exists, and of every one that `owner` makes later."""
    app, made_by = sql.Identifier(role), sql.Identifier(owner)
    statements = [sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), app)]
    for schema in user_schemas(connection):
        inside = sql.Identifier(schema)
        statements += [
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(inside, app),
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}").format(inside, app),
            sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {} TO {}").format(inside, app),
        ]
    for privileges in (
        "SELECT, INSERT, UPDATE, DELETE ON TABLES",
        "USAGE, SELECT ON SEQUENCES",
        "USAGE ON SCHEMAS",
    ):
        grant = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT " + privileges + " TO {}")
        statements.append(grant.format(made_by, app))
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)


def other_logins(connection: Connection, known: Collection[RoleName]) -> list[RoleName]:
    """Return the roles that can log in besides those that are `known`: a copy has those of its source."""
    return [RoleName(name) for (name,) in connection.execute(_OTHER_LOGINS, (list(known),)).fetchall()]


def forbid_login(connection: Connection, role: RoleName) -> None:
    """Take `role`'s right to log in; psycopg.errors.InsufficientPrivilege says that it isn't ours to take."""
    connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))
