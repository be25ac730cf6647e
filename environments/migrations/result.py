"""What a run of migrations came to: what was applied and how long each statement took, or which one failed and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from environments.clients.lazy_imports import psycopg
from environments.migrations.sql import without_passwords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.migrations.model import Migration

_SHOWN = 300
"""Characters of a statement that an error shows."""

_REMEDIES = {
    "55P03": "Others held a lock on the table for longer than lock_timeout. Find them in pg_stat_activity, or run it "
    "when less is going on; nothing waited for longer than that",
    "57014": "It took longer than statement_timeout. Split it, or raise statement_timeout if the rehearsal's locks "
    "allow it",
    "40P01": "It waited in a circle with the app's own transactions. Run it again",
    "25001": "It can't run inside the one transaction of all migrations: run it by hand, or find a form that can",
    "42501": "Migrations run as the database's owner, which may not do this",
    "28P01": "The password of the database's owner doesn't open it. Run pulumi up again, which asks Neon for it anew",
}
_DUPLICATES = frozenset({"42P07", "42710", "42701", "42P06"})
_UNREACHABLE = "The database could not be reached. See whether its compute runs, then run pulumi up again"


@dataclass(frozen=True)
class StatementTime:
    """How long one statement took: which of the file's it is, counted from one."""

    file: str
    number: int
    statement: str
    seconds: float


@dataclass(frozen=True)
class Run:
    """What was applied, by tag, how long that took, and what the reader should know although it worked."""

    applied: tuple[str, ...]
    seconds: float
    statements: tuple[StatementTime, ...] = ()
    warning: str = ""


class MigrationFailedError(Exception):
    """A migration did not do what it says; all of the run was rolled back unless the message says otherwise."""

    def __init__(
        self, reason: str, *, file: str = "", number: int = 0, statement: str = "", sqlstate: str = "", remedy: str = ""
    ) -> None:
        """Say where it failed, with what, and what to do."""
        self.reason, self.file, self.number, self.statement = reason, file, number, statement
        self.sqlstate = sqlstate
        self.remedy = remedy or _REMEDIES.get(sqlstate, _UNREACHABLE if _is_unreachable(sqlstate) else "")
        where = f"{file}, statement {number}: " if number else f"{file}: " if file else ""
        code = f" (SQLSTATE {sqlstate})" if len(sqlstate) == 5 else f" ({sqlstate})" if sqlstate else ""
        told = f"{where}{reason}{code}"
        if statement:
            told += f"\n  {_short(statement)}\n"
        super().__init__(f"{told}{'' if statement else '. '}{self.remedy}".strip().rstrip("."))

    @classmethod
    def of(cls, error: psycopg.Error, migration: Migration, number: int, *, first: bool) -> Self:
        """Return what psycopg says of one statement; `first` says that the tool has never run here."""
        return cls.of_report(error.sqlstate or "", told_by(error), migration, number, first=first)

    @classmethod
    def of_report(cls, sqlstate: str, message: str, migration: Migration, number: int, *, first: bool) -> Self:
        """Return what the database says of one statement, without its detail, which can hold rows."""
        remedy = ""
        if first and sqlstate in _DUPLICATES:
            remedy = (
                "The tool's table is empty, so all migrations count as pending, but what they make is there already: "
                "made by other means (drizzle-kit push, a dump). Note those as applied in the tool's table"
            )
        return cls(
            message,
            file=migration.file,
            number=number,
            statement=migration.statements[number - 1],
            sqlstate=sqlstate,
            remedy=remedy,
        )


def not_applied(file: str, reason: str, remedy: str) -> MigrationFailedError:
    """Return the error of a tool that says nothing, or even reports success."""
    return MigrationFailedError(reason, file=file, remedy=remedy)


def unreachable(error: Exception) -> MigrationFailedError:
    """Return the error of a database that took no connection."""
    refused = "authentication failed" in str(error)
    return MigrationFailedError(str(error), remedy=_REMEDIES["28P01"] if refused else _UNREACHABLE)


def find_statement(migrations: Sequence[Migration], text: str) -> tuple[Migration, int] | None:
    """Return the migration in which `text` is a statement, and which one, counted from one."""
    for migration in migrations:
        for number, statement in enumerate(migration.statements, 1):
            if statement.strip() == text.strip():
                return migration, number
    return None


def told_by(error: psycopg.Error) -> str:
    """Return what psycopg says, without the detail, which can hold rows."""
    return error.diag.message_primary or next(iter(str(error).strip().splitlines()), type(error).__name__)


def _is_unreachable(code: str) -> bool:
    return code.startswith(("08", "57P", "ECONN", "ENOTFOUND", "EPIPE", "ETIMEDOUT", "EAI_"))


def _short(statement: str) -> str:
    text = without_passwords(statement) if "password" in statement.lower() else statement
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
