"""The fence: an environment's app roles may read a branch but no longer write to it.

A move raises it under the lock of `write_lock`, where writers wait until it is committed. Where nothing is to be undone
any more, `raise_fence` does it at once, without a lock.

Privileges are taken away, which no client can switch back on for itself (unlike default_transaction_read_only). From
then on each statement that wants to write is denied, also in a transaction that was open before. What had already
written gets a moment to commit and is ended then: a mere COMMIT would still succeed later. Reads go on; the owner and
the roles of other environments keep what they may.

What a REVOKE can't stop is refused rather than overlooked: rights that come from PUBLIC or another role, prepared
transactions; `writers.py` finds the other ways. Sequences stay open to those who may use them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Final

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection
from environments.database.app_role import grant_rows
from environments.database.schemas import user_schemas
from environments.database.writers import writers_besides
from environments.errors import FailedError
from environments.ids import DatabaseName, RoleName

_DEADLINE = 10.0
GRACE: Final = 0.25
"""Seconds until a transaction that has written is ended. Most commit by then, and a session that a pool has meanwhile
given to a read isn't cut off: between the look at a session and its end is time enough for that."""
_PAUSE = 0.01
_WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"

_WRITERS = """
SELECT a.pid, %(end)s AND pg_terminate_backend(a.pid)
FROM pg_stat_activity a
WHERE a.usename = ANY(%(roles)s) AND a.xact_start < %(moment)s AND EXISTS (
    SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = a.pid AND l.mode = 'RowExclusiveLock' AND l.granted
      AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't')
"""

_PREPARED = """
SELECT format('%%s prepared %%s in database %%s', owner, gid, database) FROM pg_prepared_xacts
WHERE %(roles)s::text[] IS NULL OR owner = ANY(%(roles)s) ORDER BY 1
"""

_CLOSED = """
SELECT count(c.oid), count(c.oid) FILTER (WHERE has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE')),
       EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) AS granted
               WHERE d.defaclobjtype = 'r' AND granted.grantee = r.oid AND granted.privilege_type = 'INSERT')
FROM pg_roles r LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = ANY(%(schemas)s))
     ON c.relkind IN ('r', 'p')
WHERE r.rolname = %(role)s
GROUP BY r.oid
"""


class FenceError(FailedError):
    """The writes of a role can't be stopped."""


def raise_fence(connection: Connection, roles: Sequence[RoleName], allowed: Collection[str] | None = ()) -> None:
    """Let `roles` write no more, and end what they have written and not committed within 0.25 s.

    `connection` is the tables' owner's; what it makes later is closed to `roles` as well. Every statement that got past
    the check of its privileges holds a lock on its table, so the sessions to end are those of `roles` that hold one and
    began before the privileges went. Ways to write that are `allowed`, by the names of `Writer`, may stay; None
    allows every one.

    Raises FenceError with nothing changed for rights that a REVOKE doesn't take. Raises it with the privileges gone, to
    be given back by `lift_fence`, for a session that is still there after 10 s and for a prepared transaction.
    """
    if not roles:
        return
    with connection.transaction():
        revoke_writes(connection, roles, allowed)
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    moment = row[0] if row else None
    began = time.monotonic()
    while connection.execute(
        _WRITERS, {"roles": list(roles), "moment": moment, "end": time.monotonic() - began > GRACE}
    ).fetchall():
        if time.monotonic() - began > _DEADLINE:
            raise FenceError(f"sessions of {_listed(roles)} that have written did not end within 10 s")
        time.sleep(_PAUSE)
    refuse_prepared(connection, roles)


def revoke_writes(connection: Connection, roles: Sequence[RoleName], allowed: Collection[str] | None = ()) -> None:
    """Take the right to write from `roles`, as a part of the transaction that is open; nobody else sees it before.

    Raises FenceError for a way to write that a REVOKE doesn't take and that isn't `allowed`.
    """
    if roles:
        _revoke(connection, roles)
        if allowed is not None:
            _refuse_what_is_left(connection, roles, allowed)


def refuse_prepared(connection: Connection, roles: Sequence[RoleName] | None = None) -> None:
    """Raise FenceError if `roles`, or anybody, prepared transactions: these keep their locks and can be committed."""
    asked = {"roles": None if roles is None else list(roles)}
    if prepared := [str(text) for (text,) in connection.execute(_PREPARED, asked).fetchall()]:
        raise FenceError(
            f"{_listed(prepared)}, which can still be committed: COMMIT PREPARED or ROLLBACK PREPARED first"
        )


def lift_fence(connection: Connection, roles: Sequence[RoleName], database: DatabaseName, owner: RoleName) -> None:
    """Let `roles` write again; harmless where there is no fence. Gives what `grant_rows` gives, to every table."""
    for role in roles:
        grant_rows(connection, role, database, owner)


def is_fenced(connection: Connection, role: RoleName) -> bool:
    """Tell whether `role` may write to no table; if there is none yet, whether it may write to none made later."""
    row = connection.execute(_CLOSED, {"role": role, "schemas": user_schemas(connection)}).fetchone()
    if row is None:
        return False
    tables, writable, later = row
    return not writable if tables else not later


def _revoke(connection: Connection, roles: Sequence[RoleName]) -> None:
    them = sql.SQL(", ").join(map(sql.Identifier, roles))
    for schema in user_schemas(connection):
        revoke = sql.SQL("REVOKE " + _WRITES + " ON ALL TABLES IN SCHEMA {} FROM {}")
        connection.execute(revoke.format(sql.Identifier(schema), them))
    connection.execute(sql.SQL("ALTER DEFAULT PRIVILEGES REVOKE " + _WRITES + " ON TABLES FROM {}").format(them))


def _refuse_what_is_left(connection: Connection, roles: Sequence[RoleName], allowed: Collection[str]) -> None:
    ways = [way for way in writers_besides(connection, roles, None) if way.name not in allowed]
    if ways:
        raise FenceError(
            f"{_listed(roles)} could write in spite of the fence: {'; '.join(map(str, ways))}. Or list under "
            f"safety.other_writers what may go on: {', '.join(way.name for way in ways)}"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))
