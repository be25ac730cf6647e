"""The domain leads elsewhere than expected, or nobody can find out where: no branch is closed too early."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from environments import log
from environments.clients.deadline import seconds_left
from environments.clients.http import ApiError, ApiUnreachableError
from environments.cutover import cut_over, promotion
from environments.cutover.probe import UnhealthyError
from environments.cutover.steps import UndoneError
from tests.cutover.pointers import GUARD
from tests.cutover.stand_ins import MOVED, NEW, OLD, World

DPL_1, DPL_2 = "dpl_prod-v1", "dpl_prod-v2"
LOST = ApiUnreachableError("Vercel could not be reached for POST promote: ReadError")


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
