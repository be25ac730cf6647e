"""The review: what a move of the pointer means, in plain words, before it happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from environments.cutover.guard import rows_behind
from environments.cutover.pointer import Pointer
from environments.props import Unknown
from environments.review.model import Line, MoveReview

if TYPE_CHECKING:
    from environments.database.rows import RowCount
    from environments.database.writers import Writer

_AGAIN = "the deployment that served it before is promoted again, with the app as it was then; nothing is built"


def first_review(new: Pointer, serving: str, steps: Sequence[str], *, rights: Sequence[str] = ()) -> MoveReview:
    """Return the review of an environment's first deployment; `serving` is the one that has the domain, if any.

    `rights` are differences between what the app may do and what the tables' owner may.
    """
    now, summary = new.branch.key, new.summary
    undo = (
        f"promote {serving} in Vercel, which works as long as its own login is open (logins: keep)"
        if serving
        else "nothing served before, so there is no way back but forward"
    )
    return MoveReview(
        kind="first",
        title=f"{summary.target} will serve {now}, for the first time ({summary.strategy})",
        lines=_lines(
            data=_data(new),
            deploy=summary.build,
            unproven=_unproven(new),
            rights=rights,
            compute=summary.compute,
            steps=steps,
            undo=undo,
        ),
        now=now,
    )


def same_branch_review(new: Pointer, steps: Sequence[str], *, rights: Sequence[str] = ()) -> MoveReview:
    """Return the review of a new deployment on the branch that serves already."""
    now, undo = new.branch.key, "put the app back as it was, then pulumi up"
    return MoveReview(
        kind="same-branch",
        title=f"{new.summary.target} stays on {now}; its app is deployed again",
        lines=_lines(
            data=f"no branch is made, left or moved to; {now} keeps every row",
            deploy="the app or its credentials changed: a build, staged and probed before it gets the domain",
            unproven=_unproven(new),
            rights=rights,
            steps=steps,
            undo=undo,
        ),
        was=now,
        now=now,
        undo=undo,
    )


def renamed_review(old: Pointer, new: Pointer) -> MoveReview:
    """Return the review of a pointer that stays on its branch, which another stack owned or another key named."""
    was, now, undo = old.branch.key, new.branch.key, _undo(old)
    return MoveReview(
        kind="renamed",
        title=f"{new.summary.target} stays on its branch, called {was} until now and {now} from here on",
        lines=_lines(
            data="no branch is made, left or moved to; it keeps every row", compute=new.summary.compute, undo=undo
        ),
        was=was,
        now=now,
        undo=undo,
    )


def move_review(
    old: Pointer,
    new: Pointer,
    count: RowCount,
    steps: Sequence[str],
    *,
    again: bool,
    copied: bool,
    writers: Sequence[Writer] = (),
    rights: Sequence[str] = (),
) -> MoveReview:
    """Return the review of a move from the branch of `old` to the one of `new`, which takes `steps`.

    `count` is what would be left behind, `again` whether a deployment that served the branch before is promoted again,
    `copied` whether the rows are carried over once more behind the fence. `writers` may go on writing to the branch
    that is left, since the settings list them. `rights` are differences between what the app's login may do there and
    what it may here.
    """
    was, now, summary = old.branch.key, new.branch.key, new.summary
    undo = f"{_undo(old)}, if it is there" if _out_of_reach(count) else _undo(old)
    lines = _lines(
        data=_data(new),
        behind=f"nothing: the rows of {was} are carried over once more behind the fence, and compared"
        if copied
        else _behind(old, new, count),
        stays=_stays(old, new, count),
        writers=f"{', '.join(each.name for each in writers)} may go on writing to {was} (safety.other_writers)"
        if writers
        else "",
        shares=_shares(new),
        host="another database host: DATABASE_URL and DATABASE_URL_UNPOOLED change with the pointer",
        deploy=_AGAIN if again else summary.build,
        unproven=_unproven(new),
        rights=rights,
        compute=_compute(old, new),
        pause=_pause(new, copied=copied),
        steps=steps,
        undo=undo,
    )
    return MoveReview(
        kind="move",
        title=f"{summary.target} moves from {was} to {now} ({summary.strategy})",
        lines=lines,
        was=was,
        now=now,
        behind=rows_behind(count, was),
        undo=undo,
    )


def _lines(**said: str | Sequence[str]) -> tuple[Line, ...]:
    lines = [
        Line(label=label, text=what) if isinstance(what, str) else Line(label=label, items=tuple(what))
        for label, what in said.items()
    ]
    return tuple(line for line in lines if line.text or line.items)


def _pause(new: Pointer, *, copied: bool) -> str:
    if copied:
        seconds = new.lineage.copy.seconds if new.lineage.copy else 0.0
        took = f" (the first time took {seconds:g} s)" if not isinstance(seconds, Unknown) and seconds else ""
        return f"writes pause while the rows are carried over{took}, before the domain moves; reads go on"
    if new.guard and new.guard.fence_first:
        return "writes pause for about a second before the domain moves, reads go on"
    return "no pause: the domain moves first, then writes that still reach the old branch are stopped"


def _unproven(new: Pointer) -> str:
    if new.deployment is None or new.deployment.health.database:
        return ""
    return (
        f"nothing proves that the app uses {new.branch.key}: app.health.database is false, so no session of its login "
        "is looked for"
    )


def _data(new: Pointer) -> str:
    now, summary = new.branch.key, new.summary
    if new.branch.claim:
        owner, _, branch = now.partition("/")
        return f"{now} is branch {branch} of stack {owner} itself, with the rows that it holds: nothing is copied"
    if not summary.source:
        return f"{now} was there before this environment, and keeps the rows that it holds"
    if not isinstance(new.branch.id, Unknown):
        return f"{now} is there, with the rows that it holds; once cloned from {summary.source}"
    return f"{now} is made now, as a copy of {summary.source} {summary.moment or 'as of that moment'}"


def _shares(new: Pointer) -> str:
    """Return what it means that two environments use one branch; empty where they don't."""
    if not new.branch.claim:
        return ""
    owner, target = new.branch.key.partition("/")[0], new.summary.target
    return f"{owner} and {target} read and write the same rows until {owner} serves a branch of its own"


