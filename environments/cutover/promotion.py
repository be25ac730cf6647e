"""The steps of a move up to the moment when the domain leads to the new deployment and answers: each can be undone.

A connection that a step opens stays open until the move is over, so that the step can be undone whatever happens.
"""

from __future__ import annotations

import contextlib
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import ClassVar

from environments import log
from environments.clients.deadline import OutOfTimeError
from environments.clients.postgres import UNREACHABLE
from environments.cutover.guard import require_allowed, rows_of
from environments.cutover.move import Move
from environments.cutover.probe import UnhealthyError, probe
from environments.cutover.steps import Step
from environments.cutover.writes import close_for_writes, only_there, open_for_writes, owner_of
from environments.database.copy.carry_over import carry_over, was_cut_short
from environments.database.marker import BranchMarker, read_marker, write_marker
from environments.database.provenance import EVERY_ROW, baseline
from environments.database.rows import RowCount, count_rows
from environments.errors import EnvironmentsError
from environments.props import known

_DOMAIN_PATIENCE = 10.0
"""Seconds; short, since visitors write to the new branch meanwhile, and the deployment was healthy on its own host."""
_COUNT_SECONDS = 20.0


class MoveStep(Step):
    """A step of a move. In its sentence `{was}` stands for the branch that is left, `{now}` for the one that comes."""

    sentence: ClassVar[str]

    def __init__(self, move: Move) -> None:
        self._move = move
        self._was = move.leaving.key if move.leaving else ""
        self._now = move.new.branch.key
        self._stack = move.new.branch.claim.stack if move.new.branch.claim else ""

    def explain(self) -> str:
        return self.sentence.format(was=self._was, now=self._now, stack=self._stack)

    @property
    def limit(self) -> AbstractContextManager[object]:
        return self._move.pause or nullcontext()


class Refill(MoveStep):
    """Fills a copy that a killed update left without its rows: the probe comes before the fence, and needs them."""

    sentence = "{now} is filled again if an update was cut short while it was filled."

    def run(self) -> None:
        source, target = self._move.left.address, self._move.branch.address
        if was_cut_short(target):
            log.info(f"an update was cut short while the rows were carried over: {carry_over(source, target)}")


class ClaimBranch(MoveStep):
    """Tells the stack that owns the branch what is needed of it, before anything points to it."""

    sentence = "{now} is marked as served by {stack}, so that its own stack neither shrinks nor drops it."
    _marker: BranchMarker | None = None

    def run(self) -> None:
        owner, branch = self._move.owner(), self._move.branch
        found = read_marker(owner, list(branch.roles), branch.address.branch)
        self._marker = found or BranchMarker(branch.address.branch, EVERY_ROW)
        write_marker(owner, branch.role, replace(self._marker, claim=branch.claim))

    def undo(self) -> str:
        if self._marker is not None:
            branch = self._move.branch
            write_marker(self._move.owner(), branch.role, self._marker)
        return ""


class OpenBranch(MoveStep):
    """Lets the app write to the branch that is to serve; undone, it tells what was written to it meanwhile."""

    sentence = "The app may write to {now}."

    def run(self) -> None:
        owner = self._move.owner()
        if self._move.newly:
            self._move.since = baseline(owner)
        open_for_writes(owner, self._move.branch)

    def undo(self) -> str:
        since = self._move.since
        if since is None:
            return ""
        owner = self._move.owner()
        close_for_writes(owner, self._move.branch)
        count = count_rows(owner, int(since), _COUNT_SECONDS)
        if not (count.total or count.missing):
            return ""
        return f"Visitors wrote {count} to {self._now} in the meantime: there they stay, read-only"


class Probe(MoveStep):
    """Asks the staged deployment for its health, on its own host."""

    sentence = "The staged deployment must pass its health check on its own host."

    def run(self) -> None:
        if self._move.promotes:
            self._ask()

    def _ask(self) -> None:
        deployment = self._move.deployment
        probe(known(deployment.url), deployment.health, self._move.branch.address.branch)

    def account(self, error: Exception) -> str:
        return _log_of(self._move, error)


