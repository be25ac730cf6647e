"""SQL as Postgres reads it: the statements of a text with their trees, those inside DO blocks too.

The trees are the JSON of libpg_query (Postgres 18's grammar), in which a node is `{"DropStmt": {…}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from environments.clients.lazy_imports import pglast
from environments.migrations.model import Migration, Refusal

Node = Mapping[str, Any]
_EXECUTED = ("PLpgSQL_stmt_execsql", "PLpgSQL_stmt_perform", "PLpgSQL_stmt_return_query", "PLpgSQL_stmt_fors")
_LONGEST_HEAD = 70
_HIDDEN = "'***'"
_STRING = re.compile(r"'.*'?", re.DOTALL)
_CREDENTIALS = re.compile(r"://[^\s/@:]*:[^\s/@]+@|password=", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One statement of a migration: its kind and tree, its text, and the line of the file on which it begins."""

    migration: Migration
    kind: str
    node: Node
    text: str
    line: int

    @property
    def where(self) -> str:
        """Where it stands, as editors understand it."""
        return f"{self.migration.file}:{self.line}"

    def __str__(self) -> str:
        """Show where it stands and how it begins; what follows may be long, or hold a password."""
        head = " ".join(shown(self).split())
        return f"{self.where} {head if len(head) <= _LONGEST_HEAD else head[: _LONGEST_HEAD - 1] + '…'}"


@dataclass(frozen=True)
class Parsed:
    """A migration's statements in order, why some can't be read, and what of it only shows when it runs."""

    statements: tuple[Statement, ...]
    refusals: tuple[Refusal, ...]
    opaque: tuple[Statement, ...]


def parse(migration: Migration) -> Parsed:
    """Read what the tool will send, piece by piece."""
    statements: list[Statement] = []
    refusals: list[Refusal] = []
    opaque: list[Statement] = []
    end = 0
    for piece in migration.statements:
        start = max(migration.text.find(piece, end), 0)
        end = start + len(piece)
        line = migration.text.count("\n", 0, start)
        try:
            found = [
                Statement(migration, kind, node, text, line + below) for kind, node, text, below in _statements(piece)
            ]
        except pglast.parser.ParseError as error:
            refusals.append(_unreadable(migration, piece, line, error))
            continue
        for each in found:
            inner, whole = _inside(each)
            statements += [each, *inner]
            if not whole:
                opaque.append(each)
    return Parsed(tuple(statements), tuple(refusals), tuple(opaque))


def split(text: str) -> tuple[str, ...]:
    """Return the statements of a text; the text as it is where Postgres can't read it."""
    try:
        return tuple(each for _, _, each, _ in _statements(text))
    except pglast.parser.ParseError:
        return (text.strip(),) if text.strip() else ()


def nodes(tree: Any, kind: str) -> Iterator[Node]:
    """Yield every node of a kind, wherever in the tree."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key == kind and isinstance(value, Mapping):
                yield value
            yield from nodes(value, kind)
    elif isinstance(tree, list):
        for each in tree:
            yield from nodes(each, kind)


def shown(statement: Statement) -> str:
    """Return a statement's text with the strings taken out where one of them may be a password."""
    return without_passwords(statement.text) if tells_password(statement) else statement.text


def without_passwords(text: str) -> str:
    """Return SQL with every string constant hidden."""
    shown, end = [], 0
    for token in pglast.parser.scan(text):
        if token.name in ("SCONST", "USCONST"):
            shown += [text[end : token.start], _HIDDEN]
            end = token.end + 1
    return "".join([*shown, text[end:]])


def _statements(text: str) -> list[tuple[str, Node, str, int]]:
    raw = text.encode()
    found = []
    for each in json.loads(pglast.parser.parse_sql_json(text))["stmts"]:
        start = each.get("stmt_location", 0)
        length = each.get("stmt_len", 0) or len(raw) - start
        body = raw[start : start + length].decode()
        lead = len(body) - len(body.lstrip())
        [(kind, node)] = each["stmt"].items()
        found.append((kind, node, body[lead:].strip(), 1 + raw[:start].count(b"\n") + body[:lead].count("\n")))
    return found


def _inside(statement: Statement) -> tuple[list[Statement], bool]:
    """Return what a DO block runs, and whether that is all: SQL that is put together at run time can't be told."""
    if statement.kind == "CallStmt":
        return [], False
    if statement.kind != "DoStmt":
        return [], True
    try:
        tree = json.loads(pglast.parser.parse_plpgsql_json(statement.text))
    except pglast.parser.ParseError:
        return [], False
    queries = [
        each["query"] for kind in _EXECUTED for node in nodes(tree, kind) for each in nodes(node, "PLpgSQL_expr")
    ]
    whole = True
    for dynamic in nodes(tree, "PLpgSQL_stmt_dynexecute"):
        constant = _constant(dynamic["query"]["PLpgSQL_expr"]["query"])
        queries += [constant] if constant is not None else []
        whole = whole and constant is not None
    inner: list[Statement] = []
    for query in dict.fromkeys(queries):
        try:
            inner += [Statement(statement.migration, k, n, t, statement.line) for k, n, t, _ in _statements(query)]
        except pglast.parser.ParseError:
            continue  # an expression of a loop or an assignment, no statement
    return inner, whole


def _constant(expression: str) -> str | None:
    try:
        [(_, node, _, _)] = _statements(f"SELECT {expression}")
    except (pglast.parser.ParseError, ValueError):
        return None
    value = node["targetList"][0]["ResTarget"]["val"]
    found = value.get("A_Const", {}).get("sval", {}).get("sval")
    return found if isinstance(found, str) else None


def tells_password(statement: Statement) -> bool:
    """Tell whether a string of the statement may be a password."""
    if any(_CREDENTIALS.search(each.get("sval", {}).get("sval", "")) for each in nodes(statement.node, "A_Const")):
        return True
    if statement.kind in ("CreateRoleStmt", "AlterRoleStmt"):
        return any(option["defname"] == "password" for option in nodes(statement.node, "DefElem"))
    return statement.kind in (
        "CreateUserMappingStmt",
        "AlterUserMappingStmt",
        "CreateSubscriptionStmt",
        "AlterSubscriptionStmt",
        "DoStmt",
    ) and ("password" in statement.text.lower())


def _unreadable(migration: Migration, piece: str, line: int, error: Any) -> Refusal:
    message, at = error.args[0], error.args[1] if len(error.args) > 1 else 0
    line += 1 + piece.count("\n", 0, at)
    remedy = "Correct it"
    if piece.lstrip().startswith("\\") or "\n\\" in piece:
        remedy = "Commands of psql (\\…) are no SQL: leave them out"
    return Refusal(
        f"{migration.file}:{line}", f"Postgres can't read it ({_STRING.sub(_HIDDEN, message)})", remedy, migration.tag
    )
