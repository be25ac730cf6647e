"""Which tool a folder belongs to, by the files in it."""

from __future__ import annotations

from pathlib import Path

from environments.migrations.drizzle.folders import FILE, DrizzleFolders
from environments.migrations.drizzle.journal import JOURNAL, DrizzleJournal
from environments.migrations.drizzle.table import TABLE
from environments.migrations.model import BrokenMigrationsError, Tool
from environments.migrations.plain import PlainSql


def tool_for(folder: Path, table: str = TABLE) -> Tool:
    """Return the tool of a migrations folder; `table` is drizzle's, where the project's config names another one.

    Raises BrokenMigrationsError for a folder that no tool would read.
    """
    if not folder.is_dir():
        raise BrokenMigrationsError(str(folder), "there is no such folder", "Name the folder relative to Pulumi.yaml")
    folders = any(each.is_dir() and (each / FILE).exists() for each in folder.iterdir())
    if (folder / JOURNAL).exists() and not folders:
        return DrizzleJournal(table)
    if folders:
        return DrizzleFolders(table)
    if any(folder.glob("*.sql")):
        return PlainSql()
    raise BrokenMigrationsError(
        str(folder),
        f"it holds neither {JOURNAL}, nor folders with a {FILE}, nor .sql files",
        "Generate a first migration, or name the folder that holds them",
    )
