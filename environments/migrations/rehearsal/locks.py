"""Which locks a transaction takes on the tables that existed before it, and for how long: what visitors wait for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from environments.clients.postgres import Connection
from environments.database.schemas import user_schemas

_MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""From the weakest to the strongest."""

_TABLES = """
SELECT c.oid::bigint, CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname = ANY(%s)
"""

_HELD = """
SELECT relation::bigint, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND granted AND relation = ANY(%s) AND mode <> 'AccessShareLock'
"""

_CHANGED = "SELECT relid::bigint, n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables WHERE n_tup_upd + n_tup_del > 0"
"""Rows that the transaction so far has changed or deleted, each of which it holds a lock of its own on."""


@dataclass(frozen=True, kw_only=True)
class HeldLock:
    """One mode of lock on one table, and the seconds from before the statement that took it to after the commit.

    `rows` is how many rows are locked besides.
    """

    table: str
    mode: str
    seconds: float
    rows: int = 0

    @property
    def blocks(self) -> str:
        """What the app's own statements on the table have to wait for it."""
        if self.mode == "AccessExclusiveLock":
            return "reads and writes"
        if self.rows:
            return f"writes to the {self.rows:,} rows that it changes"
        return "writes" if _MODES.index(self.mode) >= _MODES.index("ShareLock") else ""


class LockWatch:
    """Looks at its own session's locks after each statement, and notes when a transaction gave them back."""

    def __init__(self, connection: Connection) -> None:
        """Note the tables that exist."""
        self._connection = connection
        found = connection.execute(_TABLES, (user_schemas(connection),)).fetchall()
        self._tables = {int(oid): str(name) for oid, name in found}
        self._since: dict[tuple[int, str], float] = {}
        self._held: dict[tuple[int, str], float] = {}
        self._rows: dict[int, int] = {}

    def look(self, began: float) -> None:
        """Note what is held after a statement that began at `began`."""
        for oid, mode in self._connection.execute(_HELD, (list(self._tables),)).fetchall():
            self._since.setdefault((int(oid), str(mode)), began)
        for oid, rows in self._connection.execute(_CHANGED).fetchall():
            self._rows[int(oid)] = max(int(rows), self._rows.get(int(oid), 0))

    def released(self) -> None:
        """Note that the transaction has just ended."""
        now = time.monotonic()
        for lock, since in self._since.items():
            self._held[lock] = max(now - since, self._held.get(lock, 0.0))
        self._since.clear()

    def held(self) -> tuple[HeldLock, ...]:
        """Return each lock's longest time, the longest first."""
        found = [
            HeldLock(
                table=self._tables[oid],
                mode=mode,
                seconds=round(seconds, 3),
                rows=self._rows.get(oid, 0) if mode == "RowExclusiveLock" else 0,
            )
            for (oid, mode), seconds in self._held.items()
        ]
        return tuple(sorted(found, key=lambda lock: (-lock.seconds, lock.table, lock.mode)))
