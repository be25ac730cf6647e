"""The note that a database bears of itself as a copy, in its comment: JSON, version 1.

While it is being filled it says from which branch; once it is whole, with which transactions the two went separate
ways. A clone of a copy bears the copy's note with the copy's id, and so counts as no copy itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection
from environments.errors import StateError
from environments.ids import BranchId, Transaction
from environments.props import decode, encode

VERSION: Final = 1
_VERSION_KEY: Final = "environments"
_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A whole copy of branch `source`: the oldest transaction there that it could lack, and the first of its own."""

    source: BranchId
    fork: Transaction
    begins: Transaction


@dataclass(frozen=True, kw_only=True)
class _Note:
    """What the database of `branch` says of itself: one of the two."""

    branch: BranchId
    filling_from: BranchId | None = None
    copied: Copied | None = None


def read_note(connection: Connection, branch: BranchId) -> Copied | None:
    """Return what the database of `branch` says of itself as a whole copy, or None if it is none.

    Raises StateError if a newer version of environments wrote the note.
    """
    note = _read(connection, branch)
    return note.copied if note else None


def being_filled(connection: Connection, branch: BranchId) -> bool:
    """Tell whether the database of `branch` is being filled, or was when that was cut short."""
    note = _read(connection, branch)
    return note is not None and note.filling_from is not None


def note_filling(owner: Connection, branch: BranchId, source: BranchId) -> None:
    """Note that `branch` is being filled from `source`: until the copy is whole, it is none."""
    _write(owner, _Note(branch=branch, filling_from=source))


def note_copied(owner: Connection, branch: BranchId, copied: Copied) -> None:
    """Note that `branch` is a whole copy."""
    _write(owner, _Note(branch=branch, copied=copied))


def _read(connection: Connection, branch: BranchId) -> _Note | None:
    row = connection.execute(_COMMENT).fetchone()
    values = _own(str(row[0] or "") if row else "")
    if values is None:
        return None
    version = values[_VERSION_KEY]
    if version > VERSION:
        raise StateError(
            f"a newer version of environments wrote the note in the database of branch {branch} (note {version}, this "
            f"one reads up to {VERSION}): install that version, then come back"
        )
    note = decode(_Note, values, f"the note in the database of branch {branch}: ")
    return note if note.branch == branch else None


def _own(comment: str) -> dict[str, Any] | None:
    """Return the values of a comment that this library wrote, or None for anybody else's."""
    try:
        values = json.loads(comment)
    except ValueError:
        return None
    return values if isinstance(values, dict) and isinstance(values.get(_VERSION_KEY), int) else None


def _write(owner: Connection, note: _Note) -> None:
    text = json.dumps({_VERSION_KEY: VERSION, **encode(note)})
    database = sql.Identifier(owner.info.dbname)
    owner.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(text)))
