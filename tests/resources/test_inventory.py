"""Inventory: what left the stack file since the last update is said from its own state, whatever the clouds hold."""

from __future__ import annotations

from environments import log
from environments.ids import BranchKey, DeletionPolicy
from environments.plugin.registry import resource_of
from environments.resources.inventory import Inputs, Inventory, Outputs
from environments.resources.typed import State

RESOURCE = Inventory()


def inputs(**branches: DeletionPolicy) -> Inputs:
    return Inputs(branches={BranchKey(key): policy for key, policy in branches.items()})


def said(old: Inputs | None, new: Inputs) -> list[str]:
    with log.collected() as warnings:
        assert RESOURCE.check(old, new).inputs == new
    return warnings


def test_a_dropped_branch_is_a_warning_and_refuses_nothing() -> None:
    (warning,) = said(inputs(one="delete", two="retain"), inputs(two="retain"))
    assert warning.startswith("warning: one is dropped. It was retired")


def test_the_first_update_and_one_that_drops_nothing_say_nothing() -> None:
    assert said(None, inputs(one="retain")) == []
    assert said(inputs(one="retain"), inputs(one="delete", two="retain")) == []


def test_another_policy_and_another_branch_are_noted() -> None:
    old = State("inventory", inputs(one="retain"), Outputs())
    assert RESOURCE.changed(old, inputs(one="retain")) == []
    assert RESOURCE.changed(old, inputs(one="delete")) == ["branches"]
    assert RESOURCE.changed(old, inputs()) == ["branches"]


def test_its_state_is_read_back_as_it_was_written() -> None:
    resource = resource_of("environments:index:Inventory")
    old = inputs(one="retain", two="expire")
    assert resource.decoded_inputs(resource.encoded(old)) == old
