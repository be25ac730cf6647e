"""SQL as Postgres reads it: the statements of a text with their trees, those inside DO blocks too.

The trees are the JSON of libpg_query (Postgres 18's grammar), in which a node is `{"DropStmt": {…}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from environments.migrations.grammar import TooDeepError, UnreadableSqlError, parse_plpgsql, parse_sql, strings
from environments.migrations.model import Migration, Refusal

Node = Mapping[str, Any]
_EXECUTED = ("PLpgSQL_stmt_execsql", "PLpgSQL_stmt_perform", "PLpgSQL_stmt_return_query", "PLpgSQL_stmt_fors")
_LONGEST_HEAD = 70
_HIDDEN = "'***'"
_STRING = re.compile(r"'.*'?", re.DOTALL)
_QUOTED = re.compile(r"['$].*", re.DOTALL)
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
        except UnreadableSqlError as error:
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
    except UnreadableSqlError:
        return (text.strip(),) if text.strip() else ()


def nodes(tree: Any, kind: str) -> Iterator[Node]:
    """Yield every node of a kind, wherever it is in the tree, in the order of the text."""
    left: list[tuple[str, Any]] = [("", tree)]
    while left:  # a tree may have more levels than Python has calls
        key, value = left.pop()
        if isinstance(value, Mapping):
            if key == kind:
                yield value
            left += reversed(list(value.items()))
        elif isinstance(value, list):
            left += [("", each) for each in reversed(value)]


def shown(statement: Statement) -> str:
    """Return a statement's text with the strings taken out where one of them may be a password."""
    return without_passwords(statement.text) if tells_password(statement) else statement.text


def without_passwords(text: str) -> str:
    """Return SQL with its string constants hidden; if Postgres can't find their ends, hide all from the first on."""
    try:
        found = strings(text)
    except UnreadableSqlError:
        return _QUOTED.sub(_HIDDEN, text)
    raw, shown, end = text.encode(), b"", 0
    for start, after in found:
        shown += raw[end:start] + _HIDDEN.encode()
        end = after
    return (shown + raw[end:]).decode()


def _statements(text: str) -> list[tuple[str, Node, str, int]]:
    raw = text.encode()
    found = []
    for each in parse_sql(text):
        start = each.get("stmt_location", 0)
        length = each.get("stmt_len", 0) or len(raw) - start
        body = raw[start : start + length].decode()
        lead = len(body) - len(body.lstrip())
        [(kind, node)] = each["stmt"].items()
        found.append((kind, node, body[lead:].strip(), 1 + raw[:start].count(b"\n") + body[:lead].count("\n")))
    return found


def _inside(statement: Statement) -> tuple[list[Statement], bool]:
    """Return what a DO block runs, and whether that is all: SQL that is put together at run time isn't known."""
    if statement.kind == "CallStmt":
        return [], False
    if statement.kind != "DoStmt":
        return [], True
    if not any(each.get("defname") == "as" for each in nodes(statement.node, "DefElem")):
        return [], False  # it has no body, and Postgres refuses it when it runs
    try:
        tree = parse_plpgsql(statement.text)
    except UnreadableSqlError:
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
        except TooDeepError:
            whole = False
        except UnreadableSqlError:
            continue  # an expression of a loop or an assignment, no statement
    return inner, whole


def _constant(expression: str) -> str | None:
    try:
        [(_, node, _, _)] = _statements(f"SELECT {expression}")
    except (UnreadableSqlError, ValueError):
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


def _unreadable(migration: Migration, piece: str, line: int, error: UnreadableSqlError) -> Refusal:
    where = f"{migration.file}:{line + 1 + error.line}"
    if isinstance(error, TooDeepError):
        return Refusal(where, error.message, "Split it into several statements", migration.tag)
    remedy = "Correct it"
    if piece.lstrip().startswith("\\") or "\n\\" in piece:
        remedy = "Commands of psql (\\…) are no SQL: leave them out"
    return Refusal(where, f"Postgres can't read it ({_STRING.sub(_HIDDEN, error.message)})", remedy, migration.tag)
