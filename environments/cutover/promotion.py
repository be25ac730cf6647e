"""The steps of a move up to the moment when the domain leads to the new deployment and answers: each can be undone.

From `Lock` to `Close` the writes to the branch that is left wait. That lasts as long as `move.writes_wait` is open, and
nothing has to succeed for it to end: what undoes the move lets writes go on first, and then leads the domain back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import ClassVar

from environments import log
from environments.clients.deadline import OutOfTimeError, seconds_left
from environments.clients.postgres import UNREACHABLE
from environments.cutover.guard import Missing, missing_in, require_allowed, rows_in
from environments.cutover.move import Move
from environments.cutover.probe import UnhealthyError, probe, probe_proven
from environments.cutover.served import ServedBranch
from environments.cutover.sessions import sessions_on
from environments.cutover.steps import Step
from environments.cutover.writes import close_for_writes, only_there, open_for_writes, owner_of, writes_waiting
from environments.database.copy.carry_over import carry_over, was_cut_short
from environments.database.databases import count_others, together
from environments.database.marker import BranchMarker, read_marker, write_marker
from environments.database.provenance import EVERY_ROW, baseline
from environments.database.rows import RowCount, count_rows, grown, larger, next_transaction
from environments.database.session_watch import watching
from environments.database.write_lock import LockLostError, WriteLock
from environments.errors import EnvironmentsError, FailedError
from environments.ids import DeploymentId
from environments.props import known

_DOMAIN_PATIENCE = 10.0
"""Seconds; short, since visitors write to the new branch meanwhile, and the deployment was healthy on its own host."""
_TO_TELL = 1.0
"""Seconds of the pause that are left when the health check gives up: so that what the app answered is told."""
_COUNT_SECONDS = 20.0
_LOOK_SECONDS = 2.0
"""For how long the domain is looked at while writes wait, after a promotion whose outcome isn't known."""
_LEAD_BACK_SECONDS = 60.0
"""For how long the domain is led back; writes go on meanwhile."""
_STAYED_SECONDS = 10.0
"""The same, while Vercel says that the domain never moved."""
_PAUSE = 0.1


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
    """Lets the app write to the branch that is to serve; undone, it tells what was written to it meanwhile.

    A branch to which the domain leads, or may come to lead, is never closed again.
    """

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
        if not self._move.may_serve:
            close_for_writes(owner, self._move.branch, None)
        count = count_rows(owner, int(since), _COUNT_SECONDS)
        wrote = f"Visitors wrote {count} to {self._now} in the meantime" if count.total or count.missing else ""
        if self._move.may_serve:
            stays = (
                f"{self._now} stays open for writes, since {self._move.domain} leads there or may come to lead there"
            )
            return f"{stays}. {wrote}" if wrote else stays
        return f"{wrote}: there they stay, read-only" if wrote else ""


class Probe(MoveStep):
    """Asks the staged deployment for its health, on its own host, and looks for the session with which it answers."""

    sentence = (
        "The staged deployment must pass its health check on its own host, and its login must be seen at work on {now} "
        "meanwhile."
    )
    unproven = "The staged deployment must pass its health check on its own host."

    def explain(self) -> str:
        return super().explain() if self._move.deployment.health.database else self.unproven

    def run(self) -> None:
        move, deployment = self._move, self._move.deployment
        if not move.promotes:
            return
        host, branch = known(deployment.url), move.branch
        if not deployment.health.database:
            probe(host, deployment.health, branch.address.branch)
            return
        with owner_of(branch) as owner, watching(owner, branch.role) as watch:
            probe_proven(host, deployment.health, branch.address.branch, watch, called=branch.key)

    def account(self, error: Exception) -> str:
        return _log_of(self._move, error)


class ProbeAgain(MoveStep):
    """Asks it once more, after the rows below it were replaced. Which database it uses is proven by then."""

    sentence = "The staged deployment must pass its health check again, on the rows that {now} holds now."

    def run(self) -> None:
        deployment = self._move.deployment
        probe(known(deployment.url), deployment.health, self._move.branch.address.branch)

    def account(self, error: Exception) -> str:
        return _log_of(self._move, error)


