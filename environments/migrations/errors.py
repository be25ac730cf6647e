"""Why a run of migrations failed: the file, the statement, the database's error and what to do.

MigrationFailedError    a migration did not do what it says (a FailedError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from environments.clients.lazy_imports import psycopg
from environments.errors import FailedError
from environments.migrations.sql import without_passwords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.migrations.model import Migration

_LONGEST = 300
"""Characters of a statement that an error shows."""

_REMEDIES = {
    "55P03": "Other sessions held a lock on the table for longer than lock_timeout. Find them in pg_stat_activity, or "
    "run it when less is going on; nothing waited for longer than that",
    "57014": "It took longer than statement_timeout. Split it, or raise statement_timeout if the rehearsal's locks "
    "allow it",
    "40P01": "It waited in a circle with the app's own transactions. Run it again",
    "25001": "It can't run inside the one transaction of all migrations. Run it by hand, or find a form that can",
    "42501": "Migrations run as the database's owner, which may not do this",
    "28P01": "The password of the database's owner is wrong. Run pulumi up again, which asks Neon for the current one",
}
_DUPLICATES = frozenset({"42P07", "42710", "42701", "42P06"})
_UNREACHABLE = "The database could not be reached. Check that its compute runs, then run pulumi up again"


class MigrationFailedError(FailedError):
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
        message = f"{where}{reason}{code}"
        if statement:
            message += f"\n  {_shortened(statement)}\n"
        super().__init__(f"{message}{'' if statement else '. '}{self.remedy}".strip().rstrip("."))

    @classmethod
    def of(cls, error: psycopg.Error, migration: Migration, number: int, *, first: bool) -> Self:
        """Return psycopg's error of one statement; `first` says that the tool has never run here."""
        return cls.of_report(error.sqlstate or "", primary_message(error), migration, number, first=first)

    @classmethod
    def of_report(cls, sqlstate: str, message: str, migration: Migration, number: int, *, first: bool) -> Self:
        """Return the database's error of one statement, without its detail, which can hold rows."""
        remedy = ""
        if first and sqlstate in _DUPLICATES:
            remedy = (
                "The tool's table is empty, so all migrations count as pending. What they make exists already: it was "
                "made by other means (drizzle-kit push, a dump). Note those migrations as applied in the tool's table"
            )
        return cls(
            message,
            file=migration.file,
            number=number,
            statement=migration.statements[number - 1],
            sqlstate=sqlstate,
            remedy=remedy,
        )


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


def primary_message(error: psycopg.Error) -> str:
    """Return psycopg's message without the detail, which can hold rows."""
    return error.diag.message_primary or next(iter(str(error).strip().splitlines()), type(error).__name__)


def _is_unreachable(code: str) -> bool:
    return code.startswith(("08", "57P", "ECONN", "ENOTFOUND", "EPIPE", "ETIMEDOUT", "EAI_"))


def _shortened(statement: str) -> str:
    text = without_passwords(statement) if "password" in statement.lower() else statement
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
