"""Warming a new branch's cache, before visitors come, with the pages that were hot on the branch that served.

A clone starts with a cold cache. Which tables and indexes were hot is in the statistics of the compute that served
until now; pg_prewarm reads them into the new one, the hottest first, until its shared buffers are full or the time is
up. Of the hottest one that doesn't fit, the end is read into what room is left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection

_SECONDS = 30.0
_SHARE_OF_BUFFERS = 0.9
_BLOCK = 8192
_LATE = "the time for it was over"

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
class Prewarmed:
    """What was read into the cache, in relations and bytes; `missing` says why not more was, empty if all was."""

    relations: int
    bytes: int
    missing: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        read = f"{self.relations} tables and indexes, {self.bytes / 1e6:,.0f} MB, read into its cache"
        return f"{read} ({self.missing})" if self.missing else read


def hot_relations(connection: Connection) -> list[Relation]:
    """Return the tables and indexes that were read on this compute since its statistics began, the hottest first."""
    return [(str(schema), str(name)) for schema, name, _ in connection.execute(_HOT).fetchall()]


def prewarm(connection: Connection, hot: list[Relation], seconds: float = _SECONDS) -> Prewarmed:
    """Read `hot` into the caches of this compute, for at most `seconds`: into its buffers while there is room.

    Without pg_prewarm the branch stays cold, which is slow and not wrong: `missing` says so.
    """
    deadline = time.monotonic() + seconds
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
    except psycopg.Error as error:
        return Prewarmed(0, 0, f"the extension pg_prewarm isn't available: {type(error).__name__}")
    sizes = {(str(schema), str(name)): int(size) for schema, name, size in connection.execute(_SIZES).fetchall()}
    row = connection.execute(_BUFFERS).fetchone()
    room = int(row[0] * _SHARE_OF_BUFFERS) if row else 0
    done, read = 0, 0
    too_large: Relation | None = None
    for relation in hot:
        size = sizes.get(relation, 0)
        fits = size <= room
        # What doesn't fit into the buffers is read all the same: the layers below them cache as well.
        if problem := _read_in(connection, relation, deadline, "buffer" if fits else "read"):
            return Prewarmed(done, read, problem)
        done, read = done + 1, read + size
        if fits:
            room -= size
        else:
            too_large = too_large or relation
    missing = ""
    if too_large:
        # Postgres can't say which of its rows are hot; the newest ones are at the end.
        first = (sizes[too_large] - room) // _BLOCK
        missing = _read_in(connection, too_large, deadline, "buffer", first)
    return Prewarmed(done, read, missing)


def _read_in(connection: Connection, relation: Relation, deadline: float, mode: str, first: int = 0) -> str:
    """Read a relation from block `first` on; return why that was not done, or nothing."""
    left = deadline - time.monotonic()
    if left <= 0:
        return _LATE
    name = sql.Literal(sql.Identifier(*relation).as_string(connection))
    call = sql.SQL("SELECT pg_prewarm({}::regclass, {}, 'main', {})")
    try:
        connection.execute(f"SET statement_timeout = {int(left * 1000) + 1}".encode())
        connection.execute(call.format(name, sql.Literal(mode), sql.Literal(first)))
    except psycopg.errors.QueryCanceled:
        return _LATE
    except psycopg.Error as error:
        return f"{'.'.join(relation)} could not be read: {type(error).__name__}"
    return ""
