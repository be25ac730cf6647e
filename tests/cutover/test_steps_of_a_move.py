"""Which steps a move takes, in which order, and that the documentation has them all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from environments.cutover import aftermath, compare_rights, cut_over, promotion
from environments.cutover.move import Move
from environments.cutover.pointer import Pointer
from environments.cutover.steps import Step, explain
from environments.props import UNKNOWN
from tests.cutover.pointers import CLAIM, branch, pointer, served_branch
from tests.cutover.stand_ins import AFTER, COPY, NEW, OLD, OTHER_LOGIN, names, steps_between

ROOT = Path(__file__).resolve().parents[2]


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
