"""Which steps a move takes, and that each undoes exactly what it did; stand-ins take Neon's and Vercel's place."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

import pytest

from environments import log
from environments.clients.deadline import pause, seconds_left
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.postgres import Connection, NotReadyError
from environments.cutover import aftermath, compare_rights, cut_over, promotion
from environments.cutover.guard import Missing
from environments.cutover.move import Move
from environments.cutover.pointer import CopiedFrom, Lineage, Outputs, Pointer, Unfinished
from environments.cutover.probe import UnhealthyError
from environments.cutover.served import ServedBranch
from environments.cutover.sessions import Sessions
from environments.cutover.steps import Step, UndoneError, explain
from environments.cutover.writes import WritesWaiting
from environments.database.lost_rights import Comparison, Loss
from environments.database.marker import BranchMarker
from environments.database.rows import RowCount
from environments.database.write_lock import LockLostError, WriteLock
from environments.ids import BranchId, BranchKey, DeploymentId, Transaction
from environments.plan.topology import ANY_ROWS, Accepted, Guard
from environments.props import UNKNOWN
from environments.review.model import TableRows
from tests.cutover.pointers import CLAIM, GUARD, ROLES, branch, pointer, served_branch

ROOT = Path(__file__).resolve().parents[2]
DPL_1, DPL_2 = "dpl_prod-v1", "dpl_prod-v2"
OLD = pointer("prod-v1")
NEW = pointer("prod-v2")
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


def test_writes_wait_and_rows_are_counted_before_the_domain_moves_and_writes_stop_after_that() -> None:
    assert names(steps_between(OLD, NEW)) == [
        *("OpenBranch", "CompareRights", "Probe", "Lock", "CountRows", "Promote", "Verify", "Close"),
        *("NoteServed", "CloseLastLogin", "Drain", "CountAgain"),
    ]


def test_with_the_fence_after_the_move_nothing_stops_before_the_domain_moves() -> None:
    assert names(steps_between(OLD, replace(NEW, guard=AFTER))) == [
        *("OpenBranch", "CompareRights", "Probe", "Promote", "Verify"),
        *("NoteServed", "CloseLastLogin", "Drain", "FenceLater"),
    ]


OTHER_LOGIN = replace(NEW, branch=replace(NEW.branch, role=ROLES[1]))


@pytest.mark.parametrize("old", [None, OTHER_LOGIN], ids=["first", "another login"])
def test_where_no_branch_is_left_there_is_nothing_to_fence(old: Pointer | None) -> None:
    assert names(steps_between(old, NEW)) == [
        *("OpenBranch", "CompareRights", "Probe", "Promote", "Verify", "NoteServed", "CloseLastLogin")
    ]


def test_where_the_login_stays_the_same_there_is_nothing_to_compare() -> None:
    assert names(steps_between(replace(NEW, deployment=OLD.deployment), NEW)) == [
        *("OpenBranch", "Probe", "Promote", "Verify", "NoteServed", "CloseLastLogin")
    ]


def test_a_claim_is_noted_before_the_branch_opens_and_taken_back_after_the_way_back() -> None:
    theirs = pointer(branch("dev/dev", claim=CLAIM))
    there, back = names(steps_between(OLD, theirs)), names(steps_between(theirs, NEW))
    assert there[:2] == ["ClaimBranch", "OpenBranch"]
    assert "DropClaim" not in there
    assert back[-2:] == ["Drain", "DropClaim"]
    assert "ClaimBranch" not in back
    assert "ClaimBranch" not in names(steps_between(theirs, replace(theirs, deployment=OLD.deployment)))


def test_a_copy_is_made_again_behind_the_fence_and_probed_with_what_it_holds_then() -> None:
    assert names(steps_between(OLD, replace(NEW, lineage=COPY), again=True))[:8] == [
        *("Refill", "OpenBranch", "CompareRights", "Probe", "Lock", "CarryOver", "CountRows", "ProbeAgain")
    ]


def test_an_environment_without_a_deployment_only_notes_and_closes() -> None:
    dev, dev2 = (replace(each, deployment=None, guard=None) for each in (OLD, NEW))
    assert names(steps_between(None, dev)) == ["NoteServed", "CloseLastLogin"]
    assert names(steps_between(dev, dev2)) == ["NoteServed", "CloseLastLogin"]


def test_what_waits_for_its_fence_is_fenced_unless_it_serves_again() -> None:
    waiting = {str(each.address.branch): each for each in (served_branch("prod-v0"), served_branch("prod-v2"))}
    move = Move(NEW, OLD.branch.made(), newly=True)
    assert explain(cut_over.steps_of(move, OLD, waiting))[-1].startswith("Writes to prod-v0 stop")
    assert names(cut_over.steps_of(move, OLD, waiting)).count("FenceLater") == 1


def test_a_preview_explains_the_steps_to_a_branch_that_is_still_to_be_made() -> None:
    made_now = branch("prod-v2", id=UNKNOWN, endpoint=UNKNOWN, fingerprint=UNKNOWN, baseline=UNKNOWN)
    assert explain(steps_between(OLD, pointer(made_now))) == explain(steps_between(OLD, NEW))
    assert "that the database's owner can use" in " ".join(explain(steps_between(None, NEW)))


def test_the_documentation_lists_every_step_in_its_order_and_words() -> None:
    old, new = pointer(branch("prod-v1", claim=CLAIM)), pointer(branch("prod-v2", claim=CLAIM))
    leaving = old.branch.made()
    move = Move(new, leaving, newly=True, again=True, served_before=leaving)
    steps = cut_over.steps_of(move, old, {leaving.address.branch: leaving})
    steps.insert(names(steps).index("DropClaim"), promotion.CountAgain(move))  # of a branch of one's own
    kinds = [each for module in (promotion, aftermath, compare_rights) for each in vars(module).values()]
    there = {each for each in kinds if isinstance(each, type) and issubclass(each, Step)} - {Step, promotion.MoveStep}
    assert {type(step) for step in steps} == there
    text = (ROOT / "docs" / "strategies.md").read_text().partition("| step | it is a part of |\n|---|---|\n")[2]
    documented = re.findall(r"\| (.+?) \| .+ \|", text.partition("\n\n")[0])
    assert tuple(documented) == explain(steps)


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


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_SECONDS", "_LEAD_BACK_SECONDS", "_STAYED_SECONDS", "_PAUSE"):
        monkeypatch.setattr(promotion, name, 0.01)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    @contextmanager
    def owner_of(to: ServedBranch) -> Iterator[Owner]:
        if error := world.fails.get(f"connect {to.key}"):
            raise error
        yield Owner(to)

    @contextmanager
    def sessions_on(to: ServedBranch) -> Iterator[Sessions]:
        with owner_of(to) as owner:
            yield Sessions("", cast("Connection", owner), ())

    def deed(name: str, answer: Any = None) -> Callable[..., Any]:
        def done(owner: Owner, *_: Any) -> Any:
            world.do(f"{name} {owner.branch.key}")
            return answer

        return done

    def marker(_owner: Owner, _role: str, mark: BranchMarker) -> None:
        world.do(f"mark {'claimed' if mark.claim else mark.served_by or 'as it was'}")

    for module in (promotion, aftermath):
        monkeypatch.setattr(module, "owner_of", owner_of)
        monkeypatch.setattr(module, "close_for_writes", deed("close"))
        monkeypatch.setattr(module, "read_marker", lambda *_: BranchMarker(BranchId("br"), Transaction("7")))
        monkeypatch.setattr(module, "write_marker", marker)
    monkeypatch.setattr(aftermath, "rows_of", lambda *_, **__: orders(world.behind))
    monkeypatch.setattr(promotion, "rows_in", lambda *_: orders(world.behind))
    monkeypatch.setattr(promotion, "missing_in", lambda *_: Missing(None, None))
    monkeypatch.setattr(promotion, "writes_waiting", world.writes_waiting)
    monkeypatch.setattr(promotion, "sessions_on", sessions_on)
    monkeypatch.setattr(promotion, "next_transaction", lambda _owner: world.later)
    monkeypatch.setattr("environments.cutover.writes.owner_of", owner_of)
    monkeypatch.setattr("environments.cutover.move.owner_of", owner_of)
    monkeypatch.setattr("environments.cutover.move.Vercel", lambda: world)
    monkeypatch.setattr(promotion, "open_for_writes", deed("open"))
    monkeypatch.setattr(promotion, "baseline", lambda _owner: "900")
    monkeypatch.setattr(promotion, "count_rows", lambda *_: orders(world.written))
    monkeypatch.setattr(promotion, "probe", world.probe)
    monkeypatch.setattr(promotion, "watching", world.watching)
    monkeypatch.setattr(promotion, "probe_proven", world.probe_proven)
    monkeypatch.setattr(compare_rights, "rights_compared", world.rights_compared)
    monkeypatch.setattr(promotion, "carry_over", world.carry_over)
    monkeypatch.setattr(promotion, "was_cut_short", lambda _target: False)
    monkeypatch.setattr(aftermath, "close_login", lambda owner, role: world.do(f"no login {role} {owner.branch.key}"))
    monkeypatch.setattr(aftermath, "drain", lambda owner, _roles: world.do(f"drain {owner.branch.key}"))
    monkeypatch.setattr(aftermath, "drop_claim", lambda owner, *_: world.do(f"unclaim {owner.branch.key}"))
    return world


MOVED = [
    *("open prod-v2", "probe prod-v2.vercel.app", "lock prod-v1", "look at the lock on prod-v1"),
    *("promote dpl_prod-v2", "probe shop.example", "commit prod-v1", "unlock prod-v1"),
    *("mark dpl_prod-v2", "no login app_prod_2 prod-v2", "drain prod-v1", "closed"),
]
UNDONE = {
    "open prod-v2": ["close prod-v2"],
    "probe prod-v2.vercel.app": ["close prod-v2"],
    "lock prod-v1": ["unlock prod-v1", "close prod-v2"],
    "look at the lock on prod-v1": ["unlock prod-v1", "close prod-v2"],
    "promote dpl_prod-v2": ["unlock prod-v1", "promote dpl_prod-v1", "close prod-v2"],
    "probe shop.example": ["unlock prod-v1", "promote dpl_prod-v1", "close prod-v2"],
}
LOST = ApiUnreachableError("Vercel could not be reached for POST promote: ReadError")


def test_a_move_does_all_of_it_and_notes_what_it_did(world: World) -> None:
    world.behind = 0
    with log.collected() as said:
        outputs = cut_over.cut_over(NEW, OLD, None)
    assert world.done == MOVED
    assert (outputs.served.branch, outputs.served.id, outputs.served.deployment) == (
        *("prod-v2", "br-prod-v2", "dpl_prod-v2"),
    )
    assert outputs.domain == "shop.example"
    assert outputs.unfinished is None
    assert outputs.history["br-prod-v2"].credentials == "login of prod-v2"
    (last,) = said
    assert re.fullmatch(
        r"prod-v2 serves; writes paused for \d+\.\d\d s, reads for none. prod-v1 is read-only now. "
        r"0 rows exist only there\.",
        last,
    )


@pytest.mark.parametrize("failing", UNDONE)
def test_whatever_fails_up_to_the_move_exactly_what_was_done_is_undone(world: World, failing: str) -> None:
    world.fails[failing] = RuntimeError("no luck")
    with pytest.raises(UndoneError, match=r"^no luck\. Production is as it was\.$"):
        cut_over.cut_over(NEW, OLD, None)
    assert world.done == [*MOVED[: MOVED.index(failing) + 1], *UNDONE[failing], "closed"]


def test_rows_that_somebody_wrote_after_writes_had_stopped_are_told(world: World) -> None:
    world.later, counts = 903, iter([0, 2])
    with log.collected() as said, pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "rows_in", lambda *_: orders(next(counts)))
        cut_over.cut_over(NEW, OLD, None)
    assert said[-1].startswith(
        "warning: 2 rows (orders 2) were written to prod-v1 after its writes had stopped, by a login"
    )


def test_rows_that_took_the_place_of_counted_ones_after_writes_had_stopped_are_told(world: World) -> None:
    world.later, world.behind, world.written = 903, 5, 5
    guard = replace(GUARD, accepted=Accepted(branch="prod-v1", rows=5))
    with log.collected() as said:
        cut_over.cut_over(replace(NEW, guard=guard), OLD, None)
    assert said[-1].startswith("warning: 5 rows (orders 5) were written to prod-v1 after its writes had stopped")


def test_a_count_after_the_move_that_is_not_whole_is_told(world: World) -> None:
    world.later = 903
    with log.collected() as said, pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "count_rows", lambda *_: RowCount((), "counting orders took longer than 20 s"))
        cut_over.cut_over(NEW, OLD, None)
    assert said[-1] == (
        "warning: whether rows were written to prod-v1 after its writes had stopped isn't sure: counting orders took "
        "longer than 20 s"
    )


def test_where_no_transaction_came_after_the_fence_nothing_is_counted_again(world: World) -> None:
    counts = iter([0])
    with log.collected() as said, pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "rows_in", lambda *_: orders(next(counts)))
        cut_over.cut_over(NEW, OLD, None)
    assert len(said) == 1
    assert world.later == world.following


BEHIND_THE_FENCE = {"lock prod-v1", "count prod-v1", "promote dpl_prod-v2", "probe shop.example"}


@pytest.mark.parametrize("stuck", sorted(BEHIND_THE_FENCE))
def test_a_pause_of_writes_that_lasts_too_long_is_undone_and_no_undo_is_held_to_it(
    world: World, monkeypatch: pytest.MonkeyPatch, stuck: str
) -> None:
    left: dict[str, list[float | None]] = {}

    def do(deed: str) -> None:
        world.done.append(deed)
        left.setdefault(deed, []).append(seconds_left())
        if deed == stuck:
            pause(60, "no answer")

    def rows_in(*_: object) -> RowCount:
        do("count prod-v1")
        return RowCount(())

    monkeypatch.setattr(world, "do", do)
    monkeypatch.setattr(promotion, "rows_in", rows_in)
    said = (
        r"^writes to prod-v1 paused for 1 s, which is as long as safety\.write_pause allows: no answer\. Production is"
    )
    with pytest.raises(UndoneError, match=said):
        cut_over.cut_over(replace(NEW, guard=replace(GUARD, write_pause=1)), OLD, None)
    assert world.done[-2:] == ["close prod-v2", "closed"]
    assert "unlock prod-v1" in world.done
    limited = {deed for deed, seconds in left.items() if seconds != [None] * len(seconds)}
    assert limited - {"look at the lock on prod-v1"} == BEHIND_THE_FENCE & set(left)
    assert left["close prod-v2"] == left["open prod-v2"] == [None]


LOSS = Loss(name="public.orders", schema="public", text="it can't SELECT public.orders", remedy="as ann, run GRANT")


def test_a_login_that_could_do_less_than_the_one_before_gets_no_domain_and_nobody_waited(world: World) -> None:
    world.comparison = Comparison(losses=(LOSS,))
    with pytest.raises(UndoneError) as undone:
        cut_over.cut_over(NEW, OLD, None)
    assert str(undone.value) == (
        "the app could see or do less on prod-v2 than before. it can't SELECT public.orders; as ann, run GRANT. If the "
        "app can do without: safety.fewer_rights: [public.orders]. Production is as it was."
    )
    assert world.done == ["open prod-v2", "close prod-v2", "closed"]
    assert world.compared == ["prod-v1"]


def test_what_the_app_may_lose_is_told_and_the_move_is_made(world: World) -> None:
    world.comparison = Comparison(losses=(LOSS,), notes=("a note",))
    with log.collected() as said:
        cut_over.cut_over(replace(NEW, guard=replace(GUARD, fewer_rights=("public.orders",))), OLD, None)
    assert said[:2] == ["it can't SELECT public.orders (safety.fewer_rights allows it)", "a note"]
    assert world.done == MOVED


def test_a_first_cutover_is_compared_with_no_login_before_and_a_rotation_with_the_last_one(world: World) -> None:
    world.domain_of = ""
    cut_over.cut_over(NEW, None, None)
    cut_over.cut_over(NEW, OTHER_LOGIN, None)
    assert world.compared == [None, "prod-v2"]


def test_a_health_check_that_asks_no_database_is_not_waited_for_there_and_the_steps_promise_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody looks for a session")

    monkeypatch.setattr(promotion, "probe_proven", never)
    assert NEW.deployment
    health = replace(NEW.deployment.health, database=False)
    new = replace(NEW, deployment=replace(NEW.deployment, health=health))
    cut_over.cut_over(new, OLD, None)
    assert world.done == MOVED
    assert "The staged deployment must pass its health check on its own host." in explain(steps_between(OLD, new))


def test_the_steps_after_the_move_are_held_to_no_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left: dict[str, float | None] = {}
    monkeypatch.setattr(world, "do", lambda deed: left.update({deed: seconds_left()}))
    cut_over.cut_over(NEW, OLD, None)
    assert left["mark dpl_prod-v2"] is left["drain prod-v1"] is None
    assert left["probe shop.example"] is not None


def test_one_row_too_many_lets_writes_go_on(world: World) -> None:
    world.behind = 1
    with pytest.raises(UndoneError) as undone:
        cut_over.cut_over(NEW, OLD, None)
    assert world.done[-4:] == ["lock prod-v1", "unlock prod-v1", "close prod-v2", "closed"]
    assert "The pointer stays on prod-v1, which takes writes again. Production is as it was." in str(undone.value)


def test_an_unhealthy_domain_is_told_with_what_visitors_wrote_and_the_deployments_log(world: World) -> None:
    world.fails["probe shop.example"] = UnhealthyError("it answers status 500")
    world.written = 2
    with pytest.raises(UndoneError) as undone:
        cut_over.cut_over(NEW, OLD, None)
    assert str(undone.value) == (
        "it answers status 500. Production is as it was. Visitors wrote 2 rows (orders 2) to prod-v2 in the meantime: "
        "there they stay, read-only.\n    Its log: 1 URL hidden"
    )


def test_where_the_domain_leads_there_already_nothing_is_probed_on_its_own_host_or_promoted(world: World) -> None:
    world.domain_of = "dpl_prod-v2"
    cut_over.cut_over(NEW, OLD, None)
    skipped = ("probe prod-v2.vercel.app", "look at the lock on prod-v1", "promote dpl_prod-v2")
    assert world.done == [deed for deed in MOVED if deed not in skipped]


def test_a_branch_that_the_domain_leads_to_already_is_not_closed_by_an_undo(world: World) -> None:
    """An update was killed after the promotion, and the next one may not leave the rows behind."""
    world.domain_of, world.behind = "dpl_prod-v2", 1
    with pytest.raises(UndoneError, match=r"prod-v2 stays open for writes, since shop\.example leads there"):
        cut_over.cut_over(NEW, OLD, None)
    assert world.done[-3:] == ["lock prod-v1", "unlock prod-v1", "closed"]


def test_a_first_cutover_that_fails_does_not_close_the_branch_that_the_domain_leads_to(world: World) -> None:
    world.domain_of = ""
    world.fails["probe shop.example"] = RuntimeError("no luck")
    with pytest.raises(UndoneError, match=r"prod-v2 stays open for writes, since shop\.example leads there"):
        cut_over.cut_over(NEW, None, None)
    assert world.done[-2:] == ["probe shop.example", "closed"]


def test_a_promotion_whose_reply_was_lost_is_looked_up_and_the_move_goes_on(world: World) -> None:
    world.after["dpl_prod-v2"] = LOST
    with log.collected() as said:
        outputs = cut_over.cut_over(NEW, OLD, None)
    assert world.done == MOVED
    assert outputs.served.branch == "prod-v2"
    assert said[0] == f"{LOST}. shop.example leads to dpl_prod-v2 all the same, so the move goes on"


def test_where_the_pause_is_used_up_nobody_waits_while_it_is_looked_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "_LOOK_SECONDS", 60)
    used_up: list[float] = []

    def lost(_project: str, deployment: str, _domain: str) -> None:
        world.do(f"promote {deployment}")
        if deployment == DPL_2:
            time.sleep(seconds_left() or 0)
            used_up.append(time.monotonic())
            raise LOST

    monkeypatch.setattr(world, "promote", lost)
    with pytest.raises(UndoneError):
        cut_over.cut_over(replace(NEW, guard=replace(GUARD, write_pause=1)), OLD, None)
    assert time.monotonic() - used_up[0] < 30


def test_where_nobody_can_find_out_where_the_domain_leads_writes_go_on_and_both_branches_stay_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_project: str, deployment: str, _domain: str) -> None:
        world.do(f"promote {deployment}")
        world.out = True
        raise LOST

    monkeypatch.setattr(world, "promote", gone)
    world.written = 3
    with pytest.raises(UndoneError) as undone:
        cut_over.cut_over(NEW, OLD, None)
    there = world.done.index("promote dpl_prod-v2")
    assert world.done[there : there + 3] == ["promote dpl_prod-v2", "unlock prod-v1", "promote dpl_prod-v1"]
    assert "close prod-v2" not in world.done
    assert (
        "Undoing what was done failed as well (shop.example leads where nobody could find out, and could not be led "
        f"back to dpl_prod-v1: {LOST}): run environments recover for this stack, then pulumi up. prod-v2 stays open "
        "for writes, since shop.example leads there or may come to lead there. Visitors wrote 3 rows (orders 3)"
    ) in str(undone.value)


def test_a_vercel_that_comes_back_has_the_domain_led_back_and_the_new_branch_closed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "_LEAD_BACK_SECONDS", 5)
    world.fails["probe shop.example"] = UnhealthyError("it answers status 500")
    world.once["promote dpl_prod-v1"] = LOST
    with pytest.raises(UndoneError, match=r"status 500\. Production is as it was"):
        cut_over.cut_over(NEW, OLD, None)
    assert world.done[-5:] == ["unlock prod-v1", *["promote dpl_prod-v1"] * 2, "close prod-v2", "closed"]
    assert world.domain_of == "dpl_prod-v1"


def test_a_domain_that_never_moved_leaves_the_new_branch_open_as_long_as_a_promotion_may_still_come(
    world: World,
) -> None:
    world.fails |= {f"promote {each}": ApiError("Vercel", "POST promote", 500, "", "no") for each in (DPL_2, DPL_1)}
    with pytest.raises(UndoneError) as undone:
        cut_over.cut_over(NEW, OLD, None)
    assert "Production is as it was. prod-v2 stays open for writes, since" in str(undone.value)
    assert "close prod-v2" not in world.done


def test_a_lock_that_was_lost_after_the_move_is_taken_again_and_the_rows_are_counted_again(world: World) -> None:
    world.once["commit prod-v1"] = LockLostError("the lock on writes was lost: gone")
    with log.collected() as said:
        outputs = cut_over.cut_over(NEW, OLD, None)
    there = world.done.index("commit prod-v1")
    assert world.done[there : there + 5] == [
        *("commit prod-v1", "unlock prod-v1", "lock prod-v1", "commit prod-v1", "unlock prod-v1")
    ]
    assert outputs.unfinished is None
    assert said[0] == (
        "warning: the lock on writes was lost: gone. Writes to prod-v1 went on meanwhile; its rows are counted again"
    )


def test_a_lock_that_can_not_be_taken_again_leaves_the_fence_to_the_next_update(world: World) -> None:
    world.fails["commit prod-v1"] = LockLostError("the lock on writes was lost: gone")
    outputs = cut_over.cut_over(NEW, OLD, None)
    assert outputs.unfinished == Unfinished(
        fence={"br-prod-v1": OLD.branch.made()}, reason="the lock on writes was lost: gone"
    )
    assert "promote dpl_prod-v1" not in world.done
    assert world.done.count("unlock prod-v1") == 2


def test_a_claim_is_put_back_if_the_move_fails(world: World) -> None:
    theirs = pointer(branch("dev/dev", claim=CLAIM))
    world.fails["probe dev/dev.vercel.app"] = RuntimeError("no luck")
    with pytest.raises(UndoneError):
        cut_over.cut_over(theirs, OLD, None)
    assert world.done == [
        *("mark claimed", "open dev/dev", "probe dev/dev.vercel.app"),
        *("close dev/dev", "mark as it was", "closed"),
    ]


def test_rows_are_carried_over_behind_the_fence_and_probed_before_the_domain_moves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut_over, "copies_again", lambda *_: True)
    cut_over.cut_over(replace(NEW, lineage=COPY), OLD, None)
    assert world.done[2:8] == [
        *("lock prod-v1", "carry over", "open prod-v2", "probe prod-v2.vercel.app"),
        *("look at the lock on prod-v1", "promote dpl_prod-v2"),
    ]


def test_a_branch_out_of_reach_is_left_without_a_fence_only_if_any_number_of_rows_may_stay(world: World) -> None:
    world.fails["connect prod-v1"] = NotReadyError("no answer")
    with pytest.raises(UndoneError, match="could not be counted in full"):
        cut_over.cut_over(NEW, OLD, None)
    assert world.done[-2:] == ["close prod-v2", "closed"]
    accepted = replace(GUARD, accepted=Accepted(branch="prod-v1", rows=ANY_ROWS))
    with log.collected() as said:
        outputs = cut_over.cut_over(replace(NEW, guard=accepted), OLD, None)
    assert outputs.unfinished is None
    assert "warning: prod-v1 is left without a fence: its database could not be asked (no answer)" in said
    assert "lock prod-v1" not in world.done


def test_a_fence_that_fails_after_the_move_is_owed_and_the_next_update_raises_it(world: World) -> None:
    world.fails["close prod-v1"] = RuntimeError("no luck")
    new = replace(NEW, guard=AFTER)
    with log.collected() as said:
        outputs = cut_over.cut_over(new, OLD, None)
    assert outputs.unfinished == Unfinished(fence={"br-prod-v1": OLD.branch.made()}, reason="no luck")
    assert said == ["warning: prod-v2 serves, but the move is not finished: no luck. Run pulumi up again."]
    assert "promote dpl_prod-v1" not in world.done
    world.fails.clear()
    finished: Outputs = cut_over.cut_over(new, new, outputs)
    assert finished.unfinished is None
    assert world.done[-3:] == ["close prod-v1", "unclaim prod-v1", "closed"]


def test_the_deployment_that_had_the_domain_is_the_one_that_gets_it_back(world: World) -> None:
    world.domain_of = "dpl_of-a-push"
    world.fails["probe shop.example"] = RuntimeError("no luck")
    with pytest.raises(UndoneError):
        cut_over.cut_over(NEW, OLD, None)
    assert f"promote {DeploymentId('dpl_of-a-push')}" in world.done
