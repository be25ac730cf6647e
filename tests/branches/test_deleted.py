"""A branch that was deleted by hand is told apart from one that was renamed, and from one that never existed."""

from __future__ import annotations

from typing import Any

import pytest

from environments.branches.deleted import Seen, deleted_refusal, look, newest_operation
from environments.branches.source import Source
from environments.ids import BranchId, BranchKey, NeonProject, StackName
from tests.branches.stand_in import MADE_AT, StandIn, made

PROJECT = NeonProject("p")
NOTED = BranchId("br-2")
KEY = BranchKey("prod-v2")
SOURCE = Source(stack=StackName("dev"), branch=BranchKey("dev"), at="", kind="clone")


@pytest.fixture(autouse=True)
def two_branches(neon: StandIn) -> None:
    neon.branches = {"br-1": {"name": "dev"}}
    neon.operations = [made("op-0", "br-0"), made("op-1", "br-1")]


def seen(known: BranchId | None = None, operation: str = "op-1") -> Seen:
    return look(PROJECT, "prod-v2", known, operation)


def test_a_branch_that_exists_is_noted_by_its_id(neon: StandIn) -> None:
    neon.branches["br-2"] = {"name": "prod-v2"}
    assert seen() == Seen(id=NOTED)


def test_a_branch_that_was_renamed_exists(neon: StandIn) -> None:
    neon.branches["br-2"] = {"name": "somebodys"}
    assert seen(NOTED) == Seen(id=NOTED)


def test_a_branch_that_was_noted_and_no_longer_exists_is_gone(neon: StandIn) -> None:
    assert seen(NOTED) == Seen(id=NOTED, gone=True)
    neon.branches["br-3"] = {"name": "prod-v2"}
    assert seen(NOTED).gone, "another one of the same name is not it"


def test_a_branch_that_was_made_and_deleted_before_anybody_looked_is_gone(neon: StandIn) -> None:
    others: list[dict[str, Any]] = [
        {"id": f"op-{number}", "action": "start_compute", "branch_id": "br-1"} for number in range(3, 8)
    ]
    neon.operations += [made("op-2", "br-2"), *others]
    assert seen().gone


def test_a_branch_that_was_never_made_is_not_gone(neon: StandIn) -> None:
    neon.operations.append({"id": "op-2", "action": "delete_timeline", "branch_id": "br-0"})
    assert not seen().gone, "br-0 was made before"
    assert not seen(operation="").gone, "the project had no operation when the source was settled"


def test_a_branch_that_comes_back_is_not_gone_any_more(neon: StandIn) -> None:
    neon.branches["br-2"] = {"name": "prod-v2", "created_at": MADE_AT}
    assert seen(NOTED) == Seen(id=NOTED)


def test_the_newest_operation_marks_the_moment(neon: StandIn) -> None:
    assert newest_operation(PROJECT) == "op-1"
    neon.operations = []
    assert newest_operation(PROJECT) == ""


def test_the_refusal_names_what_serves_and_what_a_new_branch_would_hold() -> None:
    serving = deleted_refusal(KEY, SOURCE, serves=True)
    assert "it is the one that serves" in serving
    assert "it would hold another copy of dev (stack dev)" in serving
    other = deleted_refusal(KEY, SOURCE, serves=False)
    assert other.startswith("branch prod-v2 is no longer in Neon, though this stack did not delete it.")
    assert "it is the one that serves" not in other
