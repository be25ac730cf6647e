"""A move of the pointer: which steps it takes, and what is noted of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from environments.cutover.aftermath import CloseLastLogin, Drain, DropClaim, FenceLater, NoteServed
from environments.cutover.compare_rights import CompareRights
from environments.cutover.guard import copies_again
from environments.cutover.move import Move
from environments.cutover.pointer import Outputs, Pointer, Served, Service
from environments.cutover.promotion import (
    CarryOver,
    ClaimBranch,
    Close,
    CountAgain,
    CountRows,
    Lock,
    OpenBranch,
    Probe,
    ProbeAgain,
    Promote,
    Refill,
    Verify,
)
from environments.cutover.served import ServedBranch
from environments.cutover.steps import Step, run_steps
from environments.ids import DeploymentId
from environments.props import known


def steps_of(move: Move, old: Pointer | None, waiting: Mapping[str, ServedBranch] | None = None) -> list[Step]:
    """Return the steps of a move, in their order; `waiting` are branches whose fence an earlier move left undone."""
    new = move.new
    later = dict(waiting or {})
    if move.leaving and not move.guard.fence_first:
        later[move.leaving.address.branch] = move.leaving
    later.pop(str(new.branch.id), None)
    claimed = old.branch.made() if old and move.newly and old.branch.claim else None
    steps: list[Step] = []
    if new.deployment:
        steps += _up_to_the_move(move)
        if move.leaving and move.guard.fence_first:
            steps.append(Close(move))
    steps += [NoteServed(new), CloseLastLogin(new)]
    if move.leaving:
        steps.append(Drain(move.leaving))
        if new.deployment and move.guard.fence_first and not move.leaving.claim:
            steps.append(CountAgain(move))
    if claimed:
        steps.append(DropClaim(claimed))
    return steps + [FenceLater(branch, new) for branch in later.values()]


def _up_to_the_move(move: Move) -> list[Step]:
    steps: list[Step] = [Refill(move)] if move.again else []
    if move.newly and move.new.branch.claim:
        steps.append(ClaimBranch(move))
    steps.append(OpenBranch(move))
    if move.newly or move.changes_login:
        steps.append(CompareRights(move))
    steps.append(Probe(move))
    if move.leaving and move.guard.fence_first:
        steps.append(Lock(move))
        if move.again:
            steps.append(CarryOver(move))
        steps.append(CountRows(move))
        if move.again:
            steps.append(ProbeAgain(move))
    return [*steps, Promote(move), Verify(move)]


def move_between(old: Pointer | None, new: Pointer) -> Move:
    """Return the move from where the pointer leads to where it is to; `old` is None for the first one.

    A branch in another Neon project is asked whether its rows are to be carried over again.
    """
    newly = old is None or old.branch.id != new.branch.id
    leaving = old.branch.made() if old and newly and new.guard else None
    again = leaving is not None and copies_again(leaving, new)
    before = old.branch.made() if old and new.deployment else None
    point = old.restore_point if old else None
    return Move(new, leaving, newly=newly, again=again, restore_point=point, served_before=before)


def cut_over(new: Pointer, old: Pointer | None, before: Outputs | None) -> Outputs:
    """Point as `new` says and return what is noted of it; `old` and `before` are of the last time, None for the first.

    Raises UndoneError, after everything that was done is undone.
    """
    move = move_between(old, new)
    waiting = before.unfinished.fence if before and before.unfinished else {}
    steps = steps_of(move, old, waiting)
    with move.open:
        if new.deployment:
            move.look()
        unfinished = run_steps(steps, new.branch.key)
    served = served_by(new)
    service = Service(
        branch=served.branch,
        id=served.id,
        deployment=served.deployment,
        since=served.since,
        baseline=known(new.branch.baseline),
        credentials=known(new.branch.fingerprint),
    )
    history = before.history if before else {}
    return Outputs(served=served, domain=move.domain, history={**history, served.id: service}, unfinished=unfinished)


def served_by(new: Pointer) -> Served:
    """Return what a stack exports of its pointer as of now."""
    return Served(
        branch=new.branch.key,
        id=known(new.branch.id),
        deployment=known(new.deployment.id) if new.deployment else DeploymentId(""),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )
