"""What can't run where migrations run: inside one transaction, on a connection that only takes statements.

Postgres refuses these itself, but only when it comes to them, and drizzle-kit then ends without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from environments.migrations.model import Refusal
from environments.migrations.sql import Node, Statement, nodes

_Rule = tuple[str, tuple[str, ...], Callable[[Node], bool], str]
_BY_HAND = "Leave it out of the migrations and run it by hand on the direct host"
_FIRST = "Run it by hand on the direct host first"
_OWN_RUN = "put what uses it into a migration that is added after this one was run"
_FRESH = "Postgres takes a fresh enum value only after its transaction has ended"
_REINDEXED_WHOLE = ("REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE")
_REFRESHING = (
    "ALTER_SUBSCRIPTION_REFRESH",
    "ALTER_SUBSCRIPTION_REFRESH_PUBLICATION",
    "ALTER_SUBSCRIPTION_SET_PUBLICATION",
    "ALTER_SUBSCRIPTION_ADD_PUBLICATION",
    "ALTER_SUBSCRIPTION_DROP_PUBLICATION",
)
_INSIDE = ("TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO")


def unrunnable(statements: Iterable[Statement], whose: str) -> list[Refusal]:
    """Return what of one transaction's statements can't run in it; `whose` transaction it is, in words."""
    found: list[Refusal] = []
    for statement in statements:
        rule = _outside(statement.kind, statement.node)
        if rule:
            what, remedy = rule
            reason = f"{what} can't run inside {whose} transaction"
            found.append(Refusal(str(statement), reason, remedy, statement.migration.tag))
    return found


def early_enum_values(statements: Iterable[Statement], whose: str) -> list[Refusal]:
    """Return where one transaction uses a value that it has just added to an enum.

    A value is known by its letters alone, so that the same text in another column counts too.
    """
    found: list[Refusal] = []
    made: set[str] = set()
    added: dict[str, Statement] = {}
    for statement in statements:
        if statement.kind == "CreateEnumStmt":
            made.add(_name(statement.node["typeName"]))
        elif (value := _added(statement)) and _name(statement.node["typeName"]) not in made:
            added[value] = statement
        for value in sorted(_strings(statement.node) & added.keys()):
            where = added[value].where
            rule = f"it uses {value!r}, which {where} adds to an enum inside the same {whose} transaction; {_FRESH}"
            remedy = f"Run the migration of {where} first: {_OWN_RUN}"
            found.append(Refusal(str(statement), rule, remedy, statement.migration.tag))
    return found


def _outside(kind: str, node: Node) -> tuple[str, str] | None:
    """Return what a statement is and the remedy, if it can't run inside a transaction."""
    return next(((what, remedy) for what, kinds, fits, remedy in _RULES if kind in kinds and fits(node)), None)


def _option(node: Node, name: str) -> bool:
    return any(each.get("defname") == name for each in nodes(node, "DefElem"))


def _added(statement: Statement) -> str:
    """Return the value that a statement adds to an enum, if it does; a renamed one may be used at once."""
    node = statement.node
    return str(node.get("newVal", "")) if statement.kind == "AlterEnumStmt" and not node.get("oldVal") else ""


def _name(names: list[Node]) -> str:
    return str(names[-1]["String"]["sval"])


def _strings(node: Node) -> set[str]:
    return {each["sval"]["sval"] for each in nodes(node, "A_Const") if each.get("sval", {}).get("sval")}


def _always(_: Node) -> bool:
    return True


_RULES: tuple[_Rule, ...] = (
    (
        "CREATE INDEX CONCURRENTLY",
        ("IndexStmt",),
        lambda node: bool(node.get("concurrent")),
        f"{_FIRST}, and write CREATE INDEX IF NOT EXISTS without CONCURRENTLY here, which then finds it",
    ),
    (
        "DROP INDEX CONCURRENTLY",
        ("DropStmt",),
        lambda node: bool(node.get("concurrent")),
        f"{_FIRST}, and write DROP INDEX IF EXISTS without CONCURRENTLY here",
    ),
    (
        "REINDEX CONCURRENTLY, or of a schema or database,",
        ("ReindexStmt",),
        lambda node: node.get("kind") in _REINDEXED_WHOLE or _option(node, "concurrently"),
        f"{_BY_HAND}; it changes no schema",
    ),
    (
        "VACUUM",
        ("VacuumStmt",),
        lambda node: bool(node.get("is_vacuumcmd")),
        f"{_BY_HAND}, or leave it to autovacuum; ANALYZE may stay",
    ),
    (
        "CREATE or DROP DATABASE",
        ("CreatedbStmt", "DropdbStmt"),
        _always,
        "Leave it out: databases are made through Neon",
    ),
    (
        "ALTER DATABASE SET TABLESPACE",
        ("AlterDatabaseStmt",),
        lambda node: _option(node, "tablespace"),
        "Leave it out: Neon has no tablespaces",
    ),
    (
        "CREATE or DROP TABLESPACE",
        ("CreateTableSpaceStmt", "DropTableSpaceStmt"),
        _always,
        "Leave it out: Neon has no tablespaces",
    ),
    (
        "ALTER SYSTEM",
        ("AlterSystemStmt",),
        _always,
        "Leave it out: Neon sets the server; ALTER DATABASE or ALTER ROLE … SET may do",
    ),
    (
        "CLUSTER of all tables",
        ("ClusterStmt",),
        lambda node: "relation" not in node,
        "Name one table, or run it by hand",
    ),
    ("DISCARD ALL", ("DiscardStmt",), lambda node: node.get("target") == "DISCARD_ALL", "Leave it out"),
    ("CREATE or DROP SUBSCRIPTION", ("CreateSubscriptionStmt", "DropSubscriptionStmt"), _always, _BY_HAND),
    (
        "ALTER SUBSCRIPTION with a refresh",
        ("AlterSubscriptionStmt",),
        lambda node: node.get("kind") in _REFRESHING,
        _BY_HAND,
    ),
    (
        "DETACH PARTITION CONCURRENTLY",
        ("AlterTableStmt",),
        lambda node: any(each.get("concurrent") for each in nodes(node, "PartitionCmd")),
        f"{_BY_HAND}, or leave CONCURRENTLY out, which locks the table for a moment",
    ),
    (
        "BEGIN, COMMIT or ROLLBACK",
        ("TransactionStmt",),
        lambda node: node.get("kind") not in _INSIDE,
        "Leave it out: it would end the transaction half-way, and what ran before couldn't be undone",
    ),
    (
        "COPY FROM STDIN, whose rows no runner sends,",
        ("CopyStmt",),
        lambda node: bool(node.get("is_from")) and "filename" not in node,
        "Write the rows as INSERT",
    ),
)
"""What it is, of which kinds of statement, if it fits, and what to do."""
