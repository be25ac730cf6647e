"""What is told of a branch whose line has gone from the stack file."""

from __future__ import annotations

import pytest

from environments.ids import DeletionPolicy
from environments.plan.dropped import dropped
from environments.plan.topology import StackExports

RETIRED: dict[str, DeletionPolicy] = {"prod-v2": "delete"}


def before(**leaving: DeletionPolicy) -> StackExports:
    return StackExports(branches={"prod-v1": "br-1", "prod-v2": "br-2"}, leaving=leaving)


@pytest.mark.parametrize(
    ("leaving", "told"),
    [
        (
            {"prod-v1": "delete"},
            "it was retired: Neon deletes it with this update, with every row on it. To keep it, ",
        ),
        ({"prod-v1": "expire"}, "it is temporary: Neon deletes it with this update, with every row on it. To keep"),
        ({"prod-v1": "orphan"}, "it was released: in Neon it lives on as it is"),
        ({}, "nobody has let go of it: while Neon has it, this is refused. Put its line back, with retire: true"),
    ],
)
def test_what_becomes_of_it_is_told(leaving: dict[str, DeletionPolicy], told: str) -> None:
    (sentence,) = dropped(["prod-v2"], before(**leaving))
    assert sentence.startswith(f"prod-v1 is dropped; {told}")


def test_a_stack_that_exports_nothing_yet_drops_nothing() -> None:
    assert dropped(["prod-v1"], StackExports()) == []


def test_a_branch_that_is_there_is_not_dropped_whatever_may_become_of_it() -> None:
    assert dropped(["prod-v1", "prod-v2"], before(**RETIRED)) == []
