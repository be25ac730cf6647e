"""Connections to a branch's database: by the URL that Neon gives, with errors that hold no secret."""

from __future__ import annotations

import functools
import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from environments.clients.deadline import at_most, call_within, pause
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.lazy_imports import LazyModule, httpx, psycopg
from environments.clients.neon import OperationFailedError
from environments.errors import FailedError
from environments.ids import DatabaseName, Fingerprint, RoleName

if TYPE_CHECKING:
    Connection = psycopg.Connection[tuple[Any, ...]]
else:
    Connection = Any  # named in annotations only
_limited = LazyModule("environments.clients.limited_connection")
_CONNECT_SECONDS = 10
_LIBPQS_SHORTEST = 2
_WAKE_SECONDS = 60.0
_PAUSE = 0.1
_CONNECTING = "the database did not take a connection in time"


class NotReadyError(FailedError):
    """The database did not take a connection in time."""


UNREACHABLE = (ApiError, ApiUnreachableError, NotReadyError, OperationFailedError)
"""What is raised when a database is gone or doesn't answer: Neon is asked for its URL, then the database itself."""


def with_login(uri: str, user: RoleName, password: str) -> str:
    """Return `uri` with another user and password in it, everything else as Neon gave it."""
    return str(httpx.URL(uri).copy_with(username=quote(user, safe=""), password=quote(password, safe="")))


def with_database(uri: str, database: DatabaseName) -> str:
    """Return `uri` with another database of the same server in it."""
    return str(httpx.URL(uri).copy_with(path=f"/{quote(database, safe='')}"))


def password_of(uri: str) -> str:
    """Return the password in `uri`, empty if there is none."""
    return httpx.URL(uri).password


def user_of(uri: str) -> RoleName:
    """Return the user in `uri`."""
    return RoleName(httpx.URL(uri).username)


def fingerprint(uri: str) -> Fingerprint:
    """Return a short digest of a URL that tells when the URL changes and nothing of what it holds."""
    return Fingerprint(hashlib.sha256(uri.encode()).hexdigest()[:16])


@contextmanager
def connected(uri: str, *, statement_seconds: int = 30, wait_seconds: float = _WAKE_SECONDS) -> Iterator[Connection]:
    """Open a connection in autocommit mode, waiting for a suspended compute to wake; close it afterwards.

    Statements end after `statement_seconds`, and earlier where a time limit is used up (OutOfTimeError). Raises
    NotReadyError after `wait_seconds` without a connection; a wrong password fails at once.
    """
    connection = _connect(uri, wait_seconds)
    try:
        seconds = at_most(statement_seconds, _CONNECTING)
        connection.execute(f"SET statement_timeout = {max(1, int(1000 * seconds))}".encode())
        yield connection
    finally:
        connection.close()


def _connect(uri: str, wait_seconds: float) -> Connection:
    deadline = time.monotonic() + wait_seconds
    while True:
        left = at_most(_CONNECT_SECONDS, _CONNECTING)
        try:
            return call_within(left, functools.partial(_connect_once, uri, left), late=_close)
        except TimeoutError:
            reason = "it did not answer in time"
        except psycopg.OperationalError as error:
            reason = first_line(error)
        at_most(_PAUSE, f"{_CONNECTING}: {reason}")
        if "authentication failed" in reason or time.monotonic() > deadline:
            raise NotReadyError(f"the database did not take a connection: {reason}")
        pause(_PAUSE, f"{_CONNECTING}: {reason}")


def _connect_once(uri: str, seconds: float) -> Connection:
    timeout = max(_LIBPQS_SHORTEST, math.ceil(seconds))
    connection: Connection = _limited.LimitedConnection.connect(
        uri, autocommit=True, connect_timeout=timeout, prepare_threshold=None
    )
    return connection


def _close(connection: Connection) -> None:
    connection.close()


def first_line(error: psycopg.Error) -> str:
    """Return the first line of what Postgres says of an error: the rest repeats the statement."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
