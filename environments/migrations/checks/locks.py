"""Work on many rows while the same transaction keeps visitors out of their table: in a run of its own it would not.

A lock is kept until its transaction ends, and drizzle runs all that is pending in one.
"""

from __future__ import annotations

from collections.abc import Iterable

from environments.migrations.checks.column_types import Table, commands, table_of
from environments.migrations.sql import Statement

_EXCLUSIVE = frozenset({
    "AT_AddColumn",
    "AT_DropColumn",
    "AT_AlterColumnType",
    "AT_ColumnDefault",
    "AT_SetNotNull",
    "AT_DropNotNull",
    "AT_DropConstraint",
})  # fmt: skip
"""Parts of an ALTER TABLE that lock readers out, for a moment if nothing follows."""

_WORK = ("UpdateStmt", "DeleteStmt", "IndexStmt")


def held_locks(transaction: Iterable[Statement]) -> list[str]:
    """Return a warning for the first statement of each table that works on its rows while readers are locked out."""
    made: set[Table] = set()
    locked: dict[Table, Statement] = {}
    warnings: dict[Table, str] = {}
    for statement in transaction:
        node = statement.node
        if statement.kind == "CreateStmt":
            made.add(table_of(node["relation"]))
        if "relation" not in node:
            continue
        table = table_of(node["relation"])
        if statement.kind == "AlterTableStmt" and any(each.get("subtype") in _EXCLUSIVE for each in commands(node)):
            locked.setdefault(table, statement)
        elif statement.kind in _WORK and table in locked and table not in made:
            warnings.setdefault(
                table,
                f"{statement}: it runs in the transaction in which {locked[table].where} locks readers and writers "
                f"out of {table[1]}, and they wait until both are done: bring it in a pulumi up of its own",
            )
    return list(warnings.values())
