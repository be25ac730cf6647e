"""The receipt of a rehearsal: how long it took, which locks it held, how many rows it left, and for what it holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from environments.database.lost_rights import Comparison
from environments.ids import BranchId
from environments.migrations.rehearsal.locks import HeldLock
from environments.migrations.result import StatementTime
from environments.migrations.session import Limits

if TYPE_CHECKING:
    from environments.migrations.run import Pending

_VALID = timedelta(days=7)
"""A rehearsal older than this says little of what production is today."""


@dataclass(frozen=True, kw_only=True)
class TableCount:
    """How many rows a table had before and after; None where it did not exist, or nobody had the time to count it."""

    table: str
    before: int | None
    after: int | None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a rehearsal came to; `digest` says of which files on a copy of which branch, `at` when it ended.

    `seconds` is the transaction's own time, `overhead` that of making, filling, counting and deleting the copy.
    `rights` is what the app's logins lost.
    """

    digest: str
    at: str
    seconds: float
    overhead: float
    statements: tuple[StatementTime, ...]
    locks: tuple[HeldLock, ...]
    rows: tuple[TableCount, ...]
    rights: Comparison = field(default_factory=Comparison)

    def holds_for(self, digest: str) -> bool:
        """Tell whether another rehearsal of what has this digest is needless."""
        return self.digest == digest and datetime.now(UTC) - datetime.fromisoformat(self.at) < _VALID

    def __str__(self) -> str:
        """Show how long it took, which locks visitors would wait for, the longest first, and which tables grew."""
        lines = [f"rehearsed on a copy in {self.seconds:.2f} s ({self.overhead:.1f} s more for making and counting it)"]
        lines += [
            f"  {lock.seconds:8.3f} s  {lock.table}: {lock.blocks} wait ({lock.mode})"
            for lock in self.locks
            if lock.blocks
        ]
        lines += [] if len(lines) > 1 else ["  no lock that visitors wait for"]
        lines += [
            f"  {'no' if each.before is None else each.before} -> {'none' if each.after is None else each.after} rows"
            f"  {each.table}"
            for each in self.rows
            if each.before != each.after
        ]
        return "\n".join(lines)


def receipt_digest(todo: Pending, branch: BranchId, limits: Limits) -> str:
    """Return what a receipt is bound to: the branch, the files to run, what was applied before, and the limits."""
    files = [f"{each.tag} {each.hash}" for each in todo.pending]
    lines = [branch, repr(limits), *files, *(row.hash for row in todo.applied)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
