"""Plain SQL files `NNNN_name.sql`, run in the order of their numbers, each in a transaction of its own.

For projects without a tool: the files alone, and a table that says which ones ran.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from environments.clients.postgres import Connection
from environments.migrations.files import BREAKPOINT, read_text, sha256
from environments.migrations.model import (
    Applied,
    BrokenMigrationsError,
    Migration,
    Refusal,
    explained,
    refuse_broken,
)
from environments.migrations.sql import split

TABLE_SQL = """\
CREATE SCHEMA IF NOT EXISTS environments;
CREATE TABLE IF NOT EXISTS environments.migrations (
    name text PRIMARY KEY,
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""
"""What a run makes first; `name` is a migration's tag."""

_FILE = re.compile(r"(\d{4,})_([\w.-]+)\.sql")


@dataclass(frozen=True)
class PlainSql:
    """Numbered SQL files without a journal."""

    name: str = "plain SQL files"
    single_transaction: bool = False

    def read(self, folder: Path) -> tuple[Migration, ...]:
        """Return the files by number; raises BrokenMigrationsError with all that is wrong."""
        problems: list[Refusal] = []
        found: list[Migration] = []
        for path in sorted(folder.glob("*.sql")):
            text, numbered = read_text(path), _FILE.fullmatch(path.name)
            if isinstance(text, Refusal):
                problems.append(text)
            elif numbered is None:
                rule = "a migration's file is called NNNN_name.sql"
                problems.append(Refusal(path.name, rule, "Rename it, for example to 0007_add_orders.sql"))
            else:
                if BREAKPOINT in text:
                    raise BrokenMigrationsError(
                        path.name,
                        "drizzle-kit made it, and the folder has no meta/_journal.json",
                        "Bring the journal back with git checkout",
                    )
                found.append(Migration(path.stem, path.name, sha256(text), int(numbered[1]), split(text), text))
        found.sort(key=lambda each: each.order)
        for first, second in itertools.pairwise(found):
            if first.order == second.order:
                rule = f"it has the number of {first.file}"
                problems.append(Refusal(second.file, rule, "Give the one that was merged later the next free number"))
        refuse_broken(problems)
        return tuple(found)

    def applied(self, connection: Connection) -> tuple[Applied, ...]:
        """Return the rows of environments.migrations, none if there is no such table."""
        found = connection.execute("SELECT to_regclass('environments.migrations') IS NOT NULL").fetchone()
        if not (found and found[0]):
            return ()
        rows = connection.execute("SELECT name, hash FROM environments.migrations ORDER BY applied_at, name").fetchall()
        return tuple(Applied(hash_, _number(name), name) for name, hash_ in rows)

    def pending(self, migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> tuple[Migration, ...]:
        """Return what isn't in the table."""
        done = {each.tag for each in explained(migrations, applied).values()}
        return tuple(each for each in migrations if each.tag not in done)


def record_plain(connection: Connection, migration: Migration) -> None:
    """Note a migration in environments.migrations."""
    connection.execute(TABLE_SQL.encode())
    connection.execute(
        "INSERT INTO environments.migrations (name, hash) VALUES (%s, %s)", (migration.tag, migration.hash)
    )


def _number(name: str) -> int:
    digits = name.partition("_")[0]
    return int(digits) if digits.isdigit() else 0
