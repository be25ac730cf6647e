"""The lock: an environment's writers wait and its readers go on, while one session of the owner holds it.

`LOCK TABLE … IN SHARE MODE` on every table waits for the transactions that have written and lets no new write begin.
The lock lives in one transaction, so that nothing has to work for it to be lifted: an error, a kill or a dead
connection ends the transaction, and every write that waited goes on. Only a COMMIT makes more of it. It carries the
REVOKE of the fence, which the same transaction has made already and which nobody else sees before.

What would make it fail is looked for before anything waits: rights that a REVOKE can't take, tables that the owner may
not lock, more tables than Postgres has locks for, prepared transactions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from environments.clients.deadline import at_most
from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection, connected, first_line
from environments.database.fence import GRACE, FenceError, refuse_prepared, revoke_writes
from environments.database.schemas import user_schemas
from environments.ids import RoleName

PATIENCE = 5.0
"""Seconds to wait for the transactions that have written. An autovacuum gives way after 1 s of them."""
_POLITE = (0.02, 0.03, 0.05, 0.07, 0.08)
"""Seconds for which the first tries wait: 0.25 s together. Between two of them writers go on, so that a transaction
that needs a second table isn't stuck between our lock on that and its own on the first."""
_PAUSE = 0.02
_IDLE_SECONDS = 5
"""How long the server waits for a word of ours before it lifts the lock: for a machine or a network that vanished."""
_HEARTBEAT = 1.0

_BEGIN = f"""
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s';
SET LOCAL client_connection_check_interval = '500ms';
"""
"""A server that runs a statement notices a client that died only if it looks."""

_LOCKED = """
RELEASE SAVEPOINT locking;
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
"""

_TABLES = """
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE'),
       EXISTS (SELECT FROM pg_roles r
               WHERE r.rolname = ANY(%(roles)s) AND has_schema_privilege(r.oid, n.oid, 'USAGE')
                 AND (has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                      OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE')))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname = ANY(%(schemas)s)
ORDER BY c.relispartition, c.relkind = 'r', n.nspname, c.relname
"""
"""Parents before their partitions, as Postgres locks them itself."""

_LOCK_IN_ORDER = """
DECLARE
    place text[];
BEGIN
    FOREACH place SLICE 1 IN ARRAY ARRAY[{}]::text[] LOOP
        EXECUTE format('LOCK TABLE ONLY %I.%I IN SHARE MODE', place[1], place[2]);
    END LOOP;
EXCEPTION WHEN query_canceled OR others THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM, SCHEMA = place[1], TABLE = place[2];
END
"""
"""An error says which table it was about, which a lock that isn't granted in time else doesn't tell."""

_ROOM = """
SELECT current_setting('max_locks_per_transaction')::bigint
       * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
"""

_IN_THE_WAY = """
SELECT theirs.pid, coalesce(a.usename, p.owner), theirs.mode, format('%%I.%%I', n.nspname, c.relname),
       to_char(coalesce(a.xact_start, p.prepared) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), p.gid,
       CASE WHEN a.usename = ANY(%(roles)s) AND a.xact_start < clock_timestamp() - %(grace)s * interval '1 s'
            THEN pg_terminate_backend(theirs.pid) END
FROM pg_locks mine
JOIN pg_locks theirs ON theirs.locktype = 'relation' AND theirs.database = mine.database
     AND theirs.relation = mine.relation AND theirs.granted AND theirs.pid IS DISTINCT FROM mine.pid
     AND theirs.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                         'AccessExclusiveLock')
JOIN pg_class c ON c.oid = mine.relation JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = theirs.pid
LEFT JOIN pg_locks own ON theirs.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid'
     AND own.virtualtransaction = theirs.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = own.transactionid
WHERE mine.pid = %(pid)s AND mine.locktype = 'relation' AND NOT mine.granted
"""
"""Who holds a lock that ours waits for; the app's own transactions that had their time are ended on the way. A prepared
transaction has no session; it holds the lock on its own transaction id too."""

