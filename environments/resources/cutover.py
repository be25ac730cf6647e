"""Cutover: the pointer. Its state says which branch serves, and with what each branch that ever served did so.

What a move costs is counted and refused here, before anything happens. The move itself is in `environments.cutover`.
"""

from __future__ import annotations

from dataclasses import replace

from environments import log
from environments.clients.comparing import comparing
from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, NotReadyError, connected
from environments.clients.vercel import Vercel, visit
from environments.cutover.compare_rights import lost_text, previewed_rights
from environments.cutover.cut_over import cut_over, move_between, served_by, steps_of
from environments.cutover.deployment_marks import DeploymentMarks
from environments.cutover.first_cutover import domain_holder, first_refusal
from environments.cutover.guard import move_refusal, pause_refusal, require_allowed, rows_of, swap_refusal
from environments.cutover.other_writers import find_other_writers, writers_refusal
from environments.cutover.pointer import BranchToServe, Outputs, Pointer, StagedDeployment, Unfinished
from environments.cutover.review import first_review, move_review, renamed_review, same_branch_review
from environments.cutover.served import ServedBranch
from environments.cutover.steps import explain
from environments.cutover.writes import owner_of
from environments.database.fence import is_fenced
from environments.database.marker import last_served, read_claims, read_marker
from environments.database.provenance import EVERY_ROW, broken
from environments.errors import RefusedError
from environments.ids import BranchId, BranchKey, Fingerprint, NeonProject, Transaction
from environments.plan.topology import Guard
from environments.props import Unknown, known
from environments.resources.typed import Checked, State, Typed
from environments.review.model import MoveReview
from environments.review.telling import tell

__all__ = ["Cutover", "Outputs", "Pointer"]


class CutoverRefusedError(RefusedError):
    """The pointer may not make this move."""


class Cutover(Typed[Pointer, Outputs]):
    """Moves the pointer; deleting the resource moves nothing."""

    def check(self, old: Pointer | None, new: Pointer) -> Checked[Pointer]:
        """Refuse a move that leaves rows behind, and tell the reviewer what the move means. Changes nothing."""
        if new.guard and not comparing() and (review := _reviewed(old, new, new.guard)):
            tell(review)
        return Checked(new)

    def stale(self, old: State[Pointer, Outputs], new: Pointer) -> bool:
        """Tell of a step that the last move left undone."""
        return old.outputs.unfinished is not None

    def create(self, new: Pointer) -> tuple[str, Outputs]:
        """Point for the first time."""
        return "cutover", cut_over(new, None, None)

    def update(self, old: State[Pointer, Outputs], new: Pointer) -> Outputs:
        """Point to another branch, or to another deployment on the same one."""
        return cut_over(new, old.inputs, old.outputs)

    def read(self, old: State[Pointer, Outputs]) -> State[Pointer, Outputs]:
        """Look where the domain really leads, whether the served branch takes writes and what its baseline is worth.

        What a cutover that was cut short left, or a promotion by hand, is taken into the state as the pointer that it
        is: the next update counts and moves from there. Where pushes deploy (redeploy), what was pushed since is as it
        should be.
        """
        if old.inputs.deployment is None:
            return old
        found = _left_claimed(_really_served(old, old.inputs.deployment))
        branch = found.inputs.branch
        made = branch.made()
        try:
            with owner_of(made) as connection:
                if is_fenced(connection, made.role):
                    branch = replace(branch, fingerprint=Fingerprint(""))
                if broken(connection, made.address.branch, list(made.roles), made.baseline):
                    branch = replace(branch, baseline=EVERY_ROW)
        except UNREACHABLE as error:
            log.warn(f"{made.key} could not be asked whether it takes writes: {error}")
        return replace(found, inputs=replace(found.inputs, branch=branch))


def _reviewed(old: Pointer | None, new: Pointer, guard: Guard) -> MoveReview | None:
    """Return the review of what would happen to the pointer, None if nothing. Raises RefusedError if it may not."""
    if old is None:
        holder = domain_holder(new)
        if refusal := swap_refusal(new) or first_refusal(new, holder):
            raise CutoverRefusedError(refusal)
        steps = explain(steps_of(move_between(None, new), None))
        return first_review(new, holder.deployment if holder else "", steps, rights=_rights(None, new))
    if old.branch.id == new.branch.id:
        if old.branch.key != new.branch.key:
            return renamed_review(old, new)
        if _id(old) == _id(new):
            return None
        rotated = old.branch.role != new.branch.role
        rights = _rights(old.branch.made(), new) if rotated else ()
        return same_branch_review(new, explain(steps_of(move_between(old, new), old)), rights=rights)
    again = _served_before(new)
    if refusal := move_refusal(old, new, again=again):
        raise CutoverRefusedError(refusal)
    leaving = old.branch.made()
    move = move_between(old, new)
    count = rows_of(leaving, new, point=old.restore_point, again=move.again)
    require_allowed(guard, count, leaving.key)
    writers = find_other_writers(leaving)
    if refusal := writers_refusal(writers, guard.other_writers, leaving.key):
        raise CutoverRefusedError(refusal)
    if move.again and (refusal := pause_refusal(new)):
        raise CutoverRefusedError(refusal)
    steps, rights = explain(steps_of(move, old)), _rights(leaving, new)
    return move_review(old, new, count, steps, again=again, copied=move.again, writers=writers, rights=rights)


