"""The rehearsal: what is pending runs first on a copy of production, with its rows and its size; the receipt says how.

Nothing of it touches production. There are no visitors on a copy, so nobody waits for its locks and it waits for
nobody's: what is measured is how long the locks are held, not how long it takes to get them.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from environments.clients.neon import Address, Neon
from environments.clients.postgres import connected
from environments.migrations.checks.locks import HeldLock, LockWatch
from environments.migrations.execute import Execution, batches
from environments.migrations.limits import Limits
from environments.migrations.result import StatementTime
from environments.migrations.scratch_branch import throwaway
from environments.migrations.table_sizes import count_tables

if TYPE_CHECKING:
    from environments.migrations.run import Pending

_VALID = timedelta(days=7)
"""A rehearsal older than this says little of what production is today."""


@dataclass(frozen=True)
class Receipt:
    """What a rehearsal of exactly these files on a copy of that branch came to; `rows` has (table, before, after).

    `seconds` is the transaction's own time, `overhead` that of making, filling, counting and deleting the copy.
    """

    digest: str
    at: str
    seconds: float
    overhead: float
    statements: tuple[StatementTime, ...]
    locks: tuple[HeldLock, ...]
    rows: tuple[tuple[str, int | None, int | None], ...]

    def props(self) -> dict[str, Any]:
        """Return it as a resource's output."""
        return {
            "digest": self.digest,
            "at": self.at,
            "seconds": round(self.seconds, 3),
            "overhead": round(self.overhead, 3),
            "statements": [
                {"file": each.file, "number": each.number, "seconds": round(each.seconds, 3)}
                for each in self.statements
            ],
            "locks": [
                {"table": lock.table, "mode": lock.mode, "seconds": round(lock.seconds, 3), "blocks": lock.blocks}
                for lock in self.locks
            ],
            "rows": [{"table": table, "before": before, "after": after} for table, before, after in self.rows],
        }


def receipt_digest(todo: Pending, branch: str, limits: Limits) -> str:
    """Return what a receipt is bound to: the branch, the files to run, what was applied before, and the limits."""
    files = [f"{each.tag} {each.hash}" for each in todo.pending]
    lines = [branch, repr(limits), *files, *(row.hash for row in todo.applied)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def is_valid(receipt: dict[str, Any] | None, digest: str) -> bool:
    """Tell whether a receipt from a resource's outputs makes another rehearsal needless."""
    if not receipt or receipt["digest"] != digest:
        return False
    return datetime.now(UTC) - datetime.fromisoformat(receipt["at"]) < _VALID


def rehearse(neon: Neon, served: Address, todo: Pending, limits: Limits) -> Receipt:
    """Run what is pending on a copy of the branch of `served`; MigrationFailedError leaves production untouched."""
    whole = time.monotonic()
    with throwaway(neon, served) as copy:
        url = limits.url(neon.uri(copy, pooled=False))
        with connected(url, statement_seconds=round(limits.statement), wait_seconds=limits.connect) as connection:
            before = count_tables(connection)
            watch = LockWatch(connection)
            began = time.monotonic()
            run = Execution(connection, todo.record, not todo.applied, began + limits.run, watch)
            statements = run.run(batches(todo.pending, together=todo.tool.single_transaction))
            seconds = time.monotonic() - began
            after = count_tables(connection)
    locks = watch.held()
    touched = {lock.table for lock in locks} | {table for table, rows in after.items() if before.get(table) != rows}
    return Receipt(
        digest=receipt_digest(todo, served.branch, limits),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        overhead=time.monotonic() - whole - seconds,
        statements=statements,
        locks=locks,
        rows=tuple(
            (table, before.get(table), after.get(table)) for table in sorted(touched | before.keys() - after.keys())
        ),
    )


def told_of(receipt: Receipt) -> str:
    """Return the receipt in words: how long it took, and which locks visitors would wait for, the longest first."""
    lines = [
        f"rehearsed on a copy in {receipt.seconds:.2f} s ({receipt.overhead:.1f} s more for making and counting it)"
    ]
    lines += [
        f"  {lock.seconds:8.3f} s  {lock.table}: {lock.blocks} wait ({lock.mode})"
        for lock in receipt.locks
        if lock.blocks
    ]
    lines += [] if len(lines) > 1 else ["  no lock that visitors wait for"]
    lines += [
        f"  {before if before is not None else 'no'} -> {after if after is not None else 'none'} rows  {table}"
        for table, before, after in receipt.rows
        if before != after
    ]
    return "\n".join(lines)
