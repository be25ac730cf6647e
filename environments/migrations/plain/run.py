"""Plain SQL files, and every tool without a command of its own: our own transactions, and a table of our own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from environments.clients.postgres import Connection, NotReadyError, connected
from environments.migrations.execute import Execution, batches
from environments.migrations.limits import Limits
from environments.migrations.model import Migration
from environments.migrations.plain.files import TABLE_SQL
from environments.migrations.result import StatementTime, unreachable

if TYPE_CHECKING:
    from environments.migrations.run import Pending


def own_run(todo: Pending, limits: Limits) -> tuple[StatementTime, ...]:
    """Run what is pending, in one transaction or in one per file as the tool has it; raises MigrationFailedError."""
    url = limits.url(todo.url)
    try:
        with connected(url, statement_seconds=round(limits.statement), wait_seconds=limits.connect) as connection:
            run = Execution(connection, todo.record, first=not todo.applied, deadline=time.monotonic() + limits.run)
            return run.run(batches(todo.pending, together=todo.tool.single_transaction))
    except NotReadyError as error:
        raise unreachable(error) from None


def record_plain(connection: Connection, migration: Migration) -> None:
    """Note a migration."""
    connection.execute(TABLE_SQL.encode())
    connection.execute(
        "INSERT INTO environments.migrations (name, hash) VALUES (%s, %s)", (migration.tag, migration.hash)
    )
