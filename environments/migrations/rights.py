"""What a run of migrations takes from the app's logins: rights, and the sight of rows.

Migrations run as the tables' owner, who notices nothing of it: row-level security that they switch on, a REVOKE, a new
owner, a schema that the app can't use.
"""

from __future__ import annotations

from collections.abc import Sequence

from environments.clients.postgres import Connection
from environments.database.logins import may_log_in
from environments.database.lost_rights import Comparison, Loss, compare_migrated, listed
from environments.database.rights import read_rights
from environments.ids import BranchKey, RoleName


class RightsBefore:
    """What the app's `roles` may do in a database before migrations run there; a role that is closed doesn't count."""

    def __init__(self, connection: Connection, roles: Sequence[RoleName]) -> None:
        """Read it now."""
        self._before = [read_rights(connection, role) for role in roles if may_log_in(connection, role)]

    def changed(self, connection: Connection, owner: RoleName) -> Comparison:
        """Return what they lost since, and what is new that the tables' `owner` can use and they can't."""
        if not self._before:
            return Comparison()
        owners = read_rights(connection, owner)
        found = [compare_migrated(each, read_rights(connection, each.role), owners) for each in self._before]
        return Comparison(
            losses=tuple(loss for each in found for loss in each.losses),
            notes=tuple(note for each in found for note in each.notes),
        )


def rights_refusal(key: BranchKey, lost: Sequence[Loss]) -> str:
    """Return why what was rehearsed may not run on the branch called `key`."""
    return (
        f"the rehearsal on a copy of {key} shows that the app would see or do less there, {key} itself is untouched: "
        f"{listed(lost)}"
    )


def rights_warning(key: BranchKey, lost: Sequence[Loss]) -> str:
    """Return what is wrong on the branch called `key` after a run that nobody rehearsed."""
    return f"the app sees or does less on {key} since these migrations ran, which nobody rehearsed. {listed(lost)}"
