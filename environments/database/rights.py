"""What a role sees and may do in a database, object by object, so that two logins can be compared.

Rights alone don't say it all. Row-level security hides the rows of a table from a role that may SELECT it, and the
tables' owner, who bypasses it, notices nothing: of such tables the role itself is asked whether it sees a row.

A right counts only where its schema can be reached. Not read are objects of extensions, partitions (which are reached
through their parents), sequences of identity columns and trigger functions (which need no right), and USAGE of types
(which only DDL needs).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection, first_line
from environments.database.schemas import user_schemas
from environments.ids import RoleName

Kind = Literal["schema", "table", "sequence", "function", "membership"]
RowsSeen = Literal["", "seen", "none", "empty", "unknown"]
"""Of a table with row-level security: whether the role sees a row. "none": there are rows, and it sees none of them."""

_LOOK_SECONDS = 2
"""For one table; a role that sees no row in that time counts as one that sees none."""
_LOOKS_SECONDS = 15.0
"""For all tables together."""
_SET_IS_A_GRANTS = 160_000
"""From Postgres 16 on a membership may lack SET ROLE."""

_SCHEMAS = """
SELECT n.oid::bigint, n.nspname::text, format('%%I', n.nspname), pg_get_userbyid(n.nspowner),
       ARRAY(SELECT p FROM unnest(ARRAY['USAGE', 'CREATE']) p
             WHERE has_schema_privilege(%(who)s::name, n.oid, p)
                OR %(opened)s AND p = 'USAGE' AND has_schema_privilege(n.oid, p || ' WITH GRANT OPTION'))
