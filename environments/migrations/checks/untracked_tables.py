"""A database that got its tables by other means: the tool's table is empty, so that every migration counts as pending.

The run would fail with "already exists" at the first table. This check finds that before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from environments.clients.postgres import Connection
from environments.migrations.checks.column_types import table_of
from environments.migrations.model import Refusal
from environments.migrations.sql import Statement

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relname = ANY(%s)
"""


def untracked_tables(connection: Connection, statements: Iterable[Statement]) -> list[Refusal]:
    """Return, of each migration, the first table that it makes and that exists; asked where no migration ran yet."""
    makes = [
        (table_of(each.node["relation"]), each)
        for each in statements
        if each.kind == "CreateStmt" and not each.node.get("if_not_exists")
    ]
    schemas, tables = [schema for (schema, _), _ in makes], [table for (_, table), _ in makes]
    exist = {(str(schema), str(name)) for schema, name in connection.execute(_TABLES, (schemas, tables)).fetchall()}
    found: dict[str, Refusal] = {}
    for name, statement in makes:
        if name in exist:
            tag = statement.migration.tag
            rule = (
                "the database has that table already, though no migration is noted as applied: it was made by other "
                "means, such as drizzle-kit push or a dump"
            )
            remedy = f"If {tag} made it, note {tag} as applied: docs/migrations.md has the statement"
            found.setdefault(tag, Refusal(str(statement), rule, remedy, tag))
    return list(found.values())
