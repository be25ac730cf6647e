"""Which row of the tool's table speaks of which file: by name where one is kept, else by order, else by hash."""

from __future__ import annotations

from environments.migrations.model import Applied, Migration


def explained(migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> dict[int, Migration]:
    """Return the migration of each row (by the row's position); a row that no file explains is left out."""
    found: dict[int, Migration] = {}
    for position, row in enumerate(applied):
        match = _of(row, migrations)
        if match:
            found[position] = match
    return found


def _of(row: Applied, migrations: tuple[Migration, ...]) -> Migration | None:
    if row.name:
        return next((each for each in migrations if each.tag == row.name), None)
    same_order = [each for each in migrations if each.order == row.order]
    same_hash = [each for each in migrations if each.hash == row.hash]
    both = [each for each in same_order if each in same_hash]
    return next(iter([*both, *same_order, *same_hash]), None)
