"""Stand-ins for Neon, Vercel and the databases of a move, and what a whole move does to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from environments.clients.http import ApiUnreachableError
from environments.cutover import cut_over
from environments.cutover.move import Move
from environments.cutover.pointer import CopiedFrom, Lineage, Pointer
from environments.cutover.served import ServedBranch
from environments.cutover.steps import Step
from environments.cutover.writes import WritesWaiting
from environments.database.lost_rights import Comparison
from environments.database.rows import RowCount
from environments.database.write_lock import WriteLock
from environments.ids import BranchId, BranchKey
from environments.plan.topology import Guard
from environments.review.model import TableRows
from tests.cutover.pointers import GUARD, ROLES, pointer

OLD = pointer("prod-v1")
NEW = pointer("prod-v2")
OTHER_LOGIN = replace(NEW, branch=replace(NEW.branch, role=ROLES[1]))
AFTER = replace(GUARD, fence_first=False)
COPY = Lineage(
    source=BranchKey("prod-v1"),
    fork=None,
    lsn=None,
    copy=CopiedFrom(source_branch=BranchId("br-prod-v1"), seconds=2.5),
)


def names(steps: list[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def steps_between(old: Pointer | None, new: Pointer, **changes: Any) -> list[Step]:
    newly = old is None or old.branch.id != new.branch.id
    leaving = old.branch.made() if old and newly and new.guard else None
    before = old.branch.made() if old else None
    return cut_over.steps_of(Move(new, leaving, newly=newly, served_before=before, **changes), old)


def orders(rows: int) -> RowCount:
    return RowCount((TableRows(table="orders", rows=rows),) if rows else ())


@dataclass
class Owner:
    """Stands for a connection of a branch's owner."""

    branch: ServedBranch


@dataclass
class World:
    """What the steps do to Neon, Vercel and the databases.

    Of a promotion in `after` the reply is lost, once Vercel has done it. Vercel that is `out` answers nothing.
    """

    domain_of: str = "dpl_prod-v1"
    done: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)
    once: dict[str, Exception] = field(default_factory=dict)
    after: dict[str, Exception] = field(default_factory=dict)
    out: bool = False
    behind: int = 0
    written: int = 0
    following: int = 900
    later: int = 900
    """The transaction ids that the branch that is left gives out next: when its writes stop, and in the end."""
    compared: list[str | None] = field(default_factory=list)
    comparison: Comparison = field(default_factory=Comparison)

    def do(self, deed: str) -> None:
        """Do it; one in `fails` fails each time, one in `once` the first time."""
        self.done.append(deed)
        if error := self.fails.get(deed) or self.once.pop(deed, None):
            raise error

    # Vercel
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.done.append("closed")

    def domain(self, _project: str) -> str:
        return "shop.example"

    def serving(self, _domain: str) -> str:
        if self.out:
            raise ApiUnreachableError("Vercel could not be reached")
        return self.domain_of

    def promote(self, _project: str, deployment: str, _domain: str) -> None:
        self.do(f"promote {deployment}")
        if self.out:
            raise ApiUnreachableError("Vercel could not be reached")
        self.domain_of = deployment
        if error := self.after.pop(deployment, None):
            raise error

    # The deployment, on its own host or at the domain
    def probe(self, host: str, *_: Any) -> None:
        self.do(f"probe {host}")

    def probe_proven(self, host: str, *asked: Any, called: str) -> None:
        assert asked[-1] == f"{ROLES[0]} on {called}"
        self.probe(host)

    # The branch that comes
    @contextmanager
    def watching(self, owner: Owner, role: str) -> Iterator[str]:
        yield f"{role} on {owner.branch.key}"

    def rights_compared(self, before: ServedBranch | None, new: ServedBranch, owner: Owner) -> Comparison:
        assert owner.branch == new
        self.compared.append(before.key if before else None)
        return self.comparison

    def carry_over(self, *_: Any) -> str:
        self.do("carry over")
        return "3 rows"

    # The branch that is left
    @contextmanager
    def writes_waiting(self, to: ServedBranch, _guard: Guard) -> Iterator[WritesWaiting]:
        if error := self.fails.get(f"connect {to.key}"):
            raise error
        try:
            yield WritesWaiting(cast("WriteLock", Lock(self, to.key)), ())
        finally:
            self.done.append(f"unlock {to.key}")

    def log(self, _deployment: str, urls: list[str]) -> str:
        return f"\n    Its log: {len(urls)} URL hidden"


@dataclass
class Lock:
    """Stands for the lock on a branch."""

    world: World
    key: str
    session: str = "the session that holds it"

    def take(self) -> None:
        self.world.do(f"lock {self.key}")

    def require_held(self) -> None:
        self.world.do(f"look at the lock on {self.key}")

    def commit(self) -> int:
        self.world.do(f"commit {self.key}")
        return self.world.following


MOVED = [
    *("open prod-v2", "probe prod-v2.vercel.app", "lock prod-v1", "look at the lock on prod-v1"),
    *("promote dpl_prod-v2", "probe shop.example", "commit prod-v1", "unlock prod-v1"),
    *("mark dpl_prod-v2", "no login app_prod_2 prod-v2", "drain prod-v1", "closed"),
]