class Lock(MoveStep):
    """Lets writers to the branch that is left wait. One that can't be reached is left if any number of rows may be."""

    sentence = "Writes to {was} wait from here on; reads go on."

    def run(self) -> None:
        move, leaving = self._move, self._move.left
        move.open.callback(move.writes_wait.close)
        try:
            _hold_writes(move)
        except UNREACHABLE as error:
            move.count = RowCount((), f"its database could not be asked ({error})")
            require_allowed(move.guard, move.count, leaving.key)
            log.warn(f"{leaving.key} is left without a fence: {move.count.missing}")

    def undo(self) -> str:
        self._move.writes_wait.close()
        return ""


def _hold_writes(move: Move) -> WriteLock:
    """Let writers to the branch that is left wait until `move.writes_wait` is closed. What can be asked before, is."""
    waiting = move.writes_wait.enter_context(writes_waiting(move.left, move.guard))
    move.missing = missing_in(move.left, move.new, move.restore_point)
    with move.start_pause():
        waiting.lock.take()
    move.lock, move.others = waiting.lock, waiting.others
    return waiting.lock


def _count(move: Move) -> RowCount | None:
    """Count what stays on the branch that is left, in the transaction that holds the lock."""
    if move.lock is None or move.missing is None:
        return None
    return rows_in(move.lock.session, move.others, move.left, move.new, move.missing)


class CarryOver(MoveStep):
    """Copies the rows once more, behind the fence, so that none is left behind; undone by closing the copy."""

    sentence = "The rows of {was} are carried over to {now} once more, and compared."

    def run(self) -> None:
        move, branch = self._move, self._move.branch
        if move.lock is None:
            return
        log.info(f"carried over behind the fence: {carry_over(move.left.address, branch.address)}")
        with owner_of(branch) as copy:
            move.since = baseline(copy)
            open_for_writes(copy, branch)
        move.missing = missing_in(move.left, move.new, move.restore_point)


class CountRows(MoveStep):
    """Counts exactly what stays on the branch that is left."""

    sentence = "The rows that only {was} holds are counted; more than are allowed stop the move."

    def run(self) -> None:
        move, leaving = self._move, self._move.left
        if count := _count(move):
            move.count = count
            stays = f". The pointer stays on {leaving.key}, which takes writes again"
            require_allowed(move.guard, count, leaving.key, stays)


class Promote(MoveStep):
    """Gives the production domains to the staged deployment; undone, to the one that had them."""

    sentence = "The production domains move to that deployment; nothing is built."
    _begun = False

    def run(self) -> None:
        move = self._move
        if not move.promotes:
            return
        if move.lock:
            move.lock.require_held()
        self._begun = move.may_serve = True
        try:
            move.vercel.promote(known(move.new.vercel), known(move.deployment.id), move.domain)
        except Exception as error:
            if not self._moved_all_the_same():
                raise
            log.info(f"{error}. {move.domain} leads to {move.deployment.id} all the same, so the move goes on")

    def undo(self) -> str:
        self._move.writes_wait.close()
        if self._begun and self._move.before:
            self._lead_back(self._move.before)
        return ""

    def _moved_all_the_same(self) -> bool:
        deadline = time.monotonic() + _LOOK_SECONDS
        while self._leads_to() != self._move.deployment.id:
            if time.monotonic() > deadline or seconds_left() == 0:
                return False
            time.sleep(_PAUSE)
        return True

    def _lead_back(self, before: DeploymentId) -> None:
        """Promote the deployment that had the domain, until Vercel has taken that."""
        move, began = self._move, time.monotonic()
        while True:
            try:
                move.vercel.promote(known(move.new.vercel), before, move.domain)
            except EnvironmentsError as error:
                failure = error
            else:
                move.may_serve = False
                return
            leads, took = self._leads_to(), time.monotonic() - began
            if leads == before and took > _STAYED_SECONDS:
                return
            if took > _LEAD_BACK_SECONDS:
                where = f"leads to {leads}" if leads else "leads where nobody could find out"
                raise FailedError(f"{move.domain} {where}, and could not be led back to {before}: {failure}")
            time.sleep(_PAUSE)

    def _leads_to(self) -> DeploymentId | None:
        with contextlib.suppress(EnvironmentsError):
            return self._move.vercel.serving(self._move.domain)
        return None


