"""What a database holds, so that its copy can be compared with it: its objects by name, and a sum over every row.

The sums are of the rows' texts, which are the same in every version of Postgres from 12 on; the objects' own texts
aren't (each version writes a view's query in its own way), so objects count by name, and columns by type as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection
from environments.database.schemas import user_schemas

_MOST_SHOWN = 5

_LIKE_ANYWHERE = """
SET search_path = ''; SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres';
SET bytea_output = 'hex'; SET extra_float_digits = 1; SET lc_monetary = 'C'; SET row_security = off;
SET statement_timeout = 0
"""

_OBJECTS = """
WITH schemas AS (
    SELECT oid, quote_ident(nspname) AS name FROM pg_catalog.pg_namespace WHERE nspname = ANY(%(schemas)s)
), of_extensions AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), relations AS (
    SELECT c.oid, format('%%s.%%I', s.name, c.relname) AS name, c.relkind FROM pg_catalog.pg_class c
    JOIN schemas s ON s.oid = c.relnamespace
    WHERE c.relkind NOT IN ('t', 'c')
      AND (1259, c.oid) NOT IN (SELECT classid::int, objid FROM of_extensions)
)
SELECT 'schema ' || name FROM schemas
UNION ALL SELECT 'extension ' || extname FROM pg_catalog.pg_extension WHERE extname <> ALL(%(service)s)
UNION ALL SELECT format('%%s %%s', CASE relkind
    WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
    WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'index' END, name) FROM relations
UNION ALL SELECT format('column %%s.%%I %%s%%s%%s', r.name, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN ' not null' END, CASE WHEN a.atthasdef THEN ' with default' END)
    FROM pg_catalog.pg_attribute a JOIN relations r ON r.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL SELECT format('constraint %%I on %%s%%s', k.conname, r.name,
        CASE WHEN NOT k.convalidated THEN ' not valid' END)
    FROM pg_catalog.pg_constraint k JOIN relations r ON r.oid = k.conrelid WHERE k.contype <> 'n'
UNION ALL SELECT format('valid index %%s', r.name)
    FROM pg_catalog.pg_index i JOIN relations r ON r.oid = i.indexrelid WHERE i.indisvalid
UNION ALL SELECT format('trigger %%I on %%s (%%s)', t.tgname, r.name, t.tgenabled)
    FROM pg_catalog.pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT format('policy %%I on %%s', p.polname, r.name)
    FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid
UNION ALL SELECT format('row level security on %%s%%s', r.name, CASE WHEN c.relforcerowsecurity THEN ' (forced)' END)
    FROM pg_catalog.pg_class c JOIN relations r ON r.oid = c.oid WHERE c.relrowsecurity
UNION ALL SELECT 'function ' || p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc p
    JOIN schemas s ON s.oid = p.pronamespace
    WHERE (1255, p.oid) NOT IN (SELECT classid::int, objid FROM of_extensions)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 1255 AND d.objid = p.oid AND d.deptype = 'i')
UNION ALL SELECT format('type %%s.%%I%%s', s.name, t.typname, (
        SELECT ' of ' || string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
    FROM pg_catalog.pg_type t JOIN schemas s ON s.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r') AND (1247, t.oid) NOT IN (SELECT classid::int, objid FROM of_extensions)
UNION ALL SELECT 'publication ' || quote_ident(pubname) FROM pg_catalog.pg_publication
"""

_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY(%s)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e'
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY(e.extconfig)))
ORDER BY 1, 2
"""
"""An extension's own tables hold what the extension put there, unless it says that their rows are its user's."""

_ROWS = """
SELECT count(*), coalesce(sum(('x' || left(md5(environments_row::text), 16))::bit(64)::bigint::numeric), 0)::text
FROM ONLY {} AS environments_row
"""

_LARGE_OBJECTS = """
SELECT count(*), coalesce(sum(('x' || left(md5(oid || md5(lo_get(oid))), 16))::bit(64)::bigint::numeric), 0)::text
FROM pg_catalog.pg_largeobject_metadata
"""

_SEQUENCES = """
SELECT format('%%I.%%I', schemaname, sequencename), last_value, increment_by FROM pg_catalog.pg_sequences
WHERE schemaname = ANY(%s)
"""

SERVICE_EXTENSIONS = ["neon", "pg_prewarm", "pg_stat_statements"]
"""What a service or a warm-up may add to a database, and what holds none of its data."""


@dataclass(frozen=True)
class Contents:
    """Objects by their description, tables with rows and sum, sequences with their last value and increment."""

    objects: frozenset[str]
    tables: Mapping[str, tuple[int, str]]
    sequences: Mapping[str, tuple[int | None, int]]

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(rows for rows, _ in self.tables.values())


def read_contents(connection: Connection) -> Contents:
    """Read every row; in a transaction with one snapshot, what is found is of one moment (but for the sequences)."""
    schemas = user_schemas(connection)
    for statement in _LIKE_ANYWHERE.split(";"):
        connection.execute(statement.strip().encode())
    found = connection.execute(_OBJECTS, {"schemas": schemas, "service": SERVICE_EXTENSIONS}).fetchall()
    sequences = {
        str(name): (last, int(step)) for name, last, step in connection.execute(_SEQUENCES, (schemas,)).fetchall()
    }
    tables = {}
    for schema, table in connection.execute(_TABLES, (schemas,)).fetchall():
        row = connection.execute(sql.SQL(_ROWS).format(sql.Identifier(str(schema), str(table)))).fetchone()
        tables[f"{schema}.{table}"] = (int(row[0]), str(row[1])) if row else (0, "")
    large = connection.execute(_LARGE_OBJECTS).fetchone()
    if large and large[0]:
        tables["large objects"] = (int(large[0]), str(large[1]))
    return Contents(frozenset(str(line) for (line,) in found), tables, sequences)


def differences(source: Contents, copy: Contents) -> list[str]:
    """Return in what `copy` differs from `source`: what is missing, too much or not the same; empty if nothing does."""
    found = [f"{line} is missing" for line in sorted(source.objects - copy.objects)]
    found += [f"only the copy has {line}" for line in sorted(copy.objects - source.objects)]
    for table in sorted(source.tables.keys() | copy.tables.keys()):
        was, now = source.tables.get(table, (0, "0")), copy.tables.get(table, (0, "0"))
        if was[0] != now[0]:
            found.append(f"{table} has {now[0]:,} rows and not {was[0]:,}")
        elif was != now:
            found.append(f"{table} has {now[0]:,} rows, but not the same ones")
    for name, (was_at, step) in sorted(source.sequences.items()):
        now_at = copy.sequences.get(name, (None, step))[0]
        if was_at is not None and (now_at is None or (now_at - was_at) * step < 0):
            found.append(
                f"sequence {name} stands at {now_at}, behind its source: it would give out values a second time"
            )
    return found


def first_few(found: list[str]) -> str:
    """Say the first few of many differences in one line."""
    more = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    return "; ".join(found[:_MOST_SHOWN]) + more
