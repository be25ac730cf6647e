"""Leaving a branch: what would be left behind, whether that is allowed, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from environments.clients.http import NotFoundError
from environments.clients.lazy_imports import psycopg
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, Connection, connected
from environments.cutover.review import is_known
from environments.database.copy.note import read_note
from environments.database.marker import read_mark
from environments.database.provenance import EVERY_ROW, broken
from environments.database.rows import RowCount, count_rows
from environments.ids import BranchId

ANY = -1
_COUNT_SECONDS = 20.0
_REMEDY = "after pulumi refresh and pulumi up every row on it counts"


class LeftBehindError(Exception):
    """More rows would be left behind than the settings allow."""


@dataclass(frozen=True)
class Allowance:
    """How many rows may be left behind on which branch; ANY stands for any number, also an unknown one."""

    live: bool
    rows: int
    accepted_branch: str
    accepted_rows: int

    @classmethod
    def of(cls, guard: dict[str, Any]) -> Self:
        """Read it from a resource's inputs, where numbers arrive as floats."""
        return cls(guard["live"], int(guard["rows"]), guard["accepted_branch"], int(guard["accepted_rows"]))

    def refusal(self, count: RowCount, branch: str) -> str:
        """Return why `branch` may not be left with `count` rows of its own on it, or nothing."""
        allowed = self.accepted_rows if self.accepted_branch == branch else self.rows
        if allowed == ANY:
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


def address(props: dict[str, Any]) -> Address:
    """Return where the database of a cutover's inputs or outputs is."""
    return Address(*(props[key] for key in ("neon", "branch", "endpoint", "database", "owner")))


def rows_of(leaving: dict[str, Any], news: dict[str, Any], *, planned: bool = False) -> RowCount:
    """Count what the branch of `leaving` holds and the one of `news` doesn't: what was written since its baseline.

    What was there when `news` was copied from it isn't left behind, so then the count is from that fork on; of a copy
    that is still to be made, nothing is: a clone, or, of a move that is `planned`, a copy that is made again. A branch
    out of reach, or whose baseline says nothing of the database that it has, is a count with something missing.
    """
    copied = news["source"] == leaving["served_name"] and not news["facts"].get("moment")
    if copied and (not is_known(news["branch"]) or (planned and copies_again(leaving, news))):
        return RowCount(())
    try:
        with Neon() as neon:
            fork = _fork(neon, leaving, news) if copied else None
            point = _restore_point(neon, leaving, news)
            with connected(neon.uri(address(leaving), pooled=False)) as connection:
                if fork is not None and not news.get("copy"):
                    return count_rows(connection, fork, _COUNT_SECONDS)
                since = max(fork or 0, point or 0)
                count = own_rows(connection, leaving["branch"], leaving["roles"], leaving["baseline"], since)
                return replace(count, since="the restore point was made") if point else count
    except (*UNREACHABLE, psycopg.OperationalError) as error:
        return RowCount((), f"its database could not be asked ({error})")


def own_rows(connection: Connection, branch: str, roles: list[str], baseline: str, since: int = 0) -> RowCount:
    """Count what was written since `baseline`, or since the transaction `since` if that is later.

    The database itself has to say that `branch` began with that baseline. One that was filled by dump and restore began
    when that was done last, which may be later than its credentials know.
    """
    if reason := broken(connection, branch, roles, baseline):
        return RowCount((), f"{reason} ({_REMEDY})")
    note = read_note(connection, BranchId(branch))
    return count_rows(connection, max(int(baseline), since, int(note.begins) if note else 0), _COUNT_SECONDS)


def copies_again(leaving: dict[str, Any], news: dict[str, Any]) -> bool:
    """Tell whether the move carries the rows over once more behind the fence.

    So it is for a copy in another Neon project of the branch that is left, until it has served: from then on it has
    rows of its own. Without a fence before the move there is no moment for it.
    """
    if not news.get("copy") or news["source"] != leaving["served_name"] or not news["guard"]["fence_first"]:
        return False
    if not is_known(news["branch"]):
        return True
    try:
        with Neon() as neon, connected(neon.uri(address(news), pooled=False)) as owner:
            mark = read_mark(owner, news["roles"], news["branch"])
    except UNREACHABLE:
        return False
    return mark is None or mark.served_by is None


