"""The table in which drizzle keeps what it has run: its columns differ by version, its place by project config."""

from __future__ import annotations

from typing import Any

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection
from environments.migrations.model import BrokenMigrationsError

TABLE = "drizzle.__drizzle_migrations"
"""Where drizzle keeps it unless `migrations: {schema, table}` of the drizzle config says otherwise."""


def rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    """Return the table's rows by column, in the order in which they were written; none if it isn't there."""
    schema, dot, name = table.partition(".")
    if not (schema and dot and name):
        raise BrokenMigrationsError(repr(table), "the migrations table is schema.table", f"Write for example {TABLE}")
    there = connection.execute(
        "SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        (schema, name),
    ).fetchone()
    if there is None:
        return []
    query = sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY id").format(sql.Identifier(schema, name))
    return [row for (row,) in connection.execute(query).fetchall()]
