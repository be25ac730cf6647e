"""The other databases on a branch: a branch has as many as its users make, and a copy of the branch holds them all.

The app uses one, which the settings name. Rows in the others are left behind as well when the pointer moves on, so they
count, and the app's login must not write there: no URL that follows the pointer leads to them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from environments.clients.lazy_imports import psycopg
from environments.clients.postgres import Connection, NotReadyError, connected, first_line, with_database
from environments.database.rows import RowCount, count_rows
from environments.ids import DatabaseName
from environments.review.model import TableRows

_OTHERS = """
SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> current_database()
ORDER BY datname
"""
_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class OtherDatabase:
    """A database besides the app's own: a session of the owner's in it, or the reason why there is none."""

    name: DatabaseName
    session: Connection | None
    reason: str = ""


@contextmanager
def other_databases(uri: str, connection: Connection) -> Iterator[list[OtherDatabase]]:
    """Open a session in each other database of the server that `connection`, made with `uri`, leads to."""
    names = [DatabaseName(str(name)) for (name,) in connection.execute(_OTHERS).fetchall()]
    with ExitStack() as open_:
        found = []
        for name in names:
            try:
                session = open_.enter_context(connected(with_database(uri, name), wait_seconds=_WAIT_SECONDS))
            except (NotReadyError, psycopg.Error) as error:
                reason = first_line(error) if isinstance(error, psycopg.Error) else str(error)
                found.append(OtherDatabase(name, None, reason))
            else:
                found.append(OtherDatabase(name, session))
        yield found


def count_others(databases: Sequence[OtherDatabase], baseline: int, seconds: float) -> RowCount:
    """Count the rows in `databases` that transactions from `baseline` on wrote, for at most `seconds` together.

    Transaction ids are the server's, so that one baseline holds for all its databases.
    """
    deadline = time.monotonic() + seconds
    tables: list[TableRows] = []
    missing: list[str] = []
    for database in databases:
        if database.session is None:
            missing.append(f"database {database.name} could not be opened ({database.reason})")
            continue
        left = max(0.0, deadline - time.monotonic())
        # In database postgres Neon keeps a table of its own, which its superuser writes to.
        count = count_rows(database.session, baseline, left, superusers=False)
        tables += [replace(each, table=f"{database.name}: {each.table}") for each in count.tables]
        missing += [f"in database {database.name} {count.missing}"] if count.missing else []
    return RowCount(tuple(tables), "; ".join(missing))


def together(first: RowCount, second: RowCount) -> RowCount:
    """Return both counts as one, with the words of the first on since when."""
    missing = "; ".join(text for text in (first.missing, second.missing) if text)
    return replace(first, tables=first.tables + second.tables, missing=missing)