_UNLOCKED = """
SELECT DISTINCT l.pid, a.usename, '', d.datname,
       to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), NULL,
       CASE WHEN a.usename = ANY(%(roles)s) AND a.xact_start < clock_timestamp() - %(grace)s * interval '1 s'
            THEN pg_terminate_backend(l.pid) END
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_roles r ON r.oid = a.usesysid AND NOT r.rolsuper AND (%(all)s OR r.rolname <> ALL(%(roles)s))
     AND r.rolname <> ALL(%(allowed)s)
JOIN pg_database d ON d.oid = l.database
     AND NOT (r.rolname = ANY(%(roles)s) AND 'database ' || d.datname = ANY(%(allowed)s))
LEFT JOIN pg_class c ON c.oid = l.relation AND d.datname = current_database()
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> ALL(%(ours)s)
  AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND (l.relation >= 16384 OR l.relation = 'pg_largeobject'::regclass)
  AND (c.oid IS NULL OR c.oid < 16384 OR %(all)s AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't')
  AND NOT EXISTS (SELECT FROM pg_locks m WHERE m.pid = %(pid)s AND m.locktype = 'relation' AND m.granted
                    AND m.database = l.database AND m.relation = l.relation)
"""
"""Who has written where our lock isn't, and has not committed: to a table that isn't there for others yet, to a large
object, to another database. Again the app's own transactions that had their time are ended. Nobody can tell whether a
table that isn't there yet will be a temporary one."""


_Table = tuple[str, str]
"""Its schema and its name."""


class LockLostError(FenceError):
    """The transaction that holds the lock is gone, so that writes go on."""


@dataclass(frozen=True)
class _Obstacle:
    """A session, or a prepared transaction, that holds a lock which ours waits for."""

    pid: int | None
    role: RoleName
    mode: str
    table: str
    since: str | None
    prepared: str | None

    def __str__(self) -> str:
        """Name it, what it does and since when."""
        since = f" since {self.since}" if self.since else ""
        if not self.mode:
            return (
                f"a transaction of {self.role} (session {self.pid}) that has made or changed a table, or written to a "
                f"large object, in database {self.table} is open{since}"
            )
        if self.prepared:
            return f"the prepared transaction {self.prepared} of {self.role} has written to {self.table}{since}"
        if self.mode == "RowExclusiveLock":
            return f"a transaction of {self.role} (session {self.pid}) that has written to {self.table} is open{since}"
        if self.mode == "ShareUpdateExclusiveLock":
            return (
                f"a VACUUM, ANALYZE, CREATE INDEX CONCURRENTLY or the like of {self.role} (session {self.pid}) works "
                f"on {self.table}{since}"
            )
        return f"{self.role} (session {self.pid}) holds a lock on {self.table}{since}"


class WriteLock:
    """Keeps the writers of one database waiting, from `take` on until the end of its block.

    `session` is the owner's that holds it: in it, what was committed can be counted.
    """

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._stopped = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, daemon=True)
        self.session = database.session

    def take(self, patience: float = PATIENCE) -> None:
        """Let writers wait, and take the right to write in what is not committed yet.

        Transactions that have written get 0.25 s to commit; those of the app's roles are ended then. Raises FenceError,
        and nobody waits any longer, if another one goes on for `patience` seconds, or for what is left of a time limit.
        """
        deadline = time.monotonic() + at_most(patience, "writers do not wait yet")
        try:
            self._database.lock(deadline)
        except psycopg.Error as error:
            raise FenceError(f"writes could not be made to wait: {first_line(error)}") from None
        self._heartbeat.start()

    def require_held(self) -> None:
        """Raise LockLostError if the lock is gone."""
        try:
            self.session.execute("SELECT 1")
        except psycopg.Error as error:
            raise LockLostError(f"the lock on writes was lost: {first_line(error)}") from None

    def commit(self) -> int:
        """Let the app's roles write no more, whether they wait or come later.

        Returns the id that follows the lock's own transaction: whoever writes later has that or a later one. Raises
        LockLostError if the lock was gone before, or if the answer to the COMMIT is.
        """
        self.require_held()
        try:
            row = self.session.execute("SELECT pg_current_xact_id()::text::bigint + 1").fetchone()
            following = int(row[0]) if row else 0
            self.session.execute("COMMIT")
        except psycopg.Error as error:
            raise LockLostError(f"the lock on writes was lost: {first_line(error)}") from None
        return following

    def stop(self) -> None:
        """End the heartbeat; the lock ends with its sessions."""
        self._stopped.set()
        if self._heartbeat.is_alive():
            self._heartbeat.join(_IDLE_SECONDS)

    def _beat(self) -> None:
        while not self._stopped.wait(_HEARTBEAT):
            with suppress(psycopg.Error):
                self.session.execute("SELECT 1")


