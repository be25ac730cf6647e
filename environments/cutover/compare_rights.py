"""What the app could see and do until now, it can on the branch that comes: else the move is refused.

The login that served before is compared with the one that comes. Where there is none, or it can't be asked, the tables'
owner stands for it: with that login an app runs that had none of its own.
"""

from __future__ import annotations

from environments import log
from environments.clients.lazy_imports import psycopg
from environments.clients.postgres import UNREACHABLE, Connection
from environments.cutover.pointer import Pointer
from environments.cutover.promotion import MoveStep
from environments.cutover.served import ServedBranch
from environments.cutover.writes import owner_of
from environments.database.lost_rights import Comparison, Loss, compare, listed
from environments.database.rights import Rights, read_rights
from environments.errors import FailedError
from environments.props import Unknown


class RightsLostError(FailedError):
    """The app's login could do less on the branch that comes than the one before."""


class CompareRights(MoveStep):
    """Compares the two logins, before anything waits; it changes nothing."""

    sentence = "On {now} the app's login must be able to see and do what the one before it could."
    first = "On {now} the app's login must be able to use the tables that the database's owner can use."

    def explain(self) -> str:
        """Say with what it is compared."""
        return super().explain() if self._move.served_before else self.first.format(now=self._now)

    def run(self) -> None:
        """Refuse the move for what the app would miss, unless the stack file lists it."""
        move = self._move
        found = rights_compared(move.served_before, move.branch, move.owner())
        accepted = move.guard.fewer_rights
        if lost := found.refused(accepted):
            raise RightsLostError(lost_text(move.branch.key, lost))
        for note in found.told(accepted):
            log.info(note)


def rights_compared(before: ServedBranch | None, branch: ServedBranch, owner: Connection) -> Comparison:
    """Compare the login that served `before` with that of `branch`, whose `owner` is connected."""
    return _compared(before, branch, owner, read_rights(owner, branch.role))


def previewed_rights(before: ServedBranch | None, new: Pointer) -> tuple[tuple[Loss, ...], tuple[str, ...]]:
    """Return what the move would be refused for, and what is worth knowing, as far as the branch is there already.

    It is compared as if the app might write there already. A login that isn't made yet refuses nothing: no GRANT to it
    can be made before that.
    """
    accepted = new.guard.fewer_rights if new.guard else ()
    if isinstance(new.branch.address, Unknown) or isinstance(new.branch.baseline, Unknown):
        return (), ()
    branch = new.branch.made()
    try:
        with owner_of(branch) as owner:
            after = read_rights(owner, branch.role, opened=True)
            found = _compared(before, branch, owner, after)
    except (*UNREACHABLE, psycopg.Error) as error:
        return (), (f"{branch.key} could not be asked what its login may do: {error}",)
    lost, notes = found.refused(accepted), found.told(accepted)
    return (lost, notes) if after.exists else ((), (*map(str, lost), *notes))


def _compared(before: ServedBranch | None, branch: ServedBranch, owner: Connection, after: Rights) -> Comparison:
    was = before.key if before else ""
    return compare(_rights_before(before), after, read_rights(owner, branch.address.owner), was=was, now=branch.key)


def lost_text(key: str, lost: tuple[Loss, ...]) -> str:
    """Return the refusal of a move to the branch called `key`."""
    return f"the app could see or do less on {key} than before. {listed(lost)}"


def _rights_before(before: ServedBranch | None) -> Rights | None:
    """Return what the login that served before may do. A fence that is up on its branch doesn't count."""
    if before is None:
        return None
    try:
        with owner_of(before) as owner:
            found = read_rights(owner, before.role, opened=True)
    except (*UNREACHABLE, psycopg.Error) as error:
        log.warn(f"{before.key} could not be asked what its login may do ({error}): the owner is compared instead")
        return None
    return found if found.exists else None
