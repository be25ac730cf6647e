"""A move that is run: what it does, and that a failure undoes exactly that; stand-ins take the clouds' place."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from environments import log
from environments.clients.deadline import pause, seconds_left
from environments.clients.postgres import NotReadyError
from environments.cutover import cut_over, promotion
from environments.cutover.pointer import Outputs, Unfinished
from environments.cutover.probe import UnhealthyError
from environments.cutover.steps import UndoneError, explain
from environments.database.lost_rights import Comparison, Loss
from environments.database.rows import RowCount
from environments.database.write_lock import LockLostError
from environments.ids import DeploymentId
from environments.plan.topology import ANY_ROWS, Accepted
from tests.cutover.pointers import CLAIM, GUARD, branch, pointer
from tests.cutover.stand_ins import AFTER, COPY, MOVED, NEW, OLD, OTHER_LOGIN, World, orders, steps_between

UNDONE = {
    "open prod-v2": ["close prod-v2"],
    "probe prod-v2.vercel.app": ["close prod-v2"],
    "lock prod-v1": ["unlock prod-v1", "close prod-v2"],
    "look at the lock on prod-v1": ["unlock prod-v1", "close prod-v2"],
    "promote dpl_prod-v2": ["unlock prod-v1", "promote dpl_prod-v1", "close prod-v2"],
    "probe shop.example": ["unlock prod-v1", "promote dpl_prod-v1", "close prod-v2"],
}


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
