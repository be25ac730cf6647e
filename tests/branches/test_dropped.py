"""What a user reads of a branch whose line left the stack file, and how a renamed key is recognised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from environments.branches.dropped import (
    Listed,
    destroy_refusal,
    dropped,
    dropped_but_kept,
    kept_refusal,
    renamed_key,
    renamed_refusal,
)
from environments.branches.source import Source, WantedBranch
from environments.ids import BranchId, BranchKey, DeletionPolicy, NeonProject, StackName
from environments.props import UNKNOWN

ONE, TWO, NEW = BranchKey("prod-v1"), BranchKey("prod-v2"), BranchKey("prod-one")
GOES: dict[DeletionPolicy, str] = {
    "delete": "It was retired: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "expire": "It is temporary: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "orphan": "It was released: it stays in Neon as it is",
}
POLICIES: tuple[DeletionPolicy, ...] = ("retain", *GOES)


def listed(name: str = ONE, at: str = "", min_cu: float = 0.25, policy: DeletionPolicy = "retain") -> Listed:
    wanted = WantedBranch(name=name, min_cu=min_cu, max_cu=1, suspend_seconds=300, protected=False, deletion=policy)
    source = Source(stack=StackName("dev"), branch=BranchKey("dev"), at=at, kind="clone")
    return Listed(project=NeonProject("p"), id=BranchId(f"br-{name}"), source=source, wanted=wanted)


@pytest.mark.parametrize(("policy", "follows"), GOES.items())
def test_each_policy_that_lets_go_has_its_sentence(policy: DeletionPolicy, follows: str) -> None:
    (sentence,) = dropped([TWO], {ONE: policy, TWO: "retain"})
    assert sentence.startswith(f"prod-v1 is dropped. {follows}")
    assert dropped_but_kept([TWO], {ONE: policy, TWO: "retain"}) == []


def test_a_branch_that_is_retained_is_refused_and_not_warned_of() -> None:
    assert dropped([TWO], {ONE: "retain"}) == []
    assert dropped_but_kept([TWO], {ONE: "retain", TWO: "retain"}) == [ONE]


def test_each_dropped_branch_has_a_sentence_in_the_order_of_the_last_update() -> None:
    sentences = dropped([], {TWO: "delete", ONE: "orphan"})
    assert [sentence.partition(" ")[0] for sentence in sentences] == [TWO, ONE]


def test_the_first_update_drops_nothing() -> None:
    assert dropped([ONE], {}) == []
    assert dropped_but_kept([ONE], {}) == []


@pytest.mark.parametrize("policy", POLICIES)
def test_a_branch_that_the_stack_file_still_has_is_not_dropped(policy: DeletionPolicy) -> None:
    assert dropped([ONE, TWO], {ONE: "retain", TWO: policy}) == []
    assert dropped_but_kept([ONE, TWO], {ONE: "retain", TWO: policy}) == []


def test_the_edits_that_a_refusal_offers_begin_with_the_one_that_keeps_and_end_with_the_one_that_loses() -> None:
    for said in (kept_refusal(ONE), renamed_refusal(ONE, listed(), NEW, listed(NEW))):
        keeps, lives_on, goes = (
            said.index("put its line back"),
            said.index("release: true. "),
            said.rindex("with every"),
        )
        assert keeps < lives_on < goes
        assert "branch prod-v1 has neither retire: true nor release: true, so it is not deleted" in said


def test_a_refused_destroy_names_every_branch_that_nobody_let_go_of() -> None:
    assert destroy_refusal([ONE]).startswith("branch prod-v1 has neither retire: true nor release: true")
    assert destroy_refusal([ONE, TWO]).startswith("branches prod-v1, prod-v2 have neither")


def test_a_renamed_key_is_recognised_by_its_source_and_settings() -> None:
    before, kept = {ONE: listed(), TWO: listed(TWO)}, {TWO: listed(TWO)}
    not_made_yet = replace(listed(NEW), id=UNKNOWN)
    assert renamed_key(ONE, before, kept | {NEW: not_made_yet}) == NEW
    said = renamed_refusal(ONE, listed(), NEW, not_made_yet)
    assert "prod-v1 is dropped, and prod-one is new with the same source and settings" in said
    assert "keep its key and add its new name: prod-v1: {…, name: prod-one}" in said


def test_a_key_that_is_renamed_although_the_name_was_given_is_only_put_back() -> None:
    said = renamed_refusal(ONE, listed("shop"), NEW, listed("shop"))
    assert "If you want to rename prod-v1, keep its key. Otherwise" in said
    assert "name:" not in said


@pytest.mark.parametrize(
    "new",
    [listed(NEW, at="1795683600"), listed(NEW, min_cu=1), listed(NEW, policy="expire")],
    ids=["another moment", "another size", "another end"],
)
def test_another_branch_is_not_taken_for_a_renamed_one(new: Listed) -> None:
    assert renamed_key(ONE, {ONE: listed()}, {NEW: new}) is None


def test_no_key_is_named_where_it_could_be_another_one() -> None:
    three = BranchKey("prod-v3")
    assert renamed_key(ONE, {ONE: listed()}, {}) is None
    assert renamed_key(ONE, {ONE: listed()}, {NEW: listed(NEW), three: listed(three)}) is None, "two are new"
    assert renamed_key(ONE, {ONE: listed(), TWO: listed(TWO)}, {NEW: listed(NEW)}) is None, "two are dropped"
    assert renamed_key(ONE, {ONE: listed(), TWO: listed(TWO)}, {TWO: listed(TWO)}) is None, "it was there before"
