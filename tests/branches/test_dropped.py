"""What a user reads of a branch whose line left the stack file."""

from __future__ import annotations

import pytest

from environments.branches.dropped import dropped
from environments.ids import BranchKey, DeletionPolicy

ONE, TWO = BranchKey("prod-v1"), BranchKey("prod-v2")
POLICIES: dict[DeletionPolicy, str] = {
    "delete": "It was retired: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "expire": "It is temporary: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "orphan": "It was released: it stays in Neon as it is",
    "retain": "It has neither retire: true nor release: true, so pulumi up is refused as long as Neon has it. Put its",
}


@pytest.mark.parametrize(("policy", "follows"), POLICIES.items())
def test_each_policy_has_its_sentence(policy: DeletionPolicy, follows: str) -> None:
    (sentence,) = dropped([TWO], {ONE: policy, TWO: "retain"})
    assert sentence.startswith(f"prod-v1 is dropped. {follows}")


def test_each_dropped_branch_has_a_sentence_in_the_order_of_the_last_update() -> None:
    sentences = dropped([], {TWO: "retain", ONE: "orphan"})
    assert [sentence.partition(" ")[0] for sentence in sentences] == [TWO, ONE]


def test_the_first_update_drops_nothing() -> None:
    assert dropped([ONE], {}) == []


@pytest.mark.parametrize("policy", POLICIES)
def test_a_branch_that_the_stack_file_still_has_is_not_dropped(policy: DeletionPolicy) -> None:
    assert dropped([ONE, TWO], {ONE: "retain", TWO: policy}) == []
