"""What the package talks about: a migration in a folder, a row of the tool's own table, and the tool that knows both.

BrokenMigrationsError    the folder can't be read as migrations; carries one Refusal or more (a RefusedError)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from environments.clients.postgres import Connection
from environments.errors import RefusedError


@dataclass(frozen=True)
class Migration:
    """One file of SQL; `statements` are what the tool sends one by one, `file` is relative to the folder.

    `hash` is the sha256 of the file in hex. `order` is what the tool sorts by: milliseconds since 1970 (drizzle 0.x),
    YYYYMMDDhhmmss (drizzle 1.0), the number of the file (plain SQL).
    """

    tag: str
    file: str
    hash: str
    order: int
    statements: tuple[str, ...]
    text: str = field(default="", repr=False)
    """The whole file."""


@dataclass(frozen=True)
class Applied:
    """One row of the tool's own table; `order` is on the scale of Migration.order, `name` the tag where it is kept."""

    hash: str
    order: int
    name: str = ""


@dataclass(frozen=True)
class Refusal:
    """Why no migration may run: what was found, the rule that it breaks, and what to do about it."""

    value: str
    rule: str
    remedy: str
    tag: str = ""

    def __str__(self) -> str:
        """Show what was found, the rule and the remedy."""
        return f"{self.value}: {self.rule}. {self.remedy}."


class BrokenMigrationsError(RefusedError):
    """The folder can't be read as migrations; nothing was run."""

    def __init__(self, value: str, rule: str, remedy: str, *more: Refusal) -> None:
        """Name the first problem of a folder and all others that were found with it."""
        self.refusals = (Refusal(value, rule, remedy), *more)
        super().__init__("\n".join(str(refusal) for refusal in self.refusals))


def refuse_broken(problems: list[Refusal]) -> None:
    """Raise BrokenMigrationsError with all problems, if there are any."""
    if problems:
        first, *more = problems
        raise BrokenMigrationsError(first.value, first.rule, first.remedy, *more)


class Tool(Protocol):
    """One kind of migrations folder and the table in which its runner keeps what it has run."""

    @property
    def name(self) -> str:
        """What a reader knows the tool by."""
        ...

    @property
    def single_transaction(self) -> bool:
        """Whether all pending migrations run in one transaction; else each file has its own."""
        ...

    def read(self, folder: Path) -> tuple[Migration, ...]:
        """Return the folder's migrations in the order in which they run; raises BrokenMigrationsError."""
        ...

    def applied(self, connection: Connection) -> tuple[Applied, ...]:
        """Return the rows of the tool's table, oldest first; none if there is no such table."""
        ...

    def pending(self, migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> tuple[Migration, ...]:
        """Return what the tool would run, by its own rule; that is not always what should run."""
        ...


def explained(migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> dict[int, Migration]:
    """Return the migration of each row, by the row's position; a row that no file explains is left out.

    A row is matched by its name where the table keeps one, else by its order, else by its hash.
    """
    found: dict[int, Migration] = {}
    for position, row in enumerate(applied):
        match = _migration_of(row, migrations)
        if match:
            found[position] = match
    return found


def _migration_of(row: Applied, migrations: tuple[Migration, ...]) -> Migration | None:
    if row.name:
        return next((each for each in migrations if each.tag == row.name), None)
    same_order = [each for each in migrations if each.order == row.order]
    same_hash = [each for each in migrations if each.hash == row.hash]
    both = [each for each in same_order if each in same_hash]
    return next(iter([*both, *same_order, *same_hash]), None)
