"""Running what is pending, with whatever the folder's tool is, and believing only the tool's own table afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from environments.clients.postgres import NotReadyError, connected
from environments.migrations.checks.history import history_refusals
from environments.migrations.drizzle.folders import DrizzleFolders
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.drizzle.kit import run_kit
from environments.migrations.drizzle.table import record_folder, record_journal
from environments.migrations.errors import MigrationFailedError, unreachable
from environments.migrations.execute import Record, run_ourselves
from environments.migrations.model import Applied, Migration, Tool
from environments.migrations.plain import record_plain
from environments.migrations.result import Run, StatementTime
from environments.migrations.session import Limits

Runner = Callable[["Pending", Limits], tuple[StatementTime, ...]]
"""Runs what is pending; raises MigrationFailedError."""


class Pending:
    """What is to be run where: the folder, the direct URL of the database's owner, and what was applied before."""

    def __init__(self, tool: Tool, folder: Path, url: str, limits: Limits) -> None:
        """Read the folder and the table; MigrationFailedError if they don't fit together."""
        self.tool, self.folder, self.url = tool, folder, url
        self.migrations = tool.read(folder)
        self.applied = applied(tool, url, limits)
        refusals, _ = history_refusals(self.migrations, self.applied, tool)
        if refusals:
            raise MigrationFailedError("\n".join(str(refusal) for refusal in refusals))
        self.pending: tuple[Migration, ...] = tool.pending(self.migrations, self.applied)
        self.record: Record = recorder(tool, self.migrations)
        self.table: str = getattr(tool, "table", "")


def applied(tool: Tool, url: str, limits: Limits) -> tuple[Applied, ...]:
    """Return the rows of the tool's table; MigrationFailedError if its database takes no connection."""
    try:
        with connected(url, wait_seconds=limits.connect) as connection:
            return tool.applied(connection)
    except NotReadyError as error:
        raise unreachable(error) from None


def recorder(tool: Tool, migrations: tuple[Migration, ...]) -> Record:
    """Return what notes a migration in the tool's table, as the tool itself does."""
    match tool:
        case DrizzleJournal(table=table):
            return lambda connection, migration: record_journal(connection, migration, table)
        case DrizzleFolders(table=table):
            return lambda connection, migration: record_folder(connection, migration, table, migrations)
        case _:
            return record_plain


def runner_of(tool: Tool) -> Runner:
    """Return what runs a tool's migrations: its own command, or a transaction of ours."""
    return run_kit if isinstance(tool, DrizzleJournal) else run_ourselves


def run(tool: Tool, folder: Path, url: str, limits: Limits) -> Run:
    """Run what is pending in `folder` on the database behind `url`, its direct one; see `run_pending`."""
    return run_pending(Pending(tool, folder, url, limits), limits)


def run_pending(todo: Pending, limits: Limits) -> Run:
    """Run it, and count what the tool's table holds afterwards.

    Raises MigrationFailedError for whatever went wrong, a tool that reports success and did nothing included. A tool
    that failed although everything is applied, by another runner, is a warning.
    """
    began = time.monotonic()
    if not todo.pending:
        return _run(todo, began)
    statements: tuple[StatementTime, ...] = ()
    failure: MigrationFailedError | None = None
    try:
        statements = runner_of(todo.tool)(todo, limits)
    except MigrationFailedError as error:
        failure = error
    noted = {row.hash for row in applied(todo.tool, todo.url, limits)}
    left = [migration for migration in todo.pending if migration.hash not in noted]
    if left and failure:
        raise failure
    if left:
        reason = f"{todo.tool.name} reported success and did not apply it"
        raise MigrationFailedError(reason, file=left[0].file, remedy="Run it again; nothing was lost")
    return _run(todo, began, statements, f"another runner applied them meanwhile: {failure.reason}" if failure else "")


def _run(todo: Pending, began: float, statements: tuple[StatementTime, ...] = (), warning: str = "") -> Run:
    return Run(
        applied=tuple(migration.tag for migration in todo.pending),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 3),
        statements=statements,
        warning=warning,
    )
