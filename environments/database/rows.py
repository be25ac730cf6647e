"""How many rows a branch holds that no earlier branch has: what would be left behind if the pointer moved on.

Every row version carries the 32-bit id of the transaction that wrote it. Widened to 64 bits it is compared with the
branch's baseline. The widening takes the largest id that fits below the snapshot's end, so it is never too small: the
count may be too high (a table that a migration rewrote counts whole) and is never too low. Rows that were only deleted
leave nothing to count. Large objects count by their pages; materialized views are made of rows that count already,
and foreign tables lie elsewhere.

Each table is counted as of its own moment: while others write, a row that moves between two tables may be missed, so
the count that decides is taken behind the fence.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from environments.clients.deadline import at_most
from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection
from environments.database.schemas import user_schemas
from environments.review.model import TableRows

_TABLES = """
SELECT n.nspname, c.relname,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND {written} >= %(baseline)s)
       AND EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum < 0 AND {written} < %(baseline)s) AS rewritten
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname = ANY(%(schemas)s)
  AND (%(superusers)s OR c.relowner NOT IN (SELECT oid FROM pg_roles WHERE rolsuper))
   OR c.oid = 'pg_largeobject'::regclass AND EXISTS (SELECT FROM pg_largeobject_metadata)
ORDER BY c.relpages, n.nspname, c.relname
"""
"""A table's columns are older than its change; those of a table that was made since the baseline have no old one."""

_WRITTEN = """
(SELECT CASE WHEN wide >= next THEN greatest(wide - 4294967296, 0) ELSE wide END
 FROM (SELECT (next / 4294967296) * 4294967296 + {row}.xmin::text::bigint AS wide, next
       FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS snapshot) AS widened)
"""
"""The transaction that wrote a row, in 64 bits: below the end of this very statement's snapshot, as the row is.

A frozen row keeps its id, and may be from before the counter was set back: such a one is older than any baseline, and
counts where every row does.
"""


_AGAIN = "ROLLBACK TO SAVEPOINT counting; "
"""Before each table, in a transaction: the locks on its indexes go, and what failed is mended."""


@dataclass(frozen=True)
class RowCount:
    """Rows written since a baseline, by table; `missing` says why the count isn't whole, empty if it is.

    `since` says in words when that was.
    """

    tables: tuple[TableRows, ...]
    missing: str = ""
    since: str = "it began"

    @property
    def total(self) -> int:
        """Rows in all tables together; a lower bound while something is missing."""
        return sum(found.rows for found in self.tables)

    def __str__(self) -> str:
        """Say it in one line, the largest table first."""
        shown = sorted(self.tables, key=lambda found: -found.rows)
        parts = [f"{each.table} {each.rows:,}{' (its columns changed)' if each.rewritten else ''}" for each in shown]
        total = f"{'at least ' if self.missing else ''}{self.total:,} rows"
        where = f" ({', '.join(parts)})" if parts else ""
        return f"{total}{where}{'; ' + self.missing if self.missing else ''}"


def grown(before: RowCount, after: RowCount) -> RowCount:
    """Return by how many rows each table has grown between two counts from one baseline, if the first was whole."""
    if before.missing:
        return RowCount(())
    had = {each.table: each.rows for each in before.tables}
    tables = (replace(each, rows=each.rows - had.get(each.table, 0)) for each in after.tables)
    return RowCount(tuple(each for each in tables if each.rows > 0), after.missing)


def larger(first: RowCount, second: RowCount) -> RowCount:
    """Return for each table the larger of two counts of the same rows, each of which may miss some."""
    tables: dict[str, TableRows] = {}
    for each in (*first.tables, *second.tables):
        tables[each.table] = max(tables.get(each.table, each), each, key=lambda one: one.rows)
    missing = "; ".join(dict.fromkeys(text for text in (first.missing, second.missing) if text))
    return RowCount(tuple(tables.values()), missing)


def count_rows(connection: Connection, baseline: int, seconds: float, *, superusers: bool = True) -> RowCount:
    """Count the rows that transactions from `baseline` on wrote, small tables first, for at most `seconds`.

    Without `superusers` their tables don't count. A table that can't be read, or not in time, is named in `missing`. In
    a transaction that is open already, it counts what is committed by then or written there, and the transaction can
    go on.
    """
    seconds = at_most(seconds, "the rows that would be left behind are not counted yet")
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return _counted_within(connection, baseline, seconds, superusers=superusers)
    return _counted(connection, baseline, seconds, "", superusers=superusers)


def _counted_within(connection: Connection, baseline: int, seconds: float, *, superusers: bool) -> RowCount:
    connection.execute("SET LOCAL row_security = off; SAVEPOINT counting")
    try:
        return _counted(connection, baseline, seconds, _AGAIN, superusers=superusers)
    finally:
        connection.execute(f"{_AGAIN}RELEASE SAVEPOINT counting".encode())


def _counted(connection: Connection, baseline: int, seconds: float, first: str, *, superusers: bool) -> RowCount:
    deadline = time.monotonic() + seconds
    late = f"took longer than {seconds:.0f} s"
    counted: list[TableRows] = []
    missing: list[str] = []
    name = "its tables"
    try:
        _limit(connection, deadline, first)
        if next_transaction(connection) < baseline:
            return RowCount((), "it was set back to before it began, so new and old rows can't be told apart")
        tables = _tables(connection, baseline, superusers=superusers)
        connection.execute("SET row_security = off")
        for schema, table, rewritten in tables:
            name = _shown(schema, table)
            _limit(connection, deadline, first)
            try:
                rows = _written(connection, schema, table, baseline)
            except psycopg.errors.UndefinedTable:
                missing.append(f"{name} was dropped or renamed meanwhile")
            except psycopg.errors.InsufficientPrivilege:
                missing.append(f"{name} can't be read by the database's owner")
            else:
                counted += [TableRows(table=name, rows=rows, rewritten=rewritten)] if rows else []
    except (psycopg.errors.QueryCanceled, TimeoutError):
        missing.append(f"counting {name} and what follows {late}")
    return RowCount(tuple(counted), "; ".join(missing))


def next_transaction(connection: Connection) -> int:
    """Return the transaction id (64 bits) that the server gives out next."""
    row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    return int(row[0]) if row else 0


def _tables(connection: Connection, baseline: int, *, superusers: bool) -> list[tuple[str, str, bool]]:
    query = sql.SQL(_TABLES).format(written=sql.SQL(_WRITTEN).format(row=sql.Identifier("a")))
    found = connection.execute(
        query, {"baseline": baseline, "schemas": user_schemas(connection), "superusers": superusers}
    )
    return [(str(schema), str(table), bool(rewritten)) for schema, table, rewritten in found.fetchall()]


def _written(connection: Connection, schema: str, table: str, baseline: int) -> int:
    """Count one table; the baseline is written into the query, since a name may hold a percent sign."""
    query = sql.SQL("SELECT count(*) FROM ONLY {} AS t WHERE {} >= {}").format(
        sql.Identifier(schema, table), sql.SQL(_WRITTEN).format(row=sql.Identifier("t")), sql.Literal(baseline)
    )
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _shown(schema: str, table: str) -> str:
    if schema == "pg_catalog":
        return "large objects"
    return table if schema == "public" else f"{schema}.{table}"


def _limit(connection: Connection, deadline: float, first: str) -> None:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    connection.execute(f"{first}SET statement_timeout = {int(seconds * 1000) + 1}".encode())