FROM pg_namespace n
WHERE n.nspname = ANY(%(schemas)s) AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY n.nspname
"""

_TABLES = """
SELECT c.oid::bigint, n.nspname::text, format('%%I.%%I', n.nspname, c.relname), pg_get_userbyid(c.relowner),
       ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
             WHERE has_table_privilege(%(who)s::name, c.oid, p)
                OR %(opened)s AND p <> 'TRUNCATE' AND has_table_privilege(c.oid, p || ' WITH GRANT OPTION'))
       || ARRAY(SELECT format('%%s (%%I)', p, a.attname)
                FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p, pg_attribute a
                WHERE has_any_column_privilege(%(who)s::name, c.oid, p)
                  AND NOT has_table_privilege(%(who)s::name, c.oid, p)
                  AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND has_column_privilege(%(who)s::name, c.oid, a.attnum, p)),
       c.relrowsecurity AND NOT %(bypasses)s AND (c.relforcerowsecurity OR NOT
           CASE WHEN %(id)s::oid = 0 THEN false ELSE pg_has_role(%(id)s::oid, c.relowner, 'USAGE') END),
       ARRAY(SELECT command FROM (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd'))
                 AS commands (command, code)
             WHERE NOT EXISTS (
                 SELECT FROM pg_policy y, unnest(y.polroles) AS theirs (role)
                 WHERE y.polrelid = c.oid AND y.polpermissive AND y.polcmd IN ('*', code::"char")
                   AND CASE WHEN theirs.role = 0 THEN true WHEN %(id)s::oid = 0 THEN false
                       ELSE pg_has_role(%(id)s::oid, theirs.role, 'USAGE') END))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname = ANY(%(schemas)s) AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""
"""The last column: the commands that row-level security denies, where it holds, since no policy allows them."""

_SEQUENCES = """
SELECT c.oid::bigint, n.nspname::text, format('%%I.%%I', n.nspname, c.relname), pg_get_userbyid(c.relowner),
       ARRAY(SELECT p FROM unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) p
             WHERE has_sequence_privilege(%(who)s::name, c.oid, p)
                OR %(opened)s AND p <> 'UPDATE' AND has_sequence_privilege(c.oid, p || ' WITH GRANT OPTION'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname = ANY(%(schemas)s) AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
ORDER BY n.nspname, c.relname
"""

_FUNCTIONS = """
SELECT p.oid::bigint, n.nspname::text,
       format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       pg_get_userbyid(p.proowner),
       CASE WHEN has_function_privilege(%(who)s::name, p.oid, 'EXECUTE') THEN ARRAY['EXECUTE'] ELSE ARRAY[]::text[] END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s) AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY n.nspname, p.proname, 3
"""

_MEMBERSHIPS = """
SELECT r.oid::bigint, r.rolname::text FROM pg_roles r
WHERE r.oid <> %(id)s::oid AND pg_has_role(%(id)s::oid, r.oid, %(kind)s) ORDER BY r.rolname
"""

_ROLE = "SELECT oid::bigint, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s"


@dataclass(frozen=True, kw_only=True)
class ObjectRights:
    """What the role may do with one object. `name` is as SQL writes it, `schema` is the one that it is in.

    `may` holds only what has an effect: nothing in a schema that isn't `reachable`, and no command on a table for which
    row-level security has no policy. `secured` says that row-level security decides which rows the role sees, and
    `rows` whether it sees any; `failed` is the error that it gets instead.
    """

    kind: Kind
    name: str
    oid: int
    owner: RoleName
    may: frozenset[str]
    schema: str = ""
    reachable: bool = True
    denied: frozenset[str] = frozenset()
    secured: bool = False
    rows: RowsSeen = ""
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a role may do in a database. One that doesn't `exist` yet may do what everybody may."""

    role: RoleName
    exists: bool
    objects: tuple[ObjectRights, ...]


def read_rights(connection: Connection, role: RoleName, *, opened: bool = False) -> Rights:
    """Return what `role` sees and may do in the database that `connection` of the tables' owner has open.

    `opened` counts what the owner can grant as granted: so it is once the app may write to the branch. Changes nothing:
    the role is asked in a transaction that is read-only and rolled back.
    """
    found = connection.execute(_ROLE, (role,)).fetchone()
    id_, bypasses = found or (0, False)
    asked = {
        "who": role if found else "public",
        "id": id_,
        "bypasses": bool(bypasses),
        "opened": opened,
        "schemas": user_schemas(connection),
    }
    schemas, reachable = [], set()
    for oid, plain, name, owner, may in connection.execute(_SCHEMAS, asked).fetchall():
        schemas.append(ObjectRights(kind="schema", name=name, oid=oid, owner=owner, schema=name, may=frozenset(may)))
        reachable |= {plain} if "USAGE" in may else set()
    names = dict(_named(connection, asked["schemas"]))
    tables = [
        _table(row, names[row[1]], reachable=row[1] in reachable)
        for row in connection.execute(_TABLES, asked).fetchall()
    ]
    others = [
        ObjectRights(
            kind=kind,
            name=name,
            oid=oid,
            owner=owner,
            schema=names[plain],
            reachable=plain in reachable,
            may=frozenset(may) if plain in reachable else frozenset(),
        )
        for kind, query in _OTHERS
        for oid, plain, name, owner, may in connection.execute(query.encode(), asked).fetchall()
    ]
    members = _memberships(connection, id_) if found else []
    looked = _looked_at(connection, role, tables) if found else tables
    return Rights(role=role, exists=bool(found), objects=(*schemas, *looked, *others, *members))


_OTHERS: tuple[tuple[Kind, str], ...] = (("sequence", _SEQUENCES), ("function", _FUNCTIONS))


def _named(connection: Connection, schemas: object) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT name, format('%%I', name) FROM unnest(%s::text[]) AS n (name)", (schemas,))
    return [(str(plain), str(name)) for plain, name in rows.fetchall()]


def _table(row: tuple[Any, ...], schema: str, *, reachable: bool) -> ObjectRights:
    oid, _, name, owner, may, secured, denied = row
    refused = frozenset(denied) if secured else frozenset[str]()
    left = {each for each in may if reachable and each.partition(" ")[0] not in refused}
    return ObjectRights(
        kind="table",
        name=name,
        oid=oid,
        owner=owner,
        schema=schema,
        reachable=reachable,
        may=frozenset(left),
        denied=refused & {each.partition(" ")[0] for each in may},
        secured=secured,
    )


def _memberships(connection: Connection, id_: int) -> list[ObjectRights]:
    kind = "SET" if connection.info.server_version >= _SET_IS_A_GRANTS else "MEMBER"
    rows = connection.execute(_MEMBERSHIPS, {"id": id_, "kind": kind}).fetchall()
    return [
        ObjectRights(kind="membership", name=str(name), oid=oid, owner=RoleName(""), may=frozenset({"SET ROLE"}))
        for oid, name in rows
    ]


def _looked_at(connection: Connection, role: RoleName, tables: Sequence[ObjectRights]) -> list[ObjectRights]:
    """Return `tables`, with what the role sees of those that have row-level security."""
    deadline = time.monotonic() + _LOOKS_SECONDS
    looked = []
    for table in tables:
        if not table.secured or "SELECT" not in table.may:
            looked.append(table)
        elif time.monotonic() > deadline:
            looked.append(replace(table, rows="unknown"))
        else:
            looked.append(_look(connection, role, table))
    return looked


def _look(connection: Connection, role: RoleName, table: ObjectRights) -> ObjectRights:
    failed = ""
    try:
        if _sees_a_row(connection, table.name, role):
            return replace(table, rows="seen")
    except psycopg.errors.QueryCanceled:
        failed = f"it saw none within {_LOOK_SECONDS} s"
    except psycopg.Error as error:
        failed = first_line(error)
    try:
        there = _sees_a_row(connection, table.name, None)
    except psycopg.Error:
        return replace(table, rows="unknown", failed=failed)
    return replace(table, rows="none" if there else "empty", failed=failed)


def _sees_a_row(connection: Connection, table: str, role: RoleName | None) -> bool:
    """Tell whether `role`, or the owner of the connection for None, sees a row of `table`, named as SQL writes it."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(f"SET LOCAL statement_timeout = '{_LOOK_SECONDS}s'".encode())
        if role:
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        row = connection.execute(f"SELECT EXISTS (SELECT FROM {table})".encode()).fetchone()  # noqa: S608 - quoted by Postgres
    return bool(row and row[0])
