"""One migration at a time: an advisory lock of the database, which drizzle doesn't take.

It is held by a session of its own on the direct host (a pooler hands sessions around), so that it goes when its holder
does, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from environments.clients.lazy_imports import psycopg
from environments.clients.postgres import Connection, connected
from environments.errors import FailedError

KEY = 0x656E7669726F6E6D
"""`environm` in ASCII: one lock per database, whoever takes it."""

_PAUSE = 0.2
_HEARTBEAT = 20.0
"""Seconds; a compute suspends under a session that does nothing, after a minute at the earliest."""

_HOLDERS = """
SELECT coalesce(nullif(a.application_name, ''), 'an unnamed program') || ' as ' || a.usename
       || ', session ' || a.pid || ', since ' || to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
       || ' UTC'
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid::bigint = %(high)s AND l.objid::bigint = %(low)s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class LockedError(FailedError):
    """Another migration is under way, or this one lost the lock."""


class Lock:
    """The lock, held; `require` says whether it still is."""

    def __init__(self, connection: Connection) -> None:
        """Hold it by `connection`, which nothing else uses."""
        self._connection = connection

    def require(self) -> None:
        """Raise LockedError if the session that holds it is gone."""
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            raise LockedError(
                "The session that held the migration's lock was lost, so another migration may run. Run pulumi up again"
            ) from None


@contextmanager
def locked(url: str, seconds: float) -> Iterator[Lock]:
    """Hold the lock of the database behind `url`, its direct one, for a block.

    Raises LockedError, which says who holds it, after waiting for `seconds`.
    """
    with connected(url) as connection:
        name = f"environments migration by {socket.gethostname()[:30]}, process {os.getpid()}"
        connection.execute("SELECT set_config('application_name', %s, false)", (name,))
        deadline = time.monotonic() + seconds
        while not _taken(connection):
            if time.monotonic() > deadline:
                raise LockedError(
                    f"Another migration has held the lock for longer than {seconds:.0f} s: {_holders(connection)}. "
                    "Wait until it ends, then run pulumi up again"
                )
            time.sleep(_PAUSE)
        over = threading.Event()
        heart = threading.Thread(target=_beat, args=(connection, over), daemon=True)
        heart.start()
        try:
            yield Lock(connection)
        finally:
            over.set()
            heart.join()


def _taken(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (KEY,)).fetchone()
    return bool(row and row[0])


def _holders(connection: Connection) -> str:
    halves = {"high": KEY >> 32, "low": KEY & 0xFFFFFFFF}
    return "; ".join(str(who) for (who,) in connection.execute(_HOLDERS, halves).fetchall()) or "by now nobody"


def _beat(connection: Connection, over: threading.Event) -> None:
    """Keep the compute awake. What is lost here is found by `require`."""
    with contextlib.suppress(psycopg.Error):
        while not over.wait(_HEARTBEAT):
            connection.execute("SELECT 1")
