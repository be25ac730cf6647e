"""How many rows a branch holds that no earlier branch has: what would be left behind if the pointer moved on.

Every row version carries the 32-bit id of the transaction that wrote it. Widened to 64 bits it is compared with the
branch's baseline. The widening takes the largest id that fits below the snapshot's end, so it is never too small: the
count may be too high (a table that a migration rewrote counts whole) and is never too low. Rows that were only deleted
leave nothing to count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from resources.deferred import psycopg, sql
from resources.postgres import Connection

_TABLES = """
SELECT n.nspname, c.relname,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND {written} >= %(baseline)s) AS migrated
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname NOT IN ('information_schema', 'neon', 'neon_migration')
ORDER BY c.relpages, n.nspname, c.relname
"""

_WRITTEN = """
(SELECT CASE WHEN wide >= next THEN wide - 4294967296 ELSE wide END
 FROM (SELECT (next / 4294967296) * 4294967296 + {row}.xmin::text::bigint AS wide, next
       FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS snapshot) AS widened)
"""
"""The transaction that wrote a row, in 64 bits: below the end of this very statement's snapshot, as the row is."""


@dataclass(frozen=True)
class TableRows:
    """Rows written to one table; `migrated` if its columns changed since, so that a rewrite may have counted all."""

    table: str
    rows: int
    migrated: bool


@dataclass(frozen=True)
class RowCount:
    """Rows written since a baseline, per table; `missing` says why the count isn't whole, empty if it is."""

    tables: tuple[TableRows, ...]
    missing: str = ""

    @property
    def total(self) -> int:
        """Rows in all tables together; a lower bound while something is missing."""
        return sum(found.rows for found in self.tables)

    def __str__(self) -> str:
        """Say it in one line, the largest table first."""
        shown = sorted(self.tables, key=lambda found: -found.rows)
        parts = [f"{each.table} {each.rows:,}{' (its columns changed)' if each.migrated else ''}" for each in shown]
        told = f"{'at least ' if self.missing else ''}{self.total:,} rows"
        where = f" ({', '.join(parts)})" if parts else ""
        return f"{told}{where}{'; ' + self.missing if self.missing else ''}"


def count_rows(connection: Connection, baseline: int, seconds: float) -> RowCount:
    """Count the rows that transactions from `baseline` on wrote, small tables first, for at most `seconds`.

    A table that can't be read, or not in time, is named in `missing`.
    """
    deadline = time.monotonic() + seconds
    written = sql.SQL(_WRITTEN)
    tables = connection.execute(
        sql.SQL(_TABLES).format(written=written.format(row=sql.Identifier("a"))), {"baseline": baseline}
    ).fetchall()
    connection.execute("SET row_security = off")
    counted: list[TableRows] = []
    for schema, table, migrated in tables:
        name = table if schema == "public" else f"{schema}.{table}"
        query = sql.SQL("SELECT count(*) FROM ONLY {} AS t WHERE {} >= %s").format(
            sql.Identifier(schema, table), written.format(row=sql.Identifier("t"))
        )
        try:
            _limit(connection, deadline - time.monotonic())
            row = connection.execute(query, (baseline,)).fetchone()
        except psycopg.errors.UndefinedTable:
            continue
        except (psycopg.errors.QueryCanceled, TimeoutError):
            return RowCount(tuple(counted), f"counting {name} and what follows took longer than {seconds:.0f} s")
        except psycopg.errors.InsufficientPrivilege:
            return RowCount(tuple(counted), f"{name} can't be read by the database's owner")
        if row and row[0]:
            counted.append(TableRows(name, int(row[0]), bool(migrated)))
    return RowCount(tuple(counted))


def _limit(connection: Connection, seconds: float) -> None:
    if seconds <= 0:
        raise TimeoutError
    connection.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(int(seconds * 1000) + 1)))
