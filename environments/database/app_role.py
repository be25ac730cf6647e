"""The SQL of an app's own role: what it may do, whom it replaces, and when its branch began.

Roles made through Neon's API join `neon_superuser`, which may write everything; these are made by SQL and may read and
write rows, nothing else. Neon's control plane refuses a pre-hashed password ("Neon only supports being given plaintext
passwords"), so the password is sent as data of a COPY: a server that logs every statement logs its parameters too.
"""

from __future__ import annotations

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection

_INHERIT_IS_A_GRANTS = 160_000
"""From Postgres 16 on each grant of membership says whether it is inherited; before, the role said so."""

SYSTEM_ROLES = ("cloud_admin", "neon_superuser", "neon_service", "web_access", "authenticator", "anonymous")

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
"""An error of the inner statement is raised anew, since its context would quote the statement and so the password."""

_SCHEMAS = """
SELECT n.nspname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND NOT (n.nspname IN ('neon', 'neon_migration') AND r.rolsuper)
ORDER BY n.nspname
"""
"""Neon's own schemas belong to its superuser; one of the same name that a user made is the app's."""

_OTHER_LOGINS = """
SELECT rolname FROM pg_roles
WHERE rolcanlogin AND NOT rolsuper AND rolname NOT LIKE 'pg\\_%%' AND rolname <> ALL(%s)
ORDER BY rolname
"""


def baseline(connection: Connection) -> str:
    """Return the oldest transaction id (64 bits, in decimal) that could still commit on this branch.

    The snapshot's lower end, not its upper one: a transaction in flight between the two would be missed.
    """
    row = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text").fetchone()
    if row is None:
        raise AssertionError("a SELECT without FROM returns a row")
    return str(row[0])


def user_schemas(connection: Connection) -> list[str]:
    """Return the schemas that hold the app's own tables."""
    return [str(name) for (name,) in connection.execute(_SCHEMAS).fetchall()]


def make_role(connection: Connection, role: str, password: str, owner: str) -> None:
    """Create `role` with `password`, or give it that password; `owner` may see and end its sessions."""
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE environments_login (role text, password text)")
        with connection.cursor() as cursor, cursor.copy("COPY pg_temp.environments_login FROM STDIN") as copy:
            copy.write_row((role, password))
        connection.execute(_MAKE_ROLE)
        connection.execute("DROP TABLE pg_temp.environments_login")
        inherit = " WITH INHERIT TRUE" if connection.info.server_version >= _INHERIT_IS_A_GRANTS else ""
        connection.execute(sql.SQL("GRANT {} TO {}" + inherit).format(sql.Identifier(role), sql.Identifier(owner)))


def grant_rows(connection: Connection, role: str, database: str, owner: str) -> None:
    """Let `role` read and write the rows of every table that is there, and of every one that `owner` makes later."""
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


def other_logins(connection: Connection, owner: str, role: str) -> list[str]:
    """Return the roles that came along with the copy and can log in with the source's passwords."""
    rows = connection.execute(_OTHER_LOGINS, ([owner, role, *SYSTEM_ROLES],)).fetchall()
    return [str(name) for (name,) in rows]


def forbid_login(connection: Connection, role: str) -> None:
    """Take `role`'s right to log in; psycopg.errors.InsufficientPrivilege says that it isn't ours to take."""
    connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))
