"""Warming: what was read most on the branch that served is read into the new branch's cache before visitors come.

A clone starts with a cold cache. Which tables and indexes were hot is in the statistics of the compute that served
until now; pg_prewarm reads them into the new one, the hottest first, until its shared buffers are full or the time is
up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from resources.deferred import psycopg, sql
from resources.postgres import Connection

_SECONDS = 30.0
_SHARE_OF_BUFFERS = 0.9

_HOT = """
SELECT n.nspname, c.relname, s.accessed
FROM (SELECT relid AS oid, heap_blks_hit + heap_blks_read AS accessed FROM pg_statio_user_tables
      UNION ALL
      SELECT indexrelid, idx_blks_hit + idx_blks_read FROM pg_statio_user_indexes) AS s
JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE s.accessed > 0
ORDER BY s.accessed DESC, n.nspname, c.relname
"""

_SIZES = """
SELECT n.nspname, c.relname, pg_relation_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'i', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""

_BUFFERS = "SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'"

Relation = tuple[str, str]


@dataclass(frozen=True)
class Warmth:
    """What was read into the cache, in bytes and relations; `missing` says why nothing more was, empty if all was."""

    relations: int
    bytes: int
    missing: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        told = f"{self.relations} tables and indexes, {self.bytes / 1e6:,.0f} MB, read into its cache"
        return f"{told} ({self.missing})" if self.missing else told


def hot_relations(connection: Connection) -> list[Relation]:
    """Return the tables and indexes that were read on this compute since its statistics began, the hottest first."""
    return [(str(schema), str(name)) for schema, name, _ in connection.execute(_HOT).fetchall()]


def warm(connection: Connection, hot: list[Relation], seconds: float = _SECONDS) -> Warmth:
    """Read `hot` into the caches of this compute, for at most `seconds`: into its buffers while there is room.

    Where pg_prewarm can't be had the branch stays cold, which is slow and not wrong: `missing` says so.
    """
    deadline = time.monotonic() + seconds
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
    except psycopg.Error as error:
        return Warmth(0, 0, f"pg_prewarm can't be had here: {type(error).__name__}")
    sizes = {(str(schema), str(name)): int(size) for schema, name, size in connection.execute(_SIZES).fetchall()}
    row = connection.execute(_BUFFERS).fetchone()
    room = int(row[0] * _SHARE_OF_BUFFERS) if row else 0
    done, read = 0, 0
    for relation in hot:
        size = sizes.get(relation, 0)
        left = deadline - time.monotonic()
        if left <= 0:
            return Warmth(done, read, f"the {seconds:.0f} s for it were over")
        # What doesn't fit into the buffers is read all the same: the layers below them cache as well.
        mode = "buffer" if size <= room else "read"
        name = sql.Literal(sql.Identifier(*relation).as_string(connection))
        try:
            connection.execute(f"SET statement_timeout = {int(left * 1000) + 1}".encode())
            connection.execute(sql.SQL("SELECT pg_prewarm({}::regclass, {})").format(name, sql.Literal(mode)))
        except psycopg.errors.QueryCanceled:
            return Warmth(done, read, f"the {seconds:.0f} s for it were over")
        except psycopg.Error as error:
            return Warmth(done, read, f"{'.'.join(relation)} could not be read: {type(error).__name__}")
        done, read = done + 1, read + size
        room -= size if mode == "buffer" else 0
    return Warmth(done, read)
