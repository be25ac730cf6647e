"""The table in which drizzle notes what it ran: its columns differ by version, its place by configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection
from environments.migrations.errors import MigrationFailedError
from environments.migrations.model import BrokenMigrationsError, Migration

TABLE = "drizzle.__drizzle_migrations"
"""Where drizzle keeps it unless `migrations: {schema, table}` of the drizzle config names another place."""

_SCHEMA = "CREATE SCHEMA IF NOT EXISTS {}"
_JOURNAL_TABLE = "CREATE TABLE IF NOT EXISTS {} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)"
_FOLDERS_TABLE = """
CREATE TABLE IF NOT EXISTS {} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint,
                               name text, applied_at timestamp with time zone DEFAULT now())
"""
_NAMED = "SELECT true FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'name' AND NOT attisdropped"


@dataclass(frozen=True)
class Row:
    """One row: `created_at` in milliseconds since 1970; `name` is None in a table of 0.x, which has no such column."""

    hash: str
    created_at: int
    name: str | None

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Self:
        """Read a row by its columns. A row that 0.x wrote into a table of 1.0 has an empty name."""
        name = (columns["name"] or "") if "name" in columns else None
        return cls(columns["hash"] or "", int(columns["created_at"] or 0), name)


def rows(connection: Connection, table: str) -> list[Row]:
    """Return the table's rows in the order in which they were written; none if there is no such table."""
    schema, dot, name = table.partition(".")
    if not (schema and dot and name):
        raise BrokenMigrationsError(repr(table), "the migrations table is schema.table", f"Write for example {TABLE}")
    found = connection.execute(
        "SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        (schema, name),
    ).fetchone()
    if found is None:
        return []
    query = sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY id").format(sql.Identifier(schema, name))
    return [Row.of(columns) for (columns,) in connection.execute(query).fetchall()]


def record_journal(connection: Connection, migration: Migration, table: str) -> None:
    """Note a migration in `table`, a schema and a name, as drizzle 0.x does."""
    name = _make_table(connection, table, _JOURNAL_TABLE)
    query = sql.SQL("INSERT INTO {} (hash, created_at) VALUES (%s, %s)").format(name)
    connection.execute(query, (migration.hash, migration.order))


def record_folder(connection: Connection, migration: Migration, table: str, folder: Sequence[Migration]) -> None:
    """Note a migration as drizzle 1.0 does; a table of 0.x gets its columns and, from `folder`, the names."""
    name = _make_table(connection, table, _FOLDERS_TABLE)
    if not connection.execute(_NAMED, (name.as_string(connection),)).fetchone():
        _name_rows(connection, name, folder)
    query = sql.SQL("INSERT INTO {} (hash, created_at, name) VALUES (%s, %s, %s)").format(name)
    connection.execute(query, (migration.hash, _milliseconds(migration), migration.tag))


def _make_table(connection: Connection, table: str, statement: str) -> sql.Identifier:
    schema, _, name = table.partition(".")
    connection.execute(sql.SQL(_SCHEMA).format(sql.Identifier(schema)))
    found = sql.Identifier(schema, name)
    connection.execute(sql.SQL(statement).format(found))
    return found


def _name_rows(connection: Connection, table: sql.Identifier, folder: Sequence[Migration]) -> None:
    for column in ("name text", "applied_at timestamp with time zone DEFAULT now()"):
        connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN " + column).format(table))
    rows = connection.execute(sql.SQL("SELECT id, hash, created_at FROM {}").format(table)).fetchall()
    for number, hash_, created_at in rows:
        same = [each for each in folder if _milliseconds(each) // 1000 == int(created_at) // 1000]
        found = [each for each in same if each.hash == hash_] or same[:1]
        found = found or [each for each in folder if each.hash == hash_]
        if not found:
            raise MigrationFailedError(
                f"no folder explains row {number} of drizzle's table, which drizzle-kit 0.x wrote",
                remedy="Bring back the folder that drizzle-kit up made of that migration",
            )
        query = sql.SQL("UPDATE {} SET name = %s, applied_at = NULL WHERE id = %s").format(table)
        connection.execute(query, (found[0].tag, number))


def _milliseconds(migration: Migration) -> int:
    moment = datetime.strptime(migration.tag[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
