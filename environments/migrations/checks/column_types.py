"""The types that columns have before a migration, as far as the migrations themselves tell, and which changes keep all.

A change is safe where every value of the old type is a value of the new one. What no migration tells counts as unsafe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from environments.migrations.sql import Node, Statement

Table = tuple[str, str]
_SERIAL = {"serial": "int4", "bigserial": "int8", "smallserial": "int2", "serial4": "int4", "serial8": "int8"}
_WIDER = {
    "int2": {"int4", "int8", "numeric", "float4", "float8"},
    "int4": {"int8", "numeric", "float8"},
    "int8": {"numeric"},
    "float4": {"float8"},
    "date": {"timestamp", "timestamptz"},
    "timestamp": {"timestamptz"},
    "json": {"jsonb"},
    "bpchar": {"varchar"},
    "cidr": {"inet"},
}
_TEXT = ("text", "varchar")


@dataclass(frozen=True)
class ColumnType:
    """A type by its name in the catalogue, and its modifiers: `varchar(20)` is varchar with (20)."""

    name: str
    modifiers: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Show it as SQL."""
        return f"{self.name}({', '.join(map(str, self.modifiers))})" if self.modifiers else self.name


@dataclass
class Columns:
    """Which columns there are after the statements that were taken in, and of which type."""

    types: dict[Table, dict[str, ColumnType]] = field(default_factory=dict)

    def type_of(self, table: Table, column: str) -> ColumnType | None:
        """Return a column's type, None where no migration tells it."""
        return self.types.get(table, {}).get(column)

    def take(self, statement: Statement) -> None:
        """Take in what a statement makes, changes, renames or drops."""
        node = statement.node
        match statement.kind:
            case "CreateStmt":
                columns = [each["ColumnDef"] for each in node.get("tableElts", []) if _is_typed(each)]
                self.types[table_of(node["relation"])] = {each["colname"]: type_of(each) for each in columns}
            case "AlterTableStmt" if "relation" in node:
                for command in commands(node):
                    self._alter(table_of(node["relation"]), command)
            case "RenameStmt" if "relation" in node:
                self._rename(node, table_of(node["relation"]))
            case _:
                pass

    def _alter(self, table: Table, command: Node) -> None:
        columns = self.types.setdefault(table, {})
        match command.get("subtype"):
            case "AT_AddColumn":
                definition = command["def"]["ColumnDef"]
                columns.setdefault(definition["colname"], type_of(definition))
            case "AT_AlterColumnType":
                columns[command["name"]] = type_of(command["def"]["ColumnDef"])
            case "AT_DropColumn":
                columns.pop(command["name"], None)
            case _:
                pass

    def _rename(self, node: Node, table: Table) -> None:
        if node.get("renameType") == "OBJECT_TABLE" and table in self.types:
            self.types[table[0], node["newname"]] = self.types.pop(table)
        elif node.get("renameType") == "OBJECT_COLUMN" and node["subname"] in self.types.get(table, {}):
            self.types[table][node["newname"]] = self.types[table].pop(node["subname"])


def table_of(relation: Mapping[str, Any]) -> Table:
    """Return a table's schema and name; without a schema it is public's."""
    return relation.get("schemaname", "public"), relation["relname"]


def commands(node: Node) -> list[Node]:
    """Return the parts of an ALTER TABLE."""
    return [each["AlterTableCmd"] for each in node.get("cmds", [])]


def _is_typed(element: Node) -> bool:
    """Tell whether a table's part is a column with a type; one of a partition or of a typed table has none."""
    return "typeName" in element.get("ColumnDef", {})


def type_of(definition: Node) -> ColumnType:
    """Return the type that a column's definition gives."""
    found = definition["typeName"]
    name = found["names"][-1]["String"]["sval"]
    sizes = [each.get("A_Const", {}).get("ival", {}).get("ival", 0) for each in found.get("typmods", [])]
    array = "[]" * len(found.get("arrayBounds", []))
    if name == "interval":  # its modifiers say which fields it has
        sizes = []
    return ColumnType(_SERIAL.get(name, name) + array, tuple(sizes))


def keeps_all(old: ColumnType, new: ColumnType) -> bool:
    """Tell whether every value of `old` is a value of `new`."""
    if new.name in _TEXT and not new.modifiers:
        return True
    if old.name == new.name or (old.name, new.name) in {("varchar", "bpchar"), ("bpchar", "varchar")}:
        return _holds(old, new)
    return new.name in _WIDER.get(old.name, ()) and not new.modifiers


def _holds(old: ColumnType, new: ColumnType) -> bool:
    if not new.modifiers:
        return new.name != "bpchar" or not old.modifiers or old.modifiers == (1,)
    if not old.modifiers:
        return False
    if new.name == "numeric":
        (digits, scale), (more, wider) = _numeric(old), _numeric(new)
        return wider >= scale and more - wider >= digits - scale
    return new.modifiers[0] >= old.modifiers[0]


def _numeric(type_: ColumnType) -> tuple[int, int]:
    digits, *scale = type_.modifiers
    return digits, scale[0] if scale else 0
