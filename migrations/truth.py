"""What the tool's own table says against what the folder says: the only thing a run is judged by.

Files are compared by their hash. A tool may report success and have skipped a migration, or fail after another runner
has applied it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.outcome import MigrationFailedError, not_applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.model import Applied, Migration, Tool


def unapplied(migrations: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Migration, ...]:
    """Return the migrations whose file, as it is in the folder, isn't in the table."""
    known = {row.hash for row in applied}
    return tuple(migration for migration in migrations if migration.hash not in known)


def contradiction(
    tool: Tool, migrations: tuple[Migration, ...], applied: tuple[Applied, ...]
) -> MigrationFailedError | None:
    """Return what the tool would pass over without a word, or None: a file that was edited, one that came late."""
    missing = unapplied(migrations, applied)
    for migration in missing:
        if any(row.order == migration.order or row.name == migration.tag for row in applied):
            return not_applied(
                migration.file,
                f"its hash is {migration.hash[:12]}…, and {migration.tag} was applied with another one: the file was "
                "edited afterwards, and the edit would never run",
                "Put the file back as it was applied, and write what you want changed as a migration of its own",
            )
    runs = set(tool.pending(migrations, applied))
    newest = max((row.order for row in applied), default=0)
    for migration in missing:
        if migration not in runs:
            return not_applied(
                migration.file,
                f"its when is {migration.order}, not above {newest} of the newest one applied: {tool.name} skips it "
                "and reports success",
                f"Give it a when above {newest} in meta/_journal.json (or generate it again) and put it last",
            )
    return None
