"""Whether a branch's database is still the one that it began as, which its baseline is taken from.

Neon can restore a branch in place: it keeps its id and its host and goes on with its own earlier content, or with
another branch's. The marker is part of the content. A database that has a branch's marker goes back to that branch as
it was when the marker was written, through clones and restores in any order; the transaction counter is part of the
content too, so that each row which was written since has an id from the marker's baseline on. A database without the
marker is of unknown descent, and only a count of every row is never too low.

That holds as long as no marker is made up: one that is written again takes its baseline from the marker that is there,
or is "0", and never from a state that remembers what the branch once held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from environments.clients.postgres import Connection
from environments.database.logins import existing
from environments.database.marker import read_marker
from environments.ids import BranchId, RoleName, Transaction

EVERY_ROW: Final = Transaction("0")
"""The baseline of a branch of unknown descent: each of its rows may be a user's."""


def baseline(connection: Connection) -> Transaction:
    """Return the oldest transaction id (64 bits, in decimal) that could still commit on this branch.

    The snapshot's lower end, not its upper one: a transaction in flight between the two would be missed.
    """
    row = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text").fetchone()
    if row is None:
        raise AssertionError("a SELECT without FROM returns a row")
    return Transaction(row[0])


def broken(connection: Connection, branch: BranchId, roles: Sequence[RoleName], baseline: Transaction) -> str:
    """Return why `baseline` says nothing of the rows in this database, or nothing if it holds."""
    if baseline == EVERY_ROW:
        return ""
    marker = read_marker(connection, roles, branch)
    if marker and marker.baseline == baseline:
        return ""
    if marker:
        return f"its database began with transaction {marker.baseline} and not with {baseline}"
    return (
        "its database has no marker of this branch, as after a restore from another branch or to a time before this "
        "one began"
    )


def missing_login(
    connection: Connection, branch: BranchId, role: RoleName, roles: Sequence[RoleName], baseline: Transaction
) -> str:
    """Return what a restore in place took from the login of `role`, one of `roles`; nothing if the login is whole."""
    if not existing(connection, [role]):
        return (
            f"the role {role} doesn't exist, as after a restore from another branch or to a time before the role was "
            "made"
        )
    return broken(connection, branch, roles, baseline)