class Verify(MoveStep):
    """Asks the domain for its health, as a visitor would; then the move is made."""

    sentence = "The domain must pass the health check, answered from {now}; else all of this is undone."

    def run(self) -> None:
        move, left = self._move, seconds_left()
        patience = _DOMAIN_PATIENCE if left is None else min(_DOMAIN_PATIENCE, max(0.0, left - _TO_TELL))
        probe(move.domain, move.deployment.health, move.branch.address.branch, patience)

    def account(self, error: Exception) -> str:
        return _log_of(self._move, error)


class Close(MoveStep):
    """Commits the lock's transaction: the writes that waited are denied, and so is every later one.

    A lock that was lost after the domain had moved let the writes through that waited: it is taken again, and the rows
    are counted again.
    """

    after_move = True
    sentence = "Writes to {was} stop for good: those that waited, and those that come later."

    def run(self) -> None:
        move = self._move
        with move.writes_wait:
            if move.lock:
                try:
                    move.stopped = move.lock.commit()
                except LockLostError as error:
                    log.warn(f"{error}. Writes to {self._was} went on meanwhile; its rows are counted again")
                    self._once_more()
            move.paused = time.monotonic() - move.began
        if move.lock is None or move.count is None:
            log.info(f"{self._now} serves. {self._was} could not be reached: it has no fence")
            return
        paused = f"writes paused for {move.paused:.2f} s, reads for none"
        log.info(f"{self._now} serves; {paused}. {self._was} is read-only now. {only_there(move.count)}")

    def _once_more(self) -> None:
        move = self._move
        move.writes_wait.close()
        lock = _hold_writes(move)
        move.count = _count(move)
        move.stopped = lock.commit()

    @property
    def owed(self) -> Mapping[str, ServedBranch]:
        return {self._move.left.address.branch: self._move.left}


class CountAgain(MoveStep):
    """Tells of rows that were written after writes had stopped: whoever can do that is not known."""

    after_move = True
    sentence = "Rows that somebody wrote to {was} after its writes had stopped are counted and told."

    def run(self) -> None:
        move = self._move
        if move.count is None or move.missing is None or not move.stopped:
            return
        try:
            written = self._written(move.count, move.missing)
        except UNREACHABLE as error:
            log.warn(f"{self._was} could not be asked for rows that were written after its writes had stopped: {error}")
            return
        after = f"to {self._was} after its writes had stopped"
        if written.missing:
            log.warn(f"whether rows were written {after} isn't sure: {written.missing}")
        if written.total:
            log.warn(
                f"{replace(written, missing='')} were written {after}, by a login that the fence does not hold: the "
                "owner's, or one of safety.other_writers. They exist only there"
            )

    def _written(self, count: RowCount, missing: Missing) -> RowCount:
        left = self._move.left
        with sessions_on(left) as on:
            if next_transaction(on.main) <= self._move.stopped:
                return RowCount(())
            later = together(
                count_rows(on.main, self._move.stopped, _COUNT_SECONDS),
                count_others(on.others, self._move.stopped, _COUNT_SECONDS),
            )
            # What began before writes stopped, and was committed after that, has an earlier id.
            return larger(later, grown(count, rows_in(on.main, on.others, left, self._move.new, missing)))


def _log_of(move: Move, error: Exception) -> str:
    """Return the deployment's log if that wasn't healthy. A log that can't be had doesn't hide the failure."""
    if isinstance(error, UnhealthyError | OutOfTimeError):
        with contextlib.suppress(EnvironmentsError):
            return move.vercel.log(known(move.deployment.id), [known(move.new.app_url)])
    return ""
