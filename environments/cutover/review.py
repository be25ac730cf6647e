"""The review: what a move of the pointer means, in plain words, before it happens. One block, 100 columns wide."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from environments.props import UNKNOWN_VALUE

if TYPE_CHECKING:
    from environments.database.rows import RowCount

_WIDTH = 98
_LABEL = 10


def first_review(news: dict[str, Any], serving: str) -> str:
    """Return the review of an environment's first deployment; `serving` is the one that has the domain, if any."""
    now, facts = news["served_name"], news["facts"]
    return _block(
        f"{facts['target']} will serve {now}, for the first time ({facts['strategy']})",
        data=_data(news),
        deploy=facts["build"],
        compute=facts["compute"],
        undo=f"promote {serving} in Vercel, which works as long as its own login is open (logins: keep)"
        if serving
        else "nothing served before, so there is no way back but forward",
    )


def same_branch_review(news: dict[str, Any]) -> str:
    """Return the review of a new deployment on the branch that serves already."""
    now, facts = news["served_name"], news["facts"]
    return _block(
        f"{facts['target']} stays on {now}; its app is deployed anew",
        data=f"no branch is made, left or moved to; {now} keeps every row",
        deploy="the app or its credentials changed: a build, staged and probed before it gets the domain",
        undo="put the app back as it was, then pulumi up",
    )


def handover_review(olds: dict[str, Any], news: dict[str, Any]) -> str:
    """Return the review of a pointer that stays on its branch, which another stack owned or another key named."""
    was, now, facts = olds["served_name"], news["served_name"], news["facts"]
    return _block(
        f"{facts['target']} stays on its branch, called {was} until now and {now} from here on",
        data="no branch is made, left or moved to; it keeps every row",
        compute=facts["compute"],
        undo=_undo(olds),
    )


def move_review(olds: dict[str, Any], news: dict[str, Any], count: RowCount, *, again: bool, copied: bool) -> str:
    """Return the review of a move from the branch of `olds` to the one of `news`.

    `count` is what would be left behind, `again` whether a deployment that served the branch before is promoted again,
    `copied` whether the rows are carried over once more behind the fence.
    """
    was, now, facts = olds["served_name"], news["served_name"], news["facts"]
    first = news["guard"]["fence_first"]
    return _block(
        f"{facts['target']} moves from {was} to {now} ({facts['strategy']})",
        data=_data(news),
        behind=f"nothing: the rows of {was} are carried over once more behind the fence, and compared"
        if copied
        else _behind(olds, news, count),
        stays=_stays(olds, news, count),
        shares=_shares(news),
        host="another database host: DATABASE_URL and DATABASE_URL_UNPOOLED change with the pointer",
        deploy=_AGAIN if again else facts["build"],
        compute=_compute(olds, news),
        pause=_long_pause(news)
        if copied
        else "writes pause for about a second before the domain moves, reads go on"
        if first
        else "no pause: the domain moves first, then writes that still reach the old branch are stopped",
        undo=f"{_undo(olds)}, if it is there" if _out_of_reach(count) else _undo(olds),
    )


_AGAIN = "the deployment that served it before is promoted again, with the app as it was then; nothing is built"


def _long_pause(news: dict[str, Any]) -> str:
    seconds = (news["copy"] or {}).get("seconds")
    took = f" (the first time took {seconds:g} s)" if isinstance(seconds, int | float) and seconds else ""
    return f"writes pause while the rows are carried over{took}, before the domain moves; reads go on"


def is_known(value: Any) -> bool:
    """Tell whether a preview knows this value already."""
    return isinstance(value, str) and value not in (UNKNOWN_VALUE, "")


def _data(news: dict[str, Any]) -> str:
    now, facts = news["served_name"], news["facts"]
    if news["claim"]:
        owner, _, branch = now.partition("/")
        return f"{now} is branch {branch} of stack {owner} itself, with the rows that it holds: nothing is copied"
    if not facts["source"]:
        return f"{now} was there before this environment, and keeps the rows that it holds"
    if is_known(news["branch"]):
        return f"{now} is there, with the rows that it holds; once cloned from {facts['source']}"
    return f"{now} is made now, as a copy of {facts['source']} {facts['moment'] or 'as of that moment'}"


def _shares(news: dict[str, Any]) -> str:
    """Return what it means that two environments use one branch; empty where they don't."""
    if not news["claim"]:
        return ""
    owner, target = news["served_name"].partition("/")[0], news["facts"]["target"]
    return f"{owner} and {target} read and write the same rows until {owner} serves a branch of its own"


def _undo(olds: dict[str, Any]) -> str:
    return f"pulumi config set serve {olds['pointer']}, then pulumi up"


def _out_of_reach(count: RowCount) -> bool:
    return bool(count.missing) and not count.total


def _stays(olds: dict[str, Any], news: dict[str, Any], count: RowCount) -> str:
    was = olds["served_name"]
    if _out_of_reach(count):
        return f"{was} stays as it is; if it can't be reached, it isn't fenced either"
    if olds["claim"]:
        return f"{was} stays as its own stack has it, the way back; {news['facts']['target']} may only read it"
    return f"{was} stays as it is, the way back; for the app it becomes read-only"


def _compute(olds: dict[str, Any], news: dict[str, Any]) -> str:
    was, now = olds["facts"]["compute"], news["facts"]["compute"]
    kept = "as before" if was == now else f"before: {was}"
    left = olds["served_name"]
    after = "stays as its own stack has it" if olds["claim"] else "shrinks and suspends once it doesn't serve"
    if news["claim"]:
        return f"at least {now}: the other stack has it so, and can't shrink it while it serves here; {left} {after}"
    return f"{now} ({kept}); {left} {after}"


def _behind(olds: dict[str, Any], news: dict[str, Any], count: RowCount) -> str:
    was, now, guard = olds["served_name"], news["served_name"], news["guard"]
    copied = news["source"] == was
    since = f"{now} was cloned from it" if copied and not news["lsn"] else count.since
    if not count.total and not count.missing:
        return f"nothing: no row was written to {was} since {since}"
    if not count.total:
        return f"not known: {count.missing}; whatever {was} holds stays behind on it (accepted in the stack file)"
    accepted = " (accepted in the stack file)" if guard["accepted_branch"] == was else ""
    return f"{count} stay behind on {was}{accepted}"


def _block(title: str, **parts: str) -> str:
    lines = [title]
    for label, text in parts.items():
        wrapped = textwrap.wrap(text, _WIDTH - _LABEL - 2, break_on_hyphens=False)
        lines += [f"  {label if index == 0 else '':<{_LABEL}}{line}" for index, line in enumerate(wrapped)]
    return "\n".join(lines)
