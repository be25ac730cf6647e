"""Whether a branch's database is still the one that it began as, which its baseline is taken from.

Neon can restore a branch in place: it keeps its id and its host and goes on with its own earlier content, or with
another branch's. The mark travels with the content. A database that bears a branch's mark goes back to that branch as
it was when the mark was written, through clones and restores in any order; the transaction counter travels with the
content too, so that each row which was written since has an id from the mark's baseline on. A database without the mark
is of unknown descent, and only a count of every row is never too low.

That holds as long as no mark is made up: one that is written anew takes its baseline from the mark that is there, or
is "0", and never from a state that remembers what the branch once held.
"""

from __future__ import annotations

from typing import Any, Final

from environments.clients.postgres import Connection
from environments.database.logins import existing
from environments.database.marker import read_mark
from environments.ids import Transaction

EVERY_ROW: Final = Transaction("0")
"""The baseline of a branch of unknown descent: each of its rows may be a user's."""


def broken(connection: Connection, branch: str, roles: list[str], baseline: str) -> str:
    """Return why `baseline` says nothing of the rows in this database, or nothing if it holds."""
    if baseline == EVERY_ROW:
        return ""
    mark = read_mark(connection, roles, branch)
    if mark and mark.baseline == baseline:
        return ""
    if mark:
        return f"its database began with transaction {mark.baseline} and not with {baseline}"
    return "its database bears no mark of its own, as after a restore from elsewhere or to before it began"


def lost(connection: Connection, props: dict[str, Any]) -> str:
    """Return what the credentials of `props` (an AppLogin') lack in this database, or nothing."""
    if not existing(connection, [props["role"]]):
        return f"the role {props['role']} isn't there, as after a restore from elsewhere or to before it was made"
    return broken(connection, props["branch"], props["roles"], props["baseline"])
