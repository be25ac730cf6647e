"""Migrations run by ourselves, statement by statement, each with its time.

drizzle does the same, all of them in one transaction, except that it doesn't say which statement failed. The
rehearsal runs every tool's migrations this way, and a tool that has no command of its own its real ones too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.clients.lazy_imports import psycopg
from environments.clients.postgres import Connection, NotReadyError, connected
from environments.migrations.errors import MigrationFailedError, primary_message, unreachable
from environments.migrations.model import Migration
from environments.migrations.result import StatementTime
from environments.migrations.session import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.migrations.rehearsal.locks import LockWatch
    from environments.migrations.run import Pending

Record = Callable[[Connection, Migration], None]
"""Notes in the tool's table that a migration was applied."""

Batches = tuple[tuple[Migration, ...], ...]
"""Migrations by transaction."""


@dataclass
class Execution:
    """One run on one connection: what notes each migration, whether the tool has never run here, when time is up."""

    connection: Connection
    record: Record
    first: bool
    deadline: float
    watch: LockWatch | None = None

    def run(self, batches: Batches) -> tuple[StatementTime, ...]:
        """Run the batches, each in a transaction; raises MigrationFailedError, with its batch rolled back."""
        times: list[StatementTime] = []
        for batch in batches:
            try:
                with self.connection.transaction():
                    for migration in batch:
                        times += self._migrate(migration)
            except psycopg.Error as error:
                reason = f"the end of the transaction failed: {primary_message(error)}"
                raise MigrationFailedError(reason, file=batch[-1].file, sqlstate=error.sqlstate or "") from None
            if self.watch:
                self.watch.released()
        return tuple(times)

    def _migrate(self, migration: Migration) -> Sequence[StatementTime]:
        times = []
        for number, statement in enumerate(migration.statements, 1):
            began = time.monotonic()
            if began > self.deadline:
                reason, remedy = "the time for all migrations together is over", "Split them, or raise run_timeout"
                raise MigrationFailedError(reason, file=migration.file, number=number, remedy=remedy)
            try:
                self.connection.execute(statement.encode())
            except psycopg.Error as error:
                raise MigrationFailedError.of(error, migration, number, first=self.first) from None
            seconds = round(time.monotonic() - began, 3)
            times.append(StatementTime(file=migration.file, number=number, seconds=seconds))
            if self.watch:
                self.watch.look(began)
        self.record(self.connection, migration)
        return times


def run_ourselves(todo: Pending, limits: Limits) -> tuple[StatementTime, ...]:
    """Run what is pending, in one transaction or in one per file as the tool has it; raises MigrationFailedError."""
    url = limits.url(todo.url)
    try:
        with connected(url, statement_seconds=round(limits.statement), wait_seconds=limits.connect) as connection:
            run = Execution(connection, todo.record, first=not todo.applied, deadline=time.monotonic() + limits.run)
            return run.run(batches(todo.pending, together=todo.tool.single_transaction))
    except NotReadyError as error:
        raise unreachable(error) from None


def batches(migrations: tuple[Migration, ...], *, together: bool) -> Batches:
    """Return `migrations` by transaction: one for all of them `together`, or one for each."""
    return (migrations,) if together else tuple((migration,) for migration in migrations)
