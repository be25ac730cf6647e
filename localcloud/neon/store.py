"""The control plane's memory in SQLite: it survives a SIGKILL at any moment, and needs no schema by hand.

The tables follow the records' fields; a field added later becomes a column with the field's default.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from localcloud.neon.records import Branch, Database, Endpoint, Json, Operation, Project, Role

Record = Project | Branch | Endpoint | Role | Database | Operation
T = TypeVar("T", Project, Branch, Endpoint, Role, Database, Operation)

_KEYS: dict[type[Record], tuple[str, ...]] = {
    Project: ("id",),
    Branch: ("id",),
    Endpoint: ("id",),
    Role: ("branch_id", "name"),
    Database: ("branch_id", "name"),
    Operation: ("id",),
}
_TYPES: dict[type[Record], dict[str, Any]] = {kind: get_type_hints(kind) for kind in _KEYS}


class Store:
    """Records by type and by the values of their fields."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._depth = 0
        # A power cut may lose the last commits; the death of a process loses none.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        for kind, key in _KEYS.items():
            self._make_table(kind, key)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nests. Never await inside it."""
        self._depth += 1
        try:
            if self._depth == 1:
                self._connection.execute("BEGIN IMMEDIATE")
            yield
            if self._depth == 1:
                self._connection.execute("COMMIT")
        except BaseException:
            if self._depth == 1:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._depth -= 1

    def put(self, *records: Record) -> None:
        """Insert, or replace what has the same key."""
        with self.transaction():
            for record in records:
                values = {name: _encode(value) for name, value in vars(record).items()}
                marks = ", ".join("?" for _ in values)
                self._connection.execute(
                    f"INSERT OR REPLACE INTO {_table(type(record))} ({', '.join(values)}) VALUES ({marks})",  # noqa: S608 - the names are our own fields
                    tuple(values.values()),
                )

    def remove(self, *records: Record) -> None:
        """Delete by key."""
        with self.transaction():
            for record in records:
                key = _KEYS[type(record)]
                self._connection.execute(
                    f"DELETE FROM {_table(type(record))} WHERE {' AND '.join(f'{name} = ?' for name in key)}",  # noqa: S608 - the same
                    tuple(getattr(record, name) for name in key),
                )

    def all(self, kind: type[T], **where: str | int | bool | None) -> list[T]:
        """The records whose fields have these values, in the order of their making."""
        condition = " AND ".join(f"{name} IS ?" for name in where) or "1"
        rows = self._connection.execute(
            f"SELECT * FROM {_table(kind)} WHERE {condition} ORDER BY created_at, rowid",  # noqa: S608 - the same
            tuple(where.values()),
        )
        return [kind(**{name: _decode(_TYPES[kind][name], row[name]) for name in _TYPES[kind]}) for row in rows]

    def one(self, kind: type[T], **where: str | int | bool | None) -> T | None:
        """The only record with these values, if there is one."""
        found = self.all(kind, **where)
        return found[0] if found else None

    def _make_table(self, kind: type[Record], key: tuple[str, ...]) -> None:
        table = _table(kind)
        columns = ", ".join(f"{field.name}" for field in dataclasses.fields(kind))
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({', '.join(key)}))")
        present = {row["name"] for row in self._connection.execute(f"PRAGMA table_info({table})")}
        for field in dataclasses.fields(kind):
            if field.name not in present:
                self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {field.name}")
                if field.default is not dataclasses.MISSING:
                    self._connection.execute(f"UPDATE {table} SET {field.name} = ?", (_encode(field.default),))  # noqa: S608 - the same


def _table(kind: type[Record]) -> str:
    return kind.__name__.lower()


def _encode(value: object) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _decode(declared: Any, value: Any) -> Any:
    if declared == Json:
        return json.loads(value)
    return bool(value) if declared is bool else value