@contextmanager
def write_lock(uri: str, roles: Sequence[RoleName], allowed: Collection[str] = ()) -> Iterator[WriteLock]:
    """Open the owner's sessions for a lock on a database's tables; at the block's end writes go on.

    The roles can't write then if the lock was committed, but for ways that are `allowed`, by the names of `Writer`.
    Raises FenceError, before anybody waits, for what can't be locked or taken.
    """
    with connected(uri) as session, connected(uri) as watch:
        database = _Database(session, watch, roles, allowed)
        database.rehearse()
        lock = WriteLock(database)
        try:
            yield lock
        finally:
            lock.stop()


@dataclass(frozen=True)
class _Database:
    """One database: the owner's session that holds the lock, and one that watches what the lock waits for."""

    session: Connection
    watch: Connection
    roles: Sequence[RoleName]
    allowed: Collection[str]

    def rehearse(self) -> None:
        """Find out what would make the lock or the REVOKE fail; nothing is changed."""
        try:
            tables = self._tables(self.watch)
            room = self._room()
            if len(tables) > room // 2:
                raise FenceError(
                    f"the database has {len(tables):,} tables, partitions among them, and its Postgres has room for "
                    f"{room:,} locks, of which half must stay for visitors: a larger compute has more. Or set "
                    "safety: {fence: after}, which needs no lock"
                )
            refuse_prepared(self.watch)
            self._await_unlocked(time.monotonic() + PATIENCE, of_the_app=False)
            try:
                self._revoke_in_vain()
            except psycopg.errors.InternalError_:  # "tuple concurrently updated": another move has just ended
                self._revoke_in_vain()
        except psycopg.errors.LockNotAvailable:
            raise FenceError(
                "another session changes the rights on its tables, and did not end within 5 s: another move of a "
                "pointer, or a migration. Run it again once that has ended"
            ) from None
        except psycopg.Error as error:
            raise FenceError(f"the fence can't be raised: {first_line(error)}") from None

    def lock(self, deadline: float) -> None:
        """Begin a transaction, lock every table in it and take the right to write.

        Raises FenceError if that is not done by `deadline`.
        """
        self.session.execute(_BEGIN)
        first: list[_Table] = []
        if not any(self._try(first, seconds) for seconds in _POLITE):
            self._insist(first, deadline)
        self._await_unlocked(deadline, of_the_app=True)
        revoke_writes(self.session, self.roles, self.allowed)

    def _await_unlocked(self, deadline: float, *, of_the_app: bool) -> None:
        """Wait until nobody has an open transaction that has written where the lock isn't; end those `of_the_app`."""
        ours = [self.session.info.backend_pid, self.watch.info.backend_pid]
        asked = {"pid": ours[0], "ours": ours, "roles": list(self.roles), "grace": GRACE, "all": of_the_app}
        asked["allowed"] = list(self.allowed)
        while found := [_Obstacle(*row[:-1]) for row in self.watch.execute(_UNLOCKED, asked).fetchall()]:
            if time.monotonic() > deadline:
                raise FenceError(
                    f"writes could not be made to wait: {'; '.join(dict.fromkeys(map(str, found)))}. Run it again once "
                    "that has ended"
                )
            time.sleep(_PAUSE)

    def _revoke_in_vain(self) -> None:
        with self.watch.transaction(force_rollback=True):
            self.watch.execute("SET LOCAL lock_timeout = '5s'")
            revoke_writes(self.watch, self.roles, self.allowed)

    def _room(self) -> int:
        row = self.watch.execute(_ROOM).fetchone()
        return int(row[0]) if row else 0

    def _tables(self, connection: Connection) -> list[_Table]:
        """Return the tables to lock. One that the owner may not lock is refused if the app may write to it."""
        asked = {"roles": list(self.roles), "schemas": user_schemas(connection)}
        tables = []
        for schema, table, owner, lockable, writable in connection.execute(_TABLES, asked).fetchall():
            if lockable:
                tables.append((str(schema), str(table)))
            elif writable:
                raise FenceError(
                    f"{schema}.{table} belongs to {owner}, and {connection.info.user} may not lock it: as {owner}, "
                    f'ALTER TABLE {schema}.{table} OWNER TO "{connection.info.user}"'
                )
        return tables

    def _insist(self, first: list[_Table], deadline: float) -> None:
        """Wait in the queue until `deadline`, and end the app's transactions that had their time."""
        obstacles: list[_Obstacle] = []
        while (left := deadline - time.monotonic()) > 0:
            with ThreadPoolExecutor(1) as threads:
                locking = threads.submit(self._try, first, left, whole=True)
                while not locking.done():
                    obstacles = self._look() or obstacles
                    time.sleep(_PAUSE)
            if locking.result():
                return
        named = "; ".join(dict.fromkeys(map(str, obstacles))) or "other sessions hold locks on its tables"
        raise FenceError(f"writes could not be made to wait: {named}. Run it again once that has ended")

    def _try(self, first: list[_Table], seconds: float, *, whole: bool = False) -> bool:
        """Lock every table, those too that are made meanwhile; none if one, or the `whole`, takes longer.

        The tables in `first` come first. One that was waited for in vain is put at their head: transactions that write
        to it before others get through to their end then.
        """
        milliseconds = int(seconds * 1000) + 1
        limits = f"SET LOCAL lock_timeout = {milliseconds};"
        if whole:
            limits += f"SET LOCAL statement_timeout = {milliseconds}"
        self.session.execute(f"SAVEPOINT locking; {limits}".encode())
        locked: set[_Table] = set()
        try:
            while (tables := self._tables(self.session)) and not locked.issuperset(tables):
                self._lock_in_order([*(table for table in first if table in tables), *tables])
                locked = set(tables)
        except psycopg.errors.OutOfMemory:
            raise FenceError(
                "Postgres has no room for a lock on every table. Use a larger compute, or set safety: {fence: after}, "
                "which needs no lock"
            ) from None
        except (
            psycopg.errors.LockNotAvailable,
            psycopg.errors.DeadlockDetected,
            psycopg.errors.UndefinedTable,
            psycopg.errors.QueryCanceled,
        ) as error:
            self.session.execute("ROLLBACK TO SAVEPOINT locking; RELEASE SAVEPOINT locking")
            waited_for = error.diag.table_name
            if waited_for and error.diag.schema_name:
                first.insert(0, (error.diag.schema_name, waited_for))
            return False
        self.session.execute(_LOCKED)
        return True

    def _lock_in_order(self, tables: Sequence[_Table]) -> None:
        pairs = (sql.SQL("[{}, {}]").format(*map(sql.Literal, table)) for table in dict.fromkeys(tables))
        body = sql.SQL(_LOCK_IN_ORDER).format(sql.SQL(", ").join(pairs)).as_string(self.session)
        self.session.execute(sql.SQL("DO {}").format(sql.Literal(body)))

    def _look(self) -> list[_Obstacle]:
        asked = {"pid": self.session.info.backend_pid, "roles": list(self.roles), "grace": GRACE}
        found = self.watch.execute(_IN_THE_WAY, asked).fetchall()
        return [
            _Obstacle(pid, RoleName(role or "?"), str(mode), str(table), since, prepared)
            for pid, role, mode, table, since, prepared, _ in found
        ]
