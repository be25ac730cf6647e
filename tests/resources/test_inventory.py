"""Inventory: what left the stack file since the last update is said or refused, and no kept branch is destroyed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from environments import log
from environments.branches.dropped import KeptError, Listed
from environments.branches.source import Source, WantedBranch
from environments.clients.http import ApiError
from environments.ids import BranchId, BranchKey, DeletionPolicy, NeonProject, StackName
from environments.plugin.registry import resource_of
from environments.props import UNKNOWN
from environments.resources.inventory import Inputs, Inventory, Outputs
from environments.resources.typed import State
from tests.branches.conftest import neon
from tests.branches.stand_in import StandIn

__all__ = ["neon"]

RESOURCE = Inventory()
SOURCE = Source(stack=StackName("dev"), branch=BranchKey("dev"), at="", kind="clone")
RETAINED = "has neither retire: true nor release: true"


def inputs(**branches: DeletionPolicy) -> Inputs:
    return Inputs(
        branches={BranchKey(key): policy for key, policy in branches.items()},
        listed={BranchKey(key): listed(key, policy) for key, policy in branches.items()},
    )


def listed(key: str, policy: DeletionPolicy = "retain") -> Listed:
    wanted = WantedBranch(name=key, min_cu=1, max_cu=4, suspend_seconds=300, protected=False, deletion=policy)
    return Listed(project=NeonProject("p"), id=BranchId(f"br-{key}"), source=SOURCE, wanted=wanted)


def of_an_earlier_version(given: Inputs) -> Inputs:
    return replace(given, listed={})


def said(old: Inputs | None, new: Inputs) -> list[str]:
    with log.collected() as warnings:
        checked = RESOURCE.check(old, new)
    assert checked.inputs == new
    assert checked.refusals == ()
    return warnings


def refusals(old: Inputs, new: Inputs) -> tuple[str, ...]:
    return RESOURCE.check(old, new).refusals


def state(given: Inputs) -> State[Inputs, Outputs]:
    return State("inventory", given, Outputs())


@pytest.fixture(autouse=True)
def there(neon: StandIn) -> None:
    neon.branches = {f"br-{key}": {"name": key} for key in ("one", "two")}


def test_a_branch_that_was_let_go_of_is_dropped_with_a_warning() -> None:
    (warning,) = said(inputs(one="delete", two="retain"), inputs(two="retain"))
    assert warning.startswith("warning: one is dropped. It was retired")


def test_a_branch_that_nobody_let_go_of_is_not_dropped() -> None:
    (refusal,) = refusals(inputs(one="retain", two="retain"), inputs(two="retain"))
    assert f"branch one {RETAINED}" in refusal
    assert len(refusals(inputs(one="retain", two="retain"), inputs())) == 2


def test_the_line_of_a_branch_that_somebody_deleted_may_go(neon: StandIn) -> None:
    del neon.branches["br-one"]
    assert said(inputs(one="retain", two="retain"), inputs(two="retain")) == []


def test_a_branch_that_was_renamed_in_neon_is_still_found(neon: StandIn) -> None:
    neon.branches["br-one"] = {"name": "renamed by hand"}
    assert refusals(inputs(one="retain"), inputs())


def test_a_neon_that_does_not_answer_lets_nothing_go(neon: StandIn) -> None:
    neon.refuses = "br-one"
    with pytest.raises(ApiError):
        RESOURCE.check(inputs(one="retain"), inputs())
    with pytest.raises(ApiError):
        RESOURCE.delete(state(inputs(one="retain")))


def test_a_renamed_key_is_told_the_line_that_renames_the_branch() -> None:
    new = inputs(first="retain")
    new = replace(new, listed={BranchKey("first"): replace(listed("first"), id=UNKNOWN)})
    (refusal,) = refusals(inputs(one="retain"), new)
    assert "keep its key and add its new name: one: {…, name: first}" in refusal
    assert f"branch one {RETAINED}" in refusal


def test_the_first_update_and_one_that_drops_nothing_say_nothing() -> None:
    assert said(None, inputs(one="retain")) == []
    assert said(inputs(one="retain"), inputs(one="delete", two="retain")) == []


def test_an_environment_with_a_branch_that_nobody_let_go_of_is_not_destroyed(neon: StandIn) -> None:
    with pytest.raises(KeptError, match=f"branch one {RETAINED}, so this environment is not destroyed. Nothing was"):
        RESOURCE.delete(state(inputs(one="retain", two="delete")))
    del neon.branches["br-one"]
    RESOURCE.delete(state(inputs(one="retain", two="delete")))


@pytest.mark.parametrize("policy", ["delete", "orphan", "expire"])
def test_an_environment_that_let_go_of_all_its_branches_may_be_destroyed(policy: DeletionPolicy) -> None:
    RESOURCE.delete(state(inputs(one=policy)))


def test_an_inventory_of_an_earlier_version_leaves_the_refusal_to_the_logins() -> None:
    old = of_an_earlier_version(inputs(one="retain"))
    assert said(old, inputs()) == []
    RESOURCE.delete(state(old))
    encoded = RESOURCE.encoded(old)
    del encoded["listed"]
    assert RESOURCE.decoded_inputs(encoded) == old


def test_another_policy_and_another_branch_are_noted() -> None:
    old = state(inputs(one="retain"))
    assert RESOURCE.changed(old, inputs(one="retain")) == []
    assert RESOURCE.changed(old, inputs(one="delete")) == ["branches"]
    assert RESOURCE.changed(old, inputs()) == ["branches"]


def test_its_state_is_read_back_as_it_was_written() -> None:
    resource = resource_of("environments:index:Inventory")
    old = inputs(one="retain", two="expire")
    assert resource.decoded_inputs(resource.encoded(old)) == old
