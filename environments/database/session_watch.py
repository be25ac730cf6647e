"""Seeing that a role is at work in a database: the proof that an app uses the database that it is meant to.

The server looks at its own sessions every millisecond, so that most that live for one request of 2 ms are seen (37 of
40 on a busy machine), however far away we are. What counts is activity since the watch began, by the server's clock: a
pooler keeps sessions open that nobody uses, and a session that it lends to a request was often there before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from environments.clients.lazy_imports import psycopg
from environments.clients.postgres import Connection, first_line
from environments.errors import FailedError
from environments.ids import RoleName

_LONGEST_LOOK = 0.25
"""Seconds of one statement; between two of them is one round trip, in which a session can be missed."""

_BEGIN = """
SELECT set_config('environments.role', %s, false), set_config('environments.since', clock_timestamp()::text, false),
       set_config('environments.seen', '', false)
"""

_LOOK = f"""
DO $$
DECLARE
    since timestamptz := current_setting('environments.since');
    ends timestamptz := clock_timestamp() + interval '{_LONGEST_LOOK} s';
BEGIN
    LOOP
        PERFORM pg_stat_clear_snapshot();
        IF EXISTS (SELECT FROM pg_stat_activity
                   WHERE usename = current_setting('environments.role') AND datname = current_database()
                     AND greatest(backend_start, xact_start, query_start, state_change) >= since) THEN
            PERFORM set_config('environments.seen', 'yes', false);
            EXIT;
        END IF;
        EXIT WHEN clock_timestamp() > ends;
        PERFORM pg_sleep(0.001);
    END LOOP;
END $$
"""


class SessionWatch:
    """Looks for a session of one role, on a connection of its own, until it has seen one or is stopped."""

    def __init__(self, connection: Connection, role: RoleName) -> None:
        self.role = role
        self._connection = connection
        self._seen, self._stopped = threading.Event(), threading.Event()
        self._failure: psycopg.Error | None = None
        connection.execute(_BEGIN, (role,))
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def saw(self, seconds: float) -> bool:
        """Wait up to `seconds`, and tell whether the role was at work since the watch began.

        Raises FailedError if the database can't be asked any more.
        """
        seen = self._seen.wait(seconds)
        if self._failure:
            raise FailedError(f"the sessions of {self.role} could not be watched: {first_line(self._failure)}")
        return seen

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        self._thread.join(10 * _LONGEST_LOOK)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self._connection.execute(_LOOK.encode())
                row = self._connection.execute("SELECT current_setting('environments.seen')").fetchone()
            except psycopg.Error as error:
                self._failure = error
                self._seen.set()
                return
            if row and row[0]:
                self._seen.set()
                return


@contextmanager
def watching(connection: Connection, role: RoleName) -> Iterator[SessionWatch]:
    """Watch the sessions of `role` in the database of `connection`, its owner's, which does nothing else meanwhile."""
    watch = SessionWatch(connection, role)
    try:
        yield watch
    finally:
        watch.stop()
