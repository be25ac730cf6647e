"""Running what is pending, with whatever the folder's tool is, and believing only the tool's own table afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from environments.clients.postgres import NotReadyError, connected
from environments.migrations.checks.history import history_refusals
from environments.migrations.drizzle.folders import DrizzleFolders
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.drizzle.kit import kit_run, record_folder, record_journal
from environments.migrations.execute import Record
from environments.migrations.limits import Limits
from environments.migrations.model import Applied, Migration, Tool
from environments.migrations.plain.run import own_run, record_plain
from environments.migrations.result import MigrationFailedError, Run, StatementTime, not_applied, unreachable

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


def run_for(tool: Tool) -> Runner:
    """Return what runs a tool's migrations: its own command, or a transaction of ours."""
    return kit_run if isinstance(tool, DrizzleJournal) else own_run


def run(tool: Tool, folder: Path, url: str, limits: Limits) -> Run:
    """Run what is pending in `folder` on the database behind `url`, its direct one; see `run_pending`."""
    return run_pending(Pending(tool, folder, url, limits), limits)


def run_pending(todo: Pending, limits: Limits) -> Run:
    """Run it, and count what the tool's table holds afterwards.

    Raises MigrationFailedError for whatever went wrong, a tool that reports success and did nothing included. A tool
    that failed although everything is applied, by another runner, is a warning.
    """
    began, tool = time.monotonic(), todo.tool
    if not todo.pending:
        return Run((), time.monotonic() - began)
    statements: tuple[StatementTime, ...] = ()
    failure: MigrationFailedError | None = None
    try:
        statements = run_for(tool)(todo, limits)
    except MigrationFailedError as error:
        failure = error
    noted = {row.hash for row in applied(tool, todo.url, limits)}
    left = tuple(migration for migration in todo.pending if migration.hash not in noted)
    tags = tuple(migration.tag for migration in todo.pending if migration not in left)
    if left and failure:
        raise failure
    if left:
        raise not_applied(
            left[0].file, f"{tool.name} reported success and did not apply it", "Run it again; nothing was lost"
        )
    warning = f"another runner applied them meanwhile: {failure.reason}" if failure else ""
    return Run(tags, time.monotonic() - began, statements, warning)
