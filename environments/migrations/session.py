"""The sessions that run migrations: their limits, their name, and how one is ended whose runner is gone.

The limits reach the database by the URL's `options`. node-postgres (and so drizzle-kit) and psycopg both send them with
the start of the session, so that they hold for every statement. PGOPTIONS would not do: node-postgres ignores it as
soon as the URL has options of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from environments.clients.postgres import connected
from environments.plan.topology import MigrationSettings

APPLICATION = "environments migration run"
"""What a session that runs migrations calls itself."""


@dataclass(frozen=True)
class Limits:
    """All in seconds.

    `lock`       that a statement waits for a lock; meanwhile all who come later wait behind it, visitors included
    `statement`  that one statement takes
    `run`        that all migrations together take
    `connect`    that a suspended compute takes to wake
    """

    lock: float = 5.0
    statement: float = 300.0
    run: float = 900.0
    connect: float = 60.0

    @classmethod
    def of(cls, settings: MigrationSettings) -> Self:
        """Return the limits that the stack file sets."""
        return cls(
            lock=float(settings.lock_timeout),
            statement=float(settings.statement_timeout),
            run=float(settings.run_timeout),
        )

    def url(self, url: str) -> str:
        """Return `url` with the limits in it, for a session that runs migrations."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        settings = {"lock_timeout": self.lock, "statement_timeout": self.statement}
        words = [query.get("options", ""), *(f"-c {name}={int(value * 1000)}" for name, value in settings.items())]
        query |= {"options": " ".join(word for word in words if word), "application_name": APPLICATION}
        return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


def end_sessions(url: str, limits: Limits) -> int:
    """End the sessions of runs whose runner is gone, which rolls their transactions back; return how many."""
    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = %s AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    with connected(url, wait_seconds=limits.connect) as connection:
        return len(connection.execute(query, (APPLICATION,)).fetchall())
