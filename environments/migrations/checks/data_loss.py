"""Statements that take data away for good, or may: nothing brings it back but the restore point.

What a pending migration has made itself holds no data of users, so taking that away is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from environments.migrations.checks.column_types import Columns, Table, commands, keeps_all, table_of, type_of
from environments.migrations.sql import Node, Statement, nodes

_CASCADING = {"OBJECT_TYPE": "type", "OBJECT_DOMAIN": "domain", "OBJECT_EXTENSION": "extension"}

_STORED = ("CreateFunctionStmt", "RuleStmt", "ViewStmt", "PrepareStmt")
"""Statements that keep others for later."""


@dataclass(frozen=True)
class Loss:
    """One statement and what it takes away."""

    statement: Statement
    what: str


@dataclass
class _Made:
    """What the pending migrations have made so far."""

    schemas: set[str] = field(default_factory=set)
    tables: set[Table] = field(default_factory=set)
    columns: set[tuple[Table, str]] = field(default_factory=set)

    def take(self, statement: Statement) -> None:
        """Take in what a statement makes."""
        node = statement.node
        match statement.kind:
            case "CreateSchemaStmt" if not node.get("if_not_exists"):
                self.schemas.add(node.get("schemaname", ""))
            case "CreateStmt" if not node.get("if_not_exists"):
                self.tables.add(table_of(node["relation"]))
            case "CreateTableAsStmt" if not node.get("if_not_exists"):
                self.tables.add(table_of(node["into"]["rel"]))
            case "AlterTableStmt" if "relation" in node:
                added = [each for each in commands(node) if each.get("subtype") == "AT_AddColumn"]
                names = [each["def"]["ColumnDef"]["colname"] for each in added if not each.get("missing_ok")]
                self.columns |= {(table_of(node["relation"]), name) for name in names}
            case _:
                pass

    def has(self, table: Table, column: str = "") -> bool:
        return table in self.tables or table[0] in self.schemas or (table, column) in self.columns


def losses(applied: Iterable[Statement], pending: Iterable[Statement]) -> list[Loss]:
    """Return what the pending statements take away; the applied ones tell of which type columns are."""
    columns, made = Columns(), _Made()
    for statement in applied:
        columns.take(statement)
    found: list[Loss] = []
    for statement in pending:
        found += [Loss(statement, what) for what in _taken(statement, columns, made)]
        columns.take(statement)
        made.take(statement)
    return found


def _taken(statement: Statement, columns: Columns, made: _Made) -> list[str]:
    node = statement.node
    match statement.kind:
        case "DropStmt":
            return _dropped(node, made)
        case "TruncateStmt":
            tables = [table_of(each["RangeVar"]) for each in node["relations"]]
            more = " and every table that refers to it" if node.get("behavior") == "DROP_CASCADE" else ""
            return [f"every row of {_shown(each)}{more}" for each in tables if more or not made.has(each)]
        case "AlterTableStmt" if "relation" in node:
            table = table_of(node["relation"])
            lost = [_altered(table, each, columns, made) for each in commands(node)]
            return [each for each in lost if each]
        case "DropOwnedStmt":
            return ["everything that a role owns"]
        case _:
            return _rows(statement, made)


def _dropped(node: Node, made: _Made) -> list[str]:
    kind, cascades = node["removeType"], node.get("behavior") == "DROP_CASCADE"
    if kind not in ("OBJECT_TABLE", "OBJECT_SCHEMA", *_CASCADING):
        return []
    names = [_names(each) for each in node["objects"]]
    if kind == "OBJECT_TABLE":
        tables = [(each[-2] if len(each) > 1 else "public", each[-1]) for each in names]
        return [f"the table {_shown(each)} with its rows" for each in tables if not made.has(each)]
    if kind == "OBJECT_SCHEMA":
        return [f"the schema {each[-1]} with its tables" for each in names if each[-1] not in made.schemas]
    if kind in _CASCADING and cascades:
        return [f"every column of the {_CASCADING[kind]} {'.'.join(each)}" for each in names]
    return []


def _altered(table: Table, command: Node, columns: Columns, made: _Made) -> str:
    name = command.get("name", "")
    if made.has(table, name):
        return ""
    if command.get("subtype") == "AT_DropColumn":
        return f"the column {name} of {_shown(table)}"
    if command.get("subtype") == "AT_AlterColumnType":
        old, new = columns.type_of(table, name), type_of(command["def"]["ColumnDef"])
        by_hand = not _plain(command["def"]["ColumnDef"].get("raw_default"), name)
        if by_hand:
            return f"what its USING leaves out of {_shown(table)}.{name}"
        if old is None and str(new) not in ("text", "varchar"):
            return f"values of {_shown(table)}.{name} that are no {new} (no migration tells which type it has)"
        if old is not None and not keeps_all(old, new):
            return f"values of {_shown(table)}.{name} that fit {old} and not {new}: cut or rounded, if it doesn't fail"
    return ""


def _plain(using: Node | None, column: str) -> bool:
    """Tell whether USING only casts the column, as drizzle-kit writes it."""
    if using is None:
        return True
    inner = using.get("TypeCast", {}).get("arg", using)
    fields = inner.get("ColumnRef", {}).get("fields", [])
    return len(fields) == 1 and fields[0].get("String", {}).get("sval") == column


def _rows(statement: Statement, made: _Made) -> list[str]:
    """Return the rows that a statement deletes or overwrites without saying which, in its WITH parts too."""
    tree = {} if statement.kind in _STORED else {statement.kind: statement.node}
    found: list[str] = []
    for node in nodes(tree, "DeleteStmt"):
        table = table_of(node["relation"])
        if not _chosen(node) and not made.has(table):
            found.append(f"every row of {_shown(table)}")
    for node in nodes(tree, "UpdateStmt"):
        table = table_of(node["relation"])
        names = [each["ResTarget"]["name"] for each in node["targetList"]]
        lost = [each for each in names if not made.has(table, each)]
        if lost and not _chosen(node):
            found.append(f"what every row of {_shown(table)} had in {', '.join(lost)}")
    merged = [each for each in nodes(tree, "MergeWhenClause") if each.get("commandType") == "CMD_DELETE"]
    return found + ["the rows that MERGE deletes without a condition" for each in merged if "condition" not in each]


def _chosen(node: Node) -> bool:
    where = node.get("whereClause")
    always = where is not None and where.get("A_Const", {}).get("boolval", {}).get("boolval") is True
    return where is not None and not always


def _names(node: Node) -> list[str]:
    if "String" in node:
        return [str(node["String"]["sval"])]
    found = node["List"]["items"] if "List" in node else node["TypeName"]["names"]
    return [str(each["String"]["sval"]) for each in found]


def _shown(table: Table) -> str:
    return table[1] if table[0] == "public" else ".".join(table)