def _fork(neon: Neon, leaving: dict[str, Any], news: dict[str, Any]) -> int | None:
    """Return the transaction of `leaving` from which on its copy `news` can miss what it wrote; None if none is sure.

    Neon hands the children of a branch that is restored in place to the branch that keeps its former content, so a copy
    whose parent it still is was cloned from this very content. The copy's own mark says that it was not restored
    from elsewhere itself. A copy whose credentials are still to be made has no mark yet; the count behind the fence,
    which decides, comes after them.
    """
    if news.get("copy"):
        return _carried(neon, news)
    if not is_known(news["fork"]) or neon.branch(news["neon"], news["branch"]).parent_id != leaving["branch"]:
        return None
    if is_known(news["baseline"]):
        try:
            with connected(neon.uri(address(news), pooled=False)) as copy:
                if news["baseline"] == EVERY_ROW or broken(copy, news["branch"], news["roles"], news["baseline"]):
                    return None
        except UNREACHABLE:
            return None
    return int(news["fork"])


def _carried(neon: Neon, news: dict[str, Any]) -> int | None:
    """Return the transaction of its source as of which the branch of `news` was last filled, if that is known."""
    try:
        with connected(neon.uri(address(news), pooled=False)) as owner:
            note = read_note(owner, news["branch"])
    except UNREACHABLE:
        return None
    return int(note.fork) if note and note.source == news["copy"]["source_branch"] else None


def _restore_point(neon: Neon, leaving: dict[str, Any], news: dict[str, Any]) -> int | None:
    """Return the transaction of `leaving` from which on a branch made as of its restore point can miss what it wrote.

    None where `news` is no such branch, nor the restore point itself. As long as the restore point is a child of
    `leaving`, that wasn't restored in place since.
    """
    point = next(
        (each for each in (news.get("restore_point"), leaving.get("restore_point")) if isinstance(each, dict)), {}
    )
    made = news["source"] == leaving["served_name"] and point.get("lsn") == news["lsn"]
    if not point.get("xmin") or not (made or point["id"] == news["branch"]):
        return None
    try:
        parent = neon.branch(news["neon"], point["id"]).parent_id
    except NotFoundError:
        return None
    return int(point["xmin"]) if parent == leaving["branch"] else None


def move_refusal(olds: dict[str, Any], news: dict[str, Any], *, again: bool) -> str:
    """Return why the pointer may not make this move, whatever it costs; `again` says that the branch served before."""
    was, now, moves = olds["served_name"], news["served_name"], news["guard"]["moves"]
    if news["source"] == was or _is_copy(olds, news):
        return ""
    if news["guard"]["live"]:
        return (
            f"the environment is live (safety.phase), so its pointer can't move from {was} to {now}, which is no copy "
            f"of {was}: users' rows would stay behind. Bring schema changes to {was} by migration, or set safety.phase "
            "to beta"
        )
    if refusal := swap_refusal(news):
        return refusal
    if moves == "back" and not again:
        return (
            f"Standard Migration never swaps databases: from {was} the pointer moves only to a copy of {was}, or back "
            f"to a branch that served before, which {now} did not. Bring schema changes to {was} by migration, or "
            "pulumi config set --path strategy.kind clone-and-promote"
        )
    return ""


def _is_copy(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Tell whether a branch that was adopted, such as a restore point, is in Neon a copy of the one of `olds`."""
    if news["source"] or news["claim"] or not (is_known(news["branch"]) and is_known(olds["branch"])):
        return False
    try:
        with Neon() as neon:
            return bool(neon.branch(news["neon"], news["branch"]).parent_id == olds["branch"])
    except UNREACHABLE:
        return False


def swap_refusal(news: dict[str, Any]) -> str:
    """Return that the strategy lets the pointer lead to no branch of another stack, if it does, or nothing."""
    return no_swap(news["served_name"]) if news["guard"]["moves"] == "own" and news["claim"] else ""


def no_swap(branch: str) -> str:
    """Return the words for a strategy that doesn't let the pointer lead to another stack's `branch`."""
    return (
        f"the strategy moves the pointer to branches of this stack alone, and {branch} is another's: clone it under "
        "branches and serve the clone, or pulumi config set --path strategy.kind pointer-swap"
    )
