"""How many rows each table has: exact, small tables first, as long as there is time."""

from __future__ import annotations

import time

from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection
from environments.database.schemas import user_schemas

_SECONDS = 20.0

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY(%s) ORDER BY c.relpages, n.nspname, c.relname
"""


def count_tables(connection: Connection, seconds: float = _SECONDS) -> dict[str, int | None]:
    """Return the rows of each table, None for those for which no time was left."""
    deadline = time.monotonic() + seconds
    counted: dict[str, int | None] = {}
    for schema, table in connection.execute(_TABLES, (user_schemas(connection),)).fetchall():
        counted[table if schema == "public" else f"{schema}.{table}"] = _count(connection, schema, table, deadline)
    return counted


def _count(connection: Connection, schema: str, table: str, deadline: float) -> int | None:
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {int(left * 1000) + 1}".encode())
            row = connection.execute(query).fetchone()
    except (psycopg.errors.QueryCanceled, psycopg.errors.InsufficientPrivilege):
        return None
    return int(row[0]) if row else None
