"""drizzle-kit 1.0: folders `YYYYMMDDhhmmss_name/migration.sql`, no journal.

Seen with drizzle-kit and drizzle-orm 1.0.0-rc.5: the table of 0.x gains `name` (the folder) and `applied_at`;
created_at is the folder's time (UTC) in ms; what runs is every folder whose name isn't in the table, sorted by name, in
one transaction. A table of 0.x has no name column: the first run adds it and finds each row's folder by created_at cut
to seconds, then by hash. A folder without migration.sql is passed over in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from environments.clients.postgres import Connection
from environments.migrations.drizzle.journal import JOURNAL
from environments.migrations.drizzle.table import TABLE, rows
from environments.migrations.files import drizzle_migration, read_text
from environments.migrations.model import Applied, Migration, Refusal, explained, refuse_broken

FILE = "migration.sql"
_FOLDER = re.compile(r"(\d{14})(?:_.*)?")
_NAMELESS = "(a row without a name)"
"""How a row is called that 0.x wrote into a table of 1.0: 1.0 ignores it, and would run the file again."""


@dataclass(frozen=True)
class DrizzleFolders:
    """drizzle-kit 1.0; `table` is where the project's drizzle config says that migrations are noted."""

    table: str = TABLE
    name: str = "drizzle-kit 1.0"
    single_transaction: bool = True

    def read(self, folder: Path) -> tuple[Migration, ...]:
        """Return every folder's migration; raises BrokenMigrationsError with all that is wrong."""
        problems: list[Refusal] = []
        if (folder / JOURNAL).exists():
            rule = "drizzle-kit 1.0 refuses a folder that holds a journal of 0.x"
            problems.append(Refusal(str(JOURNAL), rule, "Run drizzle-kit up, which converts the folder"))
        found: list[Migration] = []
        for path in sorted(each for each in folder.iterdir() if each.is_dir() and each.name != JOURNAL.parent.name):
            read = _read(path)
            if isinstance(read, Refusal):
                problems.append(read)
            else:
                found.append(read)
        problems += [
            Refusal(path.name, "drizzle-kit 1.0 reads folders, so it would never run", f"Move it into one as {FILE}")
            for path in sorted(folder.glob("*.sql"))
        ]
        refuse_broken(problems)
        return tuple(found)

    def applied(self, connection: Connection) -> tuple[Applied, ...]:
        """Return the rows of drizzle's table, none if there is no such table; their order as YYYYMMDDhhmmss."""
        return tuple(
            Applied(row.hash, _moment(row.created_at), _NAMELESS if row.name == "" else row.name or "")
            for row in rows(connection, self.table)
        )

    def pending(self, migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> tuple[Migration, ...]:
        """Return what drizzle would run: whatever isn't in the table, older ones too."""
        done = {each.tag for each in explained(migrations, applied).values()}
        return tuple(each for each in migrations if each.tag not in done)


def _read(path: Path) -> Migration | Refusal:
    named = _FOLDER.fullmatch(path.name)
    if not named or not _is_time(named[1]):
        rule = "a migration's folder starts with its time as YYYYMMDDhhmmss"
        return Refusal(f"{path.name}/", rule, "Rename it, or keep other folders elsewhere")
    if not (path / FILE).exists():
        return Refusal(f"{path.name}/", f"it has no {FILE}, so drizzle would pass over it", "Bring the file back")
    text = read_text(path / FILE)
    if isinstance(text, Refusal):
        return Refusal(f"{path.name}/{FILE}", text.rule, text.remedy)
    return drizzle_migration(path.name, f"{path.name}/{FILE}", int(named[1]), text)


def _is_time(digits: str) -> bool:
    try:
        datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _moment(milliseconds: int) -> int:
    return int(datetime.fromtimestamp(int(milliseconds) // 1000, UTC).strftime("%Y%m%d%H%M%S"))
