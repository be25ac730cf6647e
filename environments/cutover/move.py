"""A move of the pointer that is under way: what its steps share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from environments.clients.deadline import TimeLimit
from environments.clients.postgres import Connection
from environments.clients.vercel import Vercel
from environments.cutover.guard import Missing
from environments.cutover.pointer import Pointer, StagedDeployment
from environments.cutover.served import ServedBranch
from environments.cutover.writes import owner_of
from environments.database.databases import OtherDatabase
from environments.database.rows import RowCount
from environments.database.write_lock import WriteLock
from environments.ids import DeploymentId, Transaction
from environments.migrations.restore_point import RestorePoint
from environments.plan.topology import Guard
from environments.props import Unknown, known


@dataclass
class Move:
    """One move of the pointer: from where, to where, and what its steps found on the way.

    `leaving` is None where the pointer stays on its branch, `newly` says that the branch doesn't serve yet, and `again`
    that the rows are carried over once more behind the fence. `served_before` is the branch that served until now, with
    the app's login there; None for the first move.
    """

    new: Pointer
    leaving: ServedBranch | None
    newly: bool
    again: bool = False
    restore_point: RestorePoint | Unknown | None = None
    served_before: ServedBranch | None = None

    open: ExitStack = field(default_factory=ExitStack)
    vercel: Vercel = field(init=False)
    domain: str = ""
    before: DeploymentId | None = None
    """The deployment that has the domain when the move begins."""
    since: Transaction | None = None
    """The transaction from which on the rows of a branch that serves newly are its visitors'."""
    writes_wait: ExitStack = field(default_factory=ExitStack)
    """What lasts exactly as long as the writes to the branch that is left have to wait: closed, they go on."""
    lock: WriteLock | None = None
    """On the branch that is left, once its writes wait or are about to."""
    others: Sequence[OtherDatabase] = ()
    """The other databases of the branch that is left, as long as its writes wait."""
    missing: Missing | None = None
    """From where on the branch that comes can miss rows of the one that is left."""
    count: RowCount | None = None
    stopped: int = 0
    """The transaction id that the branch that is left was to give out next when its writes stopped."""
    pause: TimeLimit | None = None
    """For how long writes may pause, once they do."""
    may_serve: bool = False
    """Whether the domain leads to the deployment, or may come to lead there since Vercel was asked to promote it."""
    began: float = 0.0
    paused: float = 0.0
    """Seconds for which nobody could write."""
    _owner: Connection | None = None

    @property
    def branch(self) -> ServedBranch:
        """The branch that is to serve."""
        return self.new.branch.made()

    @property
    def left(self) -> ServedBranch:
        """The branch that is left, for the steps that only such a move has."""
        if self.leaving is None:
            raise AssertionError("only a move that leaves a branch has this step")
        return self.leaving

    @property
    def deployment(self) -> StagedDeployment:
        """The deployment that is to have the domain; only production's moves have steps."""
        if self.new.deployment is None:
            raise AssertionError("only a pointer with a deployment has this step")
        return self.new.deployment

    @property
    def guard(self) -> Guard:
        """What the move may cost."""
        if self.new.guard is None:
            raise AssertionError("only a pointer with a guard has this step")
        return self.new.guard

    def look(self) -> None:
        """Find the domain, and the deployment that has it now."""
        self.vercel = self.open.enter_context(Vercel())
        self.domain = self.vercel.domain(known(self.new.vercel))
        self.before = self.vercel.serving(self.domain)
        self.may_serve = not self.promotes

    def start_pause(self) -> TimeLimit:
        """Start the time for which writes may pause."""
        seconds = self.guard.write_pause
        sentence = f"writes to {self.left.key} paused for {seconds} s, which is as long as safety.write_pause allows"
        self.began, self.pause = time.monotonic(), TimeLimit(seconds, sentence)
        return self.pause

    @property
    def changes_login(self) -> bool:
        """Whether the app gets another login on the branch that it stays on: its credentials are rotated."""
        return self.served_before is not None and self.served_before.role != self.new.branch.role

    @property
    def promotes(self) -> bool:
        """Whether the domain doesn't lead to the deployment yet."""
        return self.before != self.deployment.id

    def owner(self) -> Connection:
        """Return the connection of the owner of the branch that is to serve."""
        if self._owner is None:
            self._owner = self.open.enter_context(owner_of(self.branch))
        return self._owner
