"""What the package talks about: a migration in a folder, a row of the tool's own table, and the tool that knows both.

BrokenMigrationsError    the folder can't be read as migrations; carries one Refusal or more
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from environments.clients.postgres import Connection


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
    """Why nothing may run: what was found, the rule that it breaks, and what to do about it."""

    value: str
    rule: str
    remedy: str
    tag: str = ""

    def __str__(self) -> str:
        """Say it in plain words."""
        return f"{self.value}: {self.rule}. {self.remedy}."


class BrokenMigrationsError(Exception):
    """The folder can't be read as migrations; nothing was run."""

    def __init__(self, value: str, rule: str, remedy: str, *more: Refusal) -> None:
        """Tell the first problem of a folder and all others that were found with it."""
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
        """Return the rows of the tool's table, oldest first; none if the table isn't there."""
        ...

    def pending(self, migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> tuple[Migration, ...]:
        """Return what the tool would run, by its own rule; that is not always what should run."""
        ...
