"""Leaving a branch: what would be left behind, whether that is allowed, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from resources.fill import read_note
from resources.http import ApiError, ApiUnreachableError
from resources.mark import read_mark
from resources.neon_api import Address, Neon, OperationFailedError
from resources.postgres import NotReadyError, connected
from resources.review import is_known
from resources.rows import RowCount, count_rows

ANY = -1
_COUNT_SECONDS = 20.0


UNREACHABLE = (ApiError, ApiUnreachableError, NotReadyError, OperationFailedError)
"""What it raises to ask a database that isn't there, or doesn't answer."""


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
                f"{count} were written to {branch} since it began and would be left behind on it; "
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
    out of reach is a count with something missing.

    A branch that is a copy itself began when it was last filled, which may be later than its credentials know.
    """
    since = int(leaving["baseline"])
    if news["source"] == leaving["served_name"] and not news["facts"].get("moment"):
        if not is_known(news["branch"]) or (planned and copies_again(leaving, news)):
            return RowCount(())
        since = max(since, _fork(news))
    try:
        with Neon() as neon, connected(neon.uri(address(leaving), pooled=False)) as connection:
            note = read_note(connection, leaving["branch"])
            since = max(since, int(note.begins) if note else 0)
            return count_rows(connection, since, _COUNT_SECONDS)
    except UNREACHABLE as error:
        return RowCount((), f"its database could not be asked ({error})")


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


def _fork(news: dict[str, Any]) -> int:
    """Return the oldest transaction of its source that the branch of `news` could lack; 0 if it isn't known."""
    if not news.get("copy"):
        return int(news["fork"] or 0) if is_known(news["fork"]) else 0
    try:
        with Neon() as neon, connected(neon.uri(address(news), pooled=False)) as owner:
            note = read_note(owner, news["branch"])
    except UNREACHABLE:
        return 0
    return int(note.fork) if note and note.source == news["copy"]["source_branch"] else 0


def live_refusal(olds: dict[str, Any], news: dict[str, Any]) -> str:
    """Return why a live environment's pointer may not make this move, or nothing."""
    was, now = olds["served_name"], news["served_name"]
    if news["source"] == was:
        return ""
    return (
        f"the environment is live (safety.phase), so its pointer can't move from {was} to {now}, which is no copy of "
        f"{was}: users' rows would stay behind. Bring schema changes to {was} by migration, or set safety.phase to beta"
    )