def _undo(old: Pointer) -> str:
    return f"pulumi config set serve {old.serve}, then pulumi up"


def _out_of_reach(count: RowCount) -> bool:
    return bool(count.missing) and not count.total


def _stays(old: Pointer, new: Pointer, count: RowCount) -> str:
    was = old.branch.key
    if _out_of_reach(count):
        return f"{was} stays as it is; if it can't be reached, it isn't fenced either"
    if old.branch.claim:
        return f"{was} stays as its own stack has it, the way back; {new.summary.target} may only read it"
    return f"{was} stays as it is, the way back; for the app it becomes read-only"


def _compute(old: Pointer, new: Pointer) -> str:
    was, now, left = old.summary.compute, new.summary.compute, old.branch.key
    kept = "as before" if was == now else f"before: {was}"
    after = "stays as its own stack has it" if old.branch.claim else "shrinks and suspends once it doesn't serve"
    if new.branch.claim:
        return f"at least {now}: the other stack has it so, and can't shrink it while it serves here; {left} {after}"
    return f"{now} ({kept}); {left} {after}"


def _behind(old: Pointer, new: Pointer, count: RowCount) -> str:
    was, now = old.branch.key, new.branch.key
    cloned = new.lineage.source == was and not new.lineage.lsn
    since = f"{now} was cloned from it" if cloned else count.since
    if not count.total and not count.missing:
        return f"nothing: no row was written to {was} since {since}"
    if not count.total:
        return f"not known: {count.missing}; whatever {was} holds stays behind on it (accepted in the stack file)"
    accepted = new.guard.accepted if new.guard else None
    noted = " (accepted in the stack file)" if accepted and accepted.branch == was else ""
    return f"{count} stay behind on {was}{noted}"