class ProbeAgain(Probe):
    """Asks it once more, after the rows below it were replaced."""

    sentence = "The staged deployment must pass its health check again, on the rows that {now} holds now."

    def run(self) -> None:
        self._ask()


class Fence(MoveStep):
    """Stops the writes to the branch that is left. One that can't be reached is left if any number of rows may be."""

    sentence = "Writes to {was} stop; reads go on."

    def run(self) -> None:
        move, leaving = self._move, self._move.left
        try:
            owner = move.open.enter_context(owner_of(leaving))
        except UNREACHABLE as error:
            move.count = RowCount((), f"its database could not be asked ({error})")
            require_allowed(move.guard, move.count, leaving.key)
            log.warn(f"{leaving.key} is left without a fence: {move.count.missing}")
            return
        move.fenced = owner
        with move.start_pause():
            close_for_writes(owner, leaving)

    def undo(self) -> str:
        if self._move.fenced is not None:
            open_for_writes(self._move.fenced, self._move.left)
        return ""


class CarryOver(MoveStep):
    """Copies the rows once more, behind the fence, so that none is left behind; undone by closing the copy."""

    sentence = "The rows of {was} are carried over to {now} once more, and compared."

    def run(self) -> None:
        move, branch = self._move, self._move.branch
        if move.fenced is None:
            return
        log.info(f"carried over behind the fence: {carry_over(move.left.address, branch.address)}")
        with owner_of(branch) as copy:
            move.since = baseline(copy)
            open_for_writes(copy, branch)


class CountRows(MoveStep):
    """Counts exactly what stays on the branch that is left."""

    sentence = "The rows that only {was} holds are counted; more than are allowed stop the move."

    def run(self) -> None:
        move, leaving = self._move, self._move.left
        if move.fenced is None:
            return
        move.count = rows_of(leaving, move.new, point=move.restore_point)
        stays = f". The pointer stays on {leaving.key}, which takes writes again"
        require_allowed(move.guard, move.count, leaving.key, stays)


class Promote(MoveStep):
    """Gives the production domains to the staged deployment; undone, to the one that had them."""

    sentence = "The production domains move to that deployment; nothing is built."
    _begun = False

    def run(self) -> None:
        move = self._move
        if move.promotes:
            self._begun = True
            move.vercel.promote(known(move.new.vercel), known(move.deployment.id), move.domain)
        move.paused = time.monotonic() - move.began

    def undo(self) -> str:
        move = self._move
        if self._begun and move.before:
            move.vercel.promote(known(move.new.vercel), move.before, move.domain)
        return ""


class Verify(MoveStep):
    """Asks the domain for its health, as a visitor would; then the move is made."""

    sentence = "The domain must pass the health check, answered from {now}; else all of this is undone."

    def run(self) -> None:
        move = self._move
        probe(move.domain, move.deployment.health, move.branch.address.branch, _DOMAIN_PATIENCE)
        if move.count is None:
            return
        if move.fenced is None:
            log.info(f"{self._now} serves. {self._was} could not be reached: it has no fence")
            return
        paused = f"writes paused for {move.paused:.2f} s, reads for none"
        log.info(f"{self._now} serves; {paused}. {self._was} is read-only now. {only_there(move.count)}")

    def account(self, error: Exception) -> str:
        return _log_of(self._move, error)


def _log_of(move: Move, error: Exception) -> str:
    """Return the deployment's log if that wasn't healthy. A log that can't be had doesn't hide the failure."""
    if isinstance(error, UnhealthyError | OutOfTimeError):
        with contextlib.suppress(EnvironmentsError):
            return move.vercel.log(known(move.deployment.id), [known(move.new.app_url)])
    return ""