def _rights(before: ServedBranch | None, new: Pointer) -> tuple[str, ...]:
    """Return what is worth knowing of what the app's login may do. Raises CutoverRefusedError if it may do less."""
    lost, notes = previewed_rights(before, new)
    if lost:
        raise CutoverRefusedError(f"{lost_text(new.branch.key, lost)}. The pointer was not moved")
    return notes


def _id(pointer: Pointer) -> object:
    return pointer.deployment.id if pointer.deployment else None


def _served_before(new: Pointer) -> bool:
    """Tell whether the branch is known and a deployment that served it with these credentials can be promoted again."""
    if isinstance(new.branch.id, Unknown) or isinstance(new.app_url, Unknown):
        return False
    try:
        return last_served(new.app_url, new.branch.id) is not None
    except NotReadyError:
        return False


def _really_served(old: State[Pointer, Outputs], noted: StagedDeployment) -> State[Pointer, Outputs]:
    """Return the state with what of the pointer is not as noted: which deployment has the domain, and its branch.

    A branch that has the domain without the state knowing was left in the middle of a move: the one before is noted as
    unfinished, so that the next update fences it.
    """
    pointer = old.inputs
    with Vercel() as vercel:
        domain = vercel.domain(known(pointer.vercel))
        serving = vercel.serving(domain)
        if serving in (None, noted.id):
            return old
        marks = DeploymentMarks.of(vercel.deployment(serving).meta)
    branch = marks.branch
    if branch is None and noted.redeploys and visit(domain, noted.health.path).branch in (None, pointer.branch.id):
        return old
    led = replace(pointer, deployment=replace(noted, id=serving))
    if branch is None or branch == pointer.branch.id:
        return replace(old, inputs=led)
    project = marks.project or known(pointer.branch.project)
    try:
        found = _found(pointer.branch, project, branch)
    except UNREACHABLE as error:
        log.warn(f"{domain} leads to {serving}, whose database can't be reached: {error}")
        return replace(old, inputs=led)
    led = replace(led, branch=replace(found, fingerprint=marks.credentials or Fingerprint("")))
    before = pointer.branch.made()
    unfinished = Unfinished(fence={before.address.branch: before})
    return replace(old, inputs=led, outputs=replace(old.outputs, served=served_by(led), unfinished=unfinished))


def _left_claimed(found: State[Pointer, Outputs]) -> State[Pointer, Outputs]:
    """Return the state with what a move that was cut short claimed and doesn't serve: its stack couldn't let it go."""
    left: dict[str, ServedBranch] = {}
    for branch, visited in known(found.inputs.visited).items():
        if branch == found.inputs.branch.id:
            continue
        try:
            with owner_of(visited) as connection:
                if set(read_claims(connection, BranchId(branch))) & set(visited.roles):
                    left[branch] = visited
        except UNREACHABLE as error:
            log.warn(f"{visited.key} could not be asked whether it is marked as served from here: {error}")
    if not left:
        return found
    waiting = found.outputs.unfinished.fence if found.outputs.unfinished else {}
    return replace(found, outputs=replace(found.outputs, unfinished=Unfinished(fence={**waiting, **left})))


def _found(noted: BranchToServe, project: NeonProject, branch: BranchId) -> BranchToServe:
    """Return what Neon and the branch itself say of a branch of `project`, with the names and roles of `noted`."""
    with Neon() as neon:
        name = neon.branch(project, branch).name
        address = neon.address_of(project, branch, noted.database, noted.owner)
        if address is None:
            raise NotReadyError(f"branch {name} has no compute that can write")
        found = replace(noted, key=BranchKey(name), project=project, id=branch, endpoint=address.endpoint)
        with connected(neon.uri(address, pooled=False)) as connection:
            mark = read_marker(connection, list(noted.roles), branch)
    baseline = Transaction(mark.baseline) if mark else EVERY_ROW
    return replace(found, baseline=baseline, claim=mark.claim if mark else None)
