"""A connection whose statements keep the time limit that holds where they run (see deadline.py), however silent it is.

The server ends a statement by itself after `statement_timeout`. This is for the rest: a server or a network that says
nothing any more, and a limit that is shorter than what the connection was opened with.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg import pq

from environments.clients.deadline import OutOfTimeError, out_of_time, seconds_left

_CANCEL_SECONDS = 1.0
_LAST_SECONDS = 0.5
"""What a statement gets at least: a ROLLBACK has to pass once the time is used up."""


class LimitedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that ends its statement when the time limit is used up, and itself where that has no effect."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Run what psycopg does on the connection; raises OutOfTimeError when the time is used up."""
        left = seconds_left()
        if left is None:
            return super().wait(gen, *arguments, **options)
        try:
            return super().wait(_until(time.monotonic() + max(left, _LAST_SECONDS), gen), *arguments, **options)
        except OutOfTimeError:
            self._end_statement(gen)
            raise

    def _end_statement(self, gen: Any) -> None:
        """Cancel the statement, so that the connection can still roll back; close the connection if it stays silent."""
        if self.pgconn.transaction_status != pq.TransactionStatus.ACTIVE:
            return
        try:
            self.cancel_safe(timeout=_CANCEL_SECONDS)
            super().wait(_until(time.monotonic() + _CANCEL_SECONDS, gen))
        except psycopg.errors.QueryCanceled:
            return
        except (psycopg.Error, OutOfTimeError):
            self.close()


def _until(deadline: float, gen: Any) -> Any:
    """Drive a generator of psycopg's, which is woken ten times a second, until `deadline`."""
    ready = None
    while True:
        try:
            state = gen.send(ready)
        except StopIteration as done:
            return done.value
        if ready is not None and time.monotonic() >= deadline:
            raise out_of_time("the database did not answer a statement in time")
        ready = yield state
