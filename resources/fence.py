"""The fence: an environment's app roles may read a branch but no longer write to it.

Privileges are taken away, which no client can switch back on for itself (unlike default_transaction_read_only). From
then on each statement that wants to write is denied, also in a transaction that was open before. What had already
written and not yet committed is ended: a mere COMMIT would still succeed. Reads go on; the owner and the roles of other
environments keep what they may.
"""

from __future__ import annotations

import time

from resources.app_role import grant_rows, user_schemas
from resources.deferred import sql
from resources.postgres import Connection

_DEADLINE = 10.0
_PAUSE = 0.01

_WRITERS = """
SELECT a.pid, pg_terminate_backend(a.pid)
FROM pg_stat_activity a
WHERE a.usename = ANY(%(roles)s) AND a.xact_start < %(moment)s AND EXISTS (
    SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = a.pid AND l.mode = 'RowExclusiveLock' AND l.granted AND c.relkind IN ('r', 'p'))
"""

_INSERTABLE = """
SELECT count(*), count(*) FILTER (WHERE has_table_privilege(%(role)s, c.oid, 'INSERT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY(%(schemas)s)
"""


class FenceError(Exception):
    """Sessions that have written did not end."""


def raise_fence(connection: Connection, roles: list[str]) -> None:
    """Let `roles` write no more, and end what they have written and not committed.

    Every statement that got past the check of its privileges holds a lock on its table, so the sessions to end are
    those of `roles` that hold one and began before the privileges went. Raises FenceError for one that is still there
    after 10 s.
    """
    with connection.transaction():
        for schema in user_schemas(connection):
            connection.execute(
                sql.SQL("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA {} FROM {}").format(
                    sql.Identifier(schema), sql.SQL(", ").join(map(sql.Identifier, roles))
                )
            )
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    moment = row[0] if row else None
    deadline = time.monotonic() + _DEADLINE
    while connection.execute(_WRITERS, {"roles": roles, "moment": moment}).fetchall():
        if time.monotonic() > deadline:
            raise FenceError(f"sessions of {', '.join(roles)} that have written did not end within 10 s")
        time.sleep(_PAUSE)


def lift_fence(connection: Connection, roles: list[str], database: str, owner: str) -> None:
    """Let `roles` write again; harmless where there is no fence."""
    for role in roles:
        grant_rows(connection, role, database, owner)


def is_fenced(connection: Connection, role: str) -> bool:
    """Tell whether there are tables and `role` may insert into none of them."""
    row = connection.execute(_INSERTABLE, {"role": role, "schemas": user_schemas(connection)}).fetchone()
    return bool(row and row[0] and not row[1])
