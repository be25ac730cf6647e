"""The steps after a move, before the compute of the branch that was left shrinks: the pointer moved, whatever fails."""

from __future__ import annotations

from collections.abc import Mapping

from environments import log
from environments.cutover.guard import rows_of
from environments.cutover.pointer import Pointer
from environments.cutover.served import ServedBranch
from environments.cutover.steps import Step
from environments.cutover.writes import close_for_writes, is_reachable, only_there, owner_of
from environments.database.logins import close_login, drain
from environments.database.marker import BranchMarker, drop_claim, read_marker, write_marker
from environments.database.provenance import EVERY_ROW
from environments.props import known


class NoteServed(Step):
    """Notes on the branch which deployment serves it, and what is needed of it where another stack owns it."""

    after_move = True

    def __init__(self, new: Pointer) -> None:
        self._new = new

    def explain(self) -> str:
        return f"{self._new.branch.key} notes that it serves, and by which deployment."

    def run(self) -> None:
        branch, deployment = self._new.branch.made(), self._new.deployment
        with owner_of(branch) as owner:
            found = read_marker(owner, list(branch.roles), branch.address.branch)
            # Its baseline is what the branch says itself: none is made up from what a state remembers.
            began = found.baseline if found else EVERY_ROW
            marker = BranchMarker(
                branch.address.branch, began, known(deployment.id) if deployment else None, branch.claim
            )
            write_marker(owner, branch.role, marker)


class CloseLastLogin(Step):
    """Closes the login of the generation before: the app had it until its credentials were rotated."""

    after_move = True

    def __init__(self, new: Pointer) -> None:
        self._new = new

    def explain(self) -> str:
        return f"A login on {self._new.branch.key} that the app no longer uses is closed."

    def run(self) -> None:
        branch = self._new.branch.made()
        with owner_of(branch) as owner:
            for role in branch.roles:
                if role != branch.role:
                    close_login(owner, role)


class Drain(Step):
    """Lets what is under way on the branch that was left come to its end."""

    after_move = True

    def __init__(self, left: ServedBranch) -> None:
        self._left = left

    def explain(self) -> str:
        return f"Requests that still run on {self._left.key} get up to 5 s to end."

    def run(self) -> None:
        if is_reachable(self._left):
            with owner_of(self._left) as owner:
                drain(owner, list(self._left.roles))


class DropClaim(Step):
    """Takes back the claim on another stack's branch that was left."""

    after_move = True

    def __init__(self, left: ServedBranch) -> None:
        self._left = left

    def explain(self) -> str:
        return (
            f"{self._left.key} is no longer marked as served by {self._left.claim.stack if self._left.claim else ''}."
        )

    def run(self) -> None:
        if is_reachable(self._left):
            with owner_of(self._left) as owner:
                drop_claim(owner, list(self._left.roles), self._left.address.branch)

    @property
    def owed(self) -> Mapping[str, ServedBranch]:
        return {self._left.address.branch: self._left}


class FenceLater(Step):
    """Stops the writes to a branch whose fence waited for the move, or that an earlier update left without one."""

    after_move = True

    def __init__(self, left: ServedBranch, new: Pointer) -> None:
        self._left, self._new = left, new

    def explain(self) -> str:
        return f"Writes to {self._left.key} stop, and the rows that only it holds are counted."

    def run(self) -> None:
        left = self._left
        with owner_of(left) as owner:
            close_for_writes(owner, left, self._new.guard.other_writers if self._new.guard else ())
            drop_claim(owner, list(left.roles), left.address.branch)
        count = rows_of(left, self._new)
        log.info(f"{self._new.branch.key} serves. {left.key} is read-only now. {only_there(count)}")

    @property
    def owed(self) -> Mapping[str, ServedBranch]:
        return {self._left.address.branch: self._left}
