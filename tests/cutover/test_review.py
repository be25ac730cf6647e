"""The review of a move: what each of its lines says, and when it is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from environments.cutover.cut_over import steps_of
from environments.cutover.move import Move
from environments.cutover.pointer import CopiedFrom, Lineage, Pointer
from environments.cutover.review import first_review, move_review, renamed_review, same_branch_review
from environments.cutover.steps import explain
from environments.database.rows import RowCount
from environments.ids import BranchId, BranchKey
from environments.plan.topology import Accepted
from environments.props import UNKNOWN
from environments.review.model import MoveReview, RowsBehind, TableRows
from environments.review.terminal import render
from tests.cutover.pointers import CLAIM, GUARD, NO_LINEAGE, SUMMARY, branch, pointer

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = pointer("prod-v1"), pointer("prod-v2")
NONE = RowCount(())
TWO = RowCount((TableRows(table="order_items", rows=1), TableRows(table="orders", rows=1, rewritten=True)))
LOST = RowCount((), "its database could not be asked (no answer)")
STEPS = ("One thing happens.", "Then another.")


def line(review: MoveReview, label: str) -> str:
    return next((each.text for each in review.lines if each.label == label), "")


def moved(
    old: Pointer, new: Pointer, count: RowCount = NONE, *, again: bool = False, copied: bool = False
) -> MoveReview:
    return move_review(old, new, count, STEPS, again=again, copied=copied)


def test_a_move_to_a_branch_that_is_made_now_says_what_it_costs_and_how_to_go_back() -> None:
    review = moved(OLD, pointer(branch("prod-v2", id=UNKNOWN)))
    assert review.title == "production moves from prod-v1 to prod-v2 (Clone & Promote)"
    assert (review.kind, review.was, review.now) == ("move", "prod-v1", "prod-v2")
    assert [each.label for each in review.lines] == [
        *("data", "behind", "stays", "host", "deploy", "compute", "pause", "steps", "undo")
    ]
    assert line(review, "data") == "prod-v2 is made now, as a copy of dev (stack dev) as of that moment"
    assert line(review, "behind") == "nothing: no row was written to prod-v1 since it began"
    assert line(review, "pause") == "writes pause for about a second before the domain moves, reads go on"
    assert next(each for each in review.lines if each.label == "steps").items == STEPS
    assert review.undo == line(review, "undo") == "pulumi config set serve prod-v1, then pulumi up"


def test_rows_that_stay_behind_are_there_as_data_and_as_words() -> None:
    guard = replace(GUARD, accepted=Accepted(branch="prod-v1", rows=2))
    review = moved(OLD, replace(NEW, guard=guard), TWO)
    assert review.behind == RowsBehind(
        branch=BranchKey("prod-v1"),
        total=2,
        tables=(
            TableRows(table="order_items", rows=1, rewritten=False),
            TableRows(table="orders", rows=1, rewritten=True),
        ),
    )
    assert line(review, "behind") == (
        "2 rows (order_items 1, orders 1 (its columns changed)) stay behind on prod-v1 (accepted in the stack file)"
    )


def test_a_branch_out_of_reach_is_not_promised_to_be_there_later() -> None:
    review = moved(OLD, NEW, LOST)
    assert line(review, "behind").startswith("not known: its database could not be asked (no answer);")
    assert line(review, "stays") == "prod-v1 stays as it is; if it can't be reached, it isn't fenced either"
    assert review.undo.endswith(", if it is there")


def test_another_stacks_branch_is_shared_and_nothing_is_copied() -> None:
    review = moved(OLD, pointer(branch("dev/dev", claim=CLAIM)))
    assert "nothing is copied" in line(review, "data")
    assert line(review, "shares").startswith("dev and production read and write the same rows until dev serves")
    assert line(review, "compute").startswith("at least 1 to 4 CU, never suspends: the other stack has it so")
    back = moved(pointer(branch("dev/dev", claim=CLAIM)), NEW)
    assert line(back, "stays") == "dev/dev stays as its own stack has it, the way back; production may only read it"


@pytest.mark.parametrize(("seconds", "took"), [(2.5, " (the first time took 2.5 s)"), (0.0, ""), (UNKNOWN, "")])
def test_a_copy_that_is_made_again_says_how_long_that_took(seconds: float, took: str) -> None:
    copy = CopiedFrom(source_branch=BranchId("br-prod-v1"), seconds=seconds)
    lineage = Lineage(source=BranchKey("prod-v1"), fork=None, lsn=None, copy=copy)
    review = moved(OLD, replace(NEW, lineage=lineage), copied=True)
    assert line(review, "pause") == (
        f"writes pause while the rows are carried over{took}, before the domain moves; reads go on"
    )
    assert line(review, "behind").startswith("nothing: the rows of prod-v1 are carried over once more")


def test_a_clone_of_what_serves_leaves_nothing_but_what_came_since_it_was_cloned() -> None:
    cloned = replace(NEW, lineage=replace(NO_LINEAGE, source=BranchKey("prod-v1")))
    assert (
        line(moved(OLD, cloned), "behind") == "nothing: no row was written to prod-v1 since prod-v2 was cloned from it"
    )


def test_a_way_back_builds_nothing_and_a_fence_after_pauses_nothing() -> None:
    review = moved(OLD, replace(NEW, guard=replace(GUARD, fence_first=False)), again=True)
    assert line(review, "deploy").endswith("nothing is built")
    assert line(review, "pause").startswith("no pause: the domain moves first")


def test_the_first_deployment_names_the_way_back_only_if_there_is_one() -> None:
    assert first_review(NEW, "", STEPS).undo == ""
    assert line(first_review(NEW, "", STEPS), "undo").startswith("nothing served before")
    assert line(first_review(NEW, "dpl_1", STEPS), "undo").startswith("promote dpl_1 in Vercel")
    adopted = replace(NEW, summary=replace(SUMMARY, source=""))
    assert line(first_review(adopted, "", STEPS), "data").startswith("prod-v2 was there before this environment")


def test_a_pointer_that_stays_keeps_every_row() -> None:
    same, renamed = same_branch_review(NEW, STEPS), renamed_review(pointer("dev/dev"), NEW)
    assert same.title == "production stays on prod-v2; its app is deployed again"
    assert renamed.title == "production stays on its branch, called dev/dev until now and prod-v2 from here on"
    assert "keeps every row" in line(same, "data")
    assert "keeps every row" in line(renamed, "data")
    assert renamed.undo == "pulumi config set serve dev/dev, then pulumi up"


@pytest.mark.parametrize("strategy", ["Clone & Promote", "Pointer Swap"])
def test_the_documentation_shows_the_review_as_it_is(strategy: str) -> None:
    swap = strategy == "Pointer Swap"
    to = branch("dev/dev", claim=CLAIM) if swap else branch("prod-v2", id=UNKNOWN)
    new = replace(pointer(to), summary=replace(SUMMARY, strategy=strategy))
    leaving = OLD.branch.made()
    steps = explain(steps_of(Move(new, leaving, newly=True, served_before=leaving), OLD))
    shown = render(move_review(OLD, new, NONE, steps, again=False, copied=False))
    assert f"```\n{shown}\n```" in (ROOT / "docs" / "strategies.md").read_text()
