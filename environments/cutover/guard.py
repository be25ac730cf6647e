"""What a move may cost: whether the pointer may make it at all, and how many rows it would leave behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from environments.clients.http import NotFoundError
from environments.clients.lazy_imports import psycopg
from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, Connection, connected
from environments.cutover.pointer import Pointer
from environments.cutover.served import ServedBranch
from environments.cutover.sessions import sessions_on
from environments.database.copy.note import read_note
from environments.database.databases import OtherDatabase, count_others, together
from environments.database.marker import read_marker
from environments.database.provenance import EVERY_ROW, broken
from environments.database.rows import RowCount, count_rows
from environments.ids import BranchId, BranchKey, RoleName, Transaction
from environments.migrations.restore_point import RestorePoint
from environments.plan.topology import ANY_ROWS, Guard
from environments.props import Unknown
from environments.review.left_behind import LeftBehindError
from environments.review.model import RowsBehind

_COUNT_SECONDS = 20.0
_REMEDY = "after pulumi refresh and pulumi up every row on it counts"


def rows_behind(count: RowCount, branch: BranchKey) -> RowsBehind:
    """Return a count of `branch` as a part of the review."""
    return RowsBehind(branch=branch, total=count.total, tables=count.tables, missing=count.missing)


def require_allowed(guard: Guard, count: RowCount, branch: BranchKey, more: str = "") -> None:
    """Raise LeftBehindError if `branch` may not be left with `count` rows of its own; `more` ends its text."""
    if refusal := _too_many(guard, count, branch):
        raise LeftBehindError(f"{refusal}{more}", rows_behind(count, branch))


def _too_many(guard: Guard, count: RowCount, branch: BranchKey) -> str:
    accepted = guard.accepted
    allowed = accepted.rows if accepted and accepted.branch == branch else guard.rows_left_behind
    if allowed == ANY_ROWS:
        return ""
    if count.missing:
        return (
            f"the rows that only {branch} holds could not be counted in full: {count}. "
            f'To leave it all the same: pulumi config set accept \'{{"branch": "{branch}", "rows": "any"}}\''
        )
    if count.total > allowed:
        return (
            f"{count} were written to {branch} since {count.since} and would be left behind on it; "
            f"{allowed:,} may be. The pointer was not moved. To leave them there: "
            f'pulumi config set accept \'{{"branch": "{branch}", "rows": {count.total}}}\''
        )
    return ""


@dataclass(frozen=True)
class Missing:
    """From where on the branch that comes can miss rows of the one that is left, as far as that is known.

    `fork` is the transaction as of which it was copied, `made` the one of the restore point that it was made from.
    """

    fork: int | None
    made: int | None


def rows_of(
    leaving: ServedBranch, new: Pointer, *, point: RestorePoint | Unknown | None = None, again: bool = False
) -> RowCount:
    """Count what `leaving` holds and the branch of `new` doesn't: the rows that were written since its baseline.

    What was there when `new` was copied from it isn't left behind, so then the count is from that fork on. Of a copy
    that is still to be made nothing is left behind: a clone, or, in the app's own database, a copy by dump and restore
    that the move makes `again`. A branch that can't be
    reached, or whose baseline says nothing of the database that it has, is a count with something missing. `point` is
    the last restore point of `leaving`.
    """
    copied = _was_copied(leaving, new)
    made_now = copied and (isinstance(new.branch.id, Unknown) or again)
    if made_now and not new.lineage.copy:
        return RowCount(())
    try:
        with sessions_on(leaving) as on:
            if made_now:
                return count_others(on.others, int(EVERY_ROW), _COUNT_SECONDS)
            return rows_in(on.main, on.others, leaving, new, missing_in(leaving, new, point))
    except (*UNREACHABLE, psycopg.OperationalError) as error:
        return RowCount((), f"its database could not be asked ({error})")


def missing_in(leaving: ServedBranch, new: Pointer, point: RestorePoint | Unknown | None) -> Missing:
    """Ask Neon, and the branch of `new`, from where on that can miss rows of `leaving`."""
    with Neon() as neon:
        fork = _fork(neon, leaving, new) if _was_copied(leaving, new) else None
        return Missing(fork, _made_from_restore_point(neon, leaving, new, point))


def rows_in(
    connection: Connection, others: Sequence[OtherDatabase], leaving: ServedBranch, new: Pointer, missing: Missing
) -> RowCount:
    """Count on `connection`, which may be in a transaction, what `leaving` holds and the branch of `new` doesn't.

    Rows count in the `others` of its databases as well; a copy by dump and restore has none of theirs.
    """
    fork, made = missing.fork, missing.made
    if fork is not None and not new.lineage.copy:
        return together(count_rows(connection, fork, _COUNT_SECONDS), count_others(others, fork, _COUNT_SECONDS))
    since = max(fork or 0, made or 0)
    count = own_rows(connection, leaving.address.branch, leaving.roles, leaving.baseline, since)
    elsewhere = int(EVERY_ROW) if new.lineage.copy else max(int(leaving.baseline), since)
    count = together(count, count_others(others, elsewhere, _COUNT_SECONDS))
    return replace(count, since="the restore point was made") if made else count


def _was_copied(leaving: ServedBranch, new: Pointer) -> bool:
    return new.lineage.source == leaving.key and not new.summary.moment


def own_rows(
    connection: Connection, branch: BranchId, roles: Sequence[RoleName], baseline: Transaction, since: int = 0
) -> RowCount:
    """Count what was written since `baseline`, or since the transaction `since` if that is later.

    The database itself has to say that `branch` began with that baseline. One that was filled by dump and restore began
    when that was done last, which may be later than its credentials know.
    """
    if reason := broken(connection, branch, list(roles), baseline):
        return RowCount((), f"{reason} ({_REMEDY})")
    note = read_note(connection, BranchId(branch))
    return count_rows(connection, max(int(baseline), since, int(note.begins) if note else 0), _COUNT_SECONDS)


def copies_again(leaving: ServedBranch, new: Pointer) -> bool:
    """Tell whether the move carries the rows over once more behind the fence.

    It does for a copy in another Neon project of the branch that is left, until that copy has served: from then on it
    has rows of its own. Without a fence before the move there is no moment for it.
    """
    fenced = new.guard is not None and new.guard.fence_first
    if not new.lineage.copy or new.lineage.source != leaving.key or not fenced:
        return False
    address = new.branch.address
    if isinstance(address, Unknown):
        return isinstance(new.branch.id, Unknown)
    try:
        with Neon() as neon, connected(neon.uri(address, pooled=False)) as owner:
            mark = read_marker(owner, list(new.branch.roles), address.branch)
    except UNREACHABLE:
        return False
    return mark is None or mark.served_by is None


def pause_refusal(new: Pointer) -> str:
    """Return that carrying the rows over again pauses writes for longer than they may pause, or nothing."""
    copy, guard = new.lineage.copy, new.guard
    if copy is None or guard is None or isinstance(copy.seconds, Unknown) or copy.seconds <= guard.write_pause:
        return ""
    return (
        f"carrying the rows over took {copy.seconds:.0f} s the first time, writes pause while it is done again, and "
        f"safety.write_pause is {guard.write_pause} s. To let them pause for longer: "
        f"pulumi config set --path safety.write_pause {math.ceil(2 * copy.seconds)}"
    )


def _fork(neon: Neon, leaving: ServedBranch, new: Pointer) -> int | None:
    """Return the transaction of `leaving` from which on its copy can miss what was written; None if none is sure.

    Neon hands the children of a branch that is restored in place to the branch that keeps its former content, so a copy
    whose parent it still is was cloned from this very content. The copy's own marker says that it was not restored
    from elsewhere itself. A copy whose credentials are still to be made has no marker yet; the count behind the fence,
    which decides, comes after them.
    """
    if new.lineage.copy:
        return _carried(neon, new)
    fork, id_, project, baseline = new.lineage.fork, new.branch.id, new.branch.project, new.branch.baseline
    if not fork or isinstance(fork, Unknown) or isinstance(id_, Unknown) or isinstance(project, Unknown):
        return None
    if neon.branch(project, id_).parent_id != leaving.address.branch:
        return None
    if not isinstance(baseline, Unknown) and not _began_with(neon, new, baseline):
        return None
    return int(fork)


def _began_with(neon: Neon, new: Pointer, baseline: Transaction) -> bool:
    """Tell whether the branch of `new` is there, and its database says itself that it began with `baseline`."""
    address = new.branch.address
    if isinstance(address, Unknown) or baseline == EVERY_ROW:
        return False
    try:
        with connected(neon.uri(address, pooled=False)) as copy:
            return not broken(copy, address.branch, list(new.branch.roles), baseline)
    except UNREACHABLE:
        return False


def _carried(neon: Neon, new: Pointer) -> int | None:
    """Return the transaction of its source as of which the branch of `new` was last filled, if that is known."""
    address, copy = new.branch.address, new.lineage.copy
    if isinstance(address, Unknown) or copy is None:
        return None
    try:
        with connected(neon.uri(address, pooled=False)) as owner:
            note = read_note(owner, address.branch)
    except UNREACHABLE:
        return None
    return int(note.fork) if note and note.source == copy.source_branch else None


def _made_from_restore_point(
    neon: Neon, leaving: ServedBranch, new: Pointer, last: RestorePoint | Unknown | None
) -> int | None:
    """Return the transaction of `leaving` from which on a branch made as of its restore point can miss what it wrote.

    None where `new` leads to no such branch, nor to the restore point itself. As long as the restore point is a child
    of `leaving`, that wasn't restored in place since.
    """
    points = (new.restore_point, last)
    point = next((each for each in points if each is not None and not isinstance(each, Unknown)), None)
    project = new.branch.project
    if point is None or not point.xmin or isinstance(project, Unknown):
        return None
    made = new.lineage.source == leaving.key and point.lsn == new.lineage.lsn
    if not made and point.id != new.branch.id:
        return None
    try:
        parent = neon.branch(project, point.id).parent_id
    except NotFoundError:
        return None
    return int(point.xmin) if parent == leaving.address.branch else None


def move_refusal(old: Pointer, new: Pointer, *, again: bool) -> str:
    """Return why the pointer may not make this move, whatever it costs; `again` says that the branch served before."""
    was, now, guard = old.branch.key, new.branch.key, new.guard
    if guard is None or new.lineage.source == was or _is_copy(old, new):
        return ""
    if guard.live:
        return (
            f"the environment is live (safety.phase), so its pointer can't move from {was} to {now}, which is no copy "
            f"of {was}: users' rows would stay behind. Bring schema changes to {was} by migration, or set safety.phase "
            "to beta"
        )
    if refusal := swap_refusal(new):
        return refusal
    if guard.moves == "back" and not again:
        return (
            f"Standard Migration never swaps databases: from {was} the pointer moves only to a copy of {was}, or back "
            f"to a branch that served before, which {now} did not. Bring schema changes to {was} by migration, or "
            "pulumi config set --path strategy.kind clone-and-promote"
        )
    return ""


def _is_copy(old: Pointer, new: Pointer) -> bool:
    """Tell whether a branch that was adopted, such as a restore point, is in Neon a copy of the one of `old`."""
    project, id_ = new.branch.project, new.branch.id
    if new.lineage.source or new.branch.claim or isinstance(project, Unknown) or isinstance(id_, Unknown):
        return False
    try:
        with Neon() as neon:
            return neon.branch(project, id_).parent_id == old.branch.id
    except UNREACHABLE:
        return False


def swap_refusal(new: Pointer) -> str:
    """Return that the strategy lets the pointer lead to no branch of another stack, if it does, or nothing."""
    return no_swap(new.branch.key) if new.guard and new.guard.moves == "own" and new.branch.claim else ""


def no_swap(branch: str) -> str:
    """Return the words for a strategy that doesn't let the pointer lead to another stack's `branch`."""
    return (
        f"the strategy moves the pointer only to branches of this stack, and {branch} is another's: clone it under "
        "branches and serve the clone, or pulumi config set --path strategy.kind pointer-swap"
    )
