"""What is worth knowing before a migration runs, and stops none: rewrites, rights that a fence can't take, limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from environments.migrations.checks.column_types import Columns, ColumnType, commands, table_of, type_of
from environments.migrations.sql import Node, Statement, nodes, tells_password

Place = tuple[str, str, int]
_OF_TYPE = ("changing-column-type", "prefer-text-field")
_OF_DEFAULT = ("adding-field-with-default",)
_OF_CONSTRAINT = ("constraint-missing-not-valid", "adding-foreign-key-constraint")
_MISTAKABLE = (*_OF_TYPE, *_OF_DEFAULT, *_OF_CONSTRAINT)
"""squawk applies these rules to every change of a type, generated column and constraint; some of them touch no row."""

_LIMITS = ("lock_timeout", "statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")
_FIXED = {"now", "transaction_timestamp", "statement_timestamp", "current_setting", "to_timestamp", "lower", "upper"}
"""Functions that give one value to the whole statement, so that a default of theirs is stored once."""

_WHOLE = {"AT_SetLogged": "SET LOGGED", "AT_SetUnLogged": "SET UNLOGGED", "AT_SetAccessMethod": "SET ACCESS METHOD"}
_SERIALS = ("serial", "bigserial", "smallserial", "serial4", "serial8", "serial2")


def warnings_of(statements: Iterable[Statement]) -> list[str]:
    """Return what to know of statements, each with its place."""
    return [f"{each}: {warning}" for each in statements for warning in _warnings(each)]


def opaque(statements: Iterable[Statement]) -> list[str]:
    """Return a warning for each statement that hides what it does until it runs."""
    return [f"{each}: its SQL is put together when it runs, so nobody can judge it before" for each in statements]


def rewrites(applied: Iterable[Statement], pending: Iterable[Statement]) -> tuple[list[str], set[Place]]:
    """Return warnings for what rewrites an existing table, and where squawk is mistaken: rule, file and line."""
    columns = Columns()
    for statement in applied:
        columns.take(statement)
    there = set(columns.types)
    warnings: list[str] = []
    mistaken: set[Place] = set()
    right: set[Place] = set()
    for statement in pending:
        node = statement.node
        if statement.kind == "AlterTableStmt" and "relation" in node:
            table = table_of(node["relation"])
            why = [_rewrite(table, each, columns) for each in commands(node)]
            cheap = [_cheap(each, rewritten) for each, rewritten in zip(commands(node), why, strict=True)]
            for rule in _MISTAKABLE:
                (mistaken if all(rule in each for each in cheap) else right).update(_places(rule, statement))
            if table in there or table not in columns.types:
                warnings += [f"{statement}: {each} and locks readers out meanwhile" for each in why if each]
        columns.take(statement)
    return warnings, mistaken - right


def _cheap(command: Node, rewritten: str) -> tuple[str, ...]:
    """Return the rules of squawk that don't hold for a part of an ALTER TABLE, which reads and writes no row."""
    match command.get("subtype"):
        case "AT_AlterColumnType" if not rewritten:
            return _OF_TYPE
        case "AT_AddColumn" if _virtual(command["def"]["ColumnDef"]):
            return _OF_DEFAULT
        case "AT_AddConstraint" if _unenforced(command["def"]["Constraint"]):
            return _OF_CONSTRAINT
        case _:
            return ()


def _places(rule: str, statement: Statement) -> Iterator[Place]:
    for line in range(statement.line, statement.line + statement.text.count("\n") + 1):
        yield rule, statement.migration.file, line


def _virtual(definition: Node) -> bool:
    """Tell whether a column is computed when it is read, and nothing has to hold for it."""
    constraints = [each["Constraint"] for each in definition.get("constraints", [])]
    return [(each["contype"], each.get("generated_kind")) for each in constraints] == [("CONSTR_GENERATED", "v")]


def _unenforced(constraint: Node) -> bool:
    return constraint["contype"] in ("CONSTR_CHECK", "CONSTR_FOREIGN") and not constraint.get("is_enforced")


def _rewrite(table: tuple[str, str], command: Node, columns: Columns) -> str:
    kind = command.get("subtype", "")
    if kind == "AT_AlterColumnType":
        old, new = columns.type_of(table, command["name"]), type_of(command["def"]["ColumnDef"])
        return "" if old and _same_bytes(old, new) else f"it rewrites every row of {table[1]}"
    if kind in _WHOLE:
        return f"{_WHOLE[kind]} rewrites every row of {table[1]}"
    if kind == "AT_AddColumn" and _computed(command["def"]["ColumnDef"]):
        return f"its value differs from row to row, so it rewrites every row of {table[1]}"
    return ""


def _same_bytes(old: ColumnType, new: ColumnType) -> bool:
    """Tell whether Postgres keeps the rows as they are: texts that may be longer, numbers with more digits before."""
    textual = old.name in ("varchar", "text") and new.name in ("varchar", "text")
    longer = not new.modifiers or (bool(old.modifiers) and new.modifiers[0] >= old.modifiers[0])
    if textual:
        return longer
    if old.name == new.name == "numeric":
        return not new.modifiers or (bool(old.modifiers) and longer and old.modifiers[1:] == new.modifiers[1:])
    return old == new


def _computed(definition: Node) -> bool:
    if definition["typeName"]["names"][-1]["String"]["sval"] in _SERIALS:
        return True
    for constraint in (each["Constraint"] for each in definition.get("constraints", [])):
        if constraint["contype"] == "CONSTR_IDENTITY":
            return True
        if constraint["contype"] == "CONSTR_GENERATED" and constraint.get("generated_kind") != "v":
            return True
        if constraint["contype"] == "CONSTR_DEFAULT" and any(
            each["funcname"][-1]["String"]["sval"] not in _FIXED for each in nodes(constraint, "FuncCall")
        ):
            return True
    return False


def _warnings(statement: Statement) -> list[str]:
    node, found = statement.node, []
    match statement.kind:
        case "VariableSetStmt" if node.get("name") in _LIMITS:
            found.append(f"it sets {node['name']}, which replaces the run's own limit")
        case "VariableSetStmt" if node.get("name") in ("role", "session_authorization"):
            found.append("tables made after it belong to another role, and the app's role gets no rights on them")
        case "AlterOwnerStmt":
            found.append("the owner can't change what belongs to another role, in the next migration either")
        case "GrantStmt" if node.get("is_grant") and _to_public(node):
            found.append(
                "a fence can't take a right away from PUBLIC: if it is a right to write, no promotion leaves the branch"
            )
        case "CreateFunctionStmt" if _with_owners_rights(node):
            found.append("a function with its owner's rights writes through any fence, so it stops a promotion")
        case "AlterTableStmt":
            kinds = [each.get("subtype") for each in commands(node)]
            if "AT_ChangeOwner" in kinds:
                found.append("the app's role gets no rights on a table of another role")
            if "AT_SetUnLogged" in kinds:
                found.append("an unlogged table loses its rows when its compute restarts")
        case _:
            pass
    if tells_password(statement):
        found.append("it holds a password, which everybody who can read the repository can use")
    return found


def _to_public(node: Node) -> bool:
    return any(each.get("roletype") == "ROLESPEC_PUBLIC" for each in nodes(node.get("grantees", []), "RoleSpec"))


def _with_owners_rights(node: Node) -> bool:
    return any(
        each.get("defname") == "security" and each.get("arg", {}).get("Boolean", {}).get("boolval") is True
        for each in nodes(node.get("options", []), "DefElem")
    )
