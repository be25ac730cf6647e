"""The first `up` of a new stack, again and again: none fails, though the engine writes its state meanwhile.

A program that read its own stack's outputs failed in 1 to 5 of 100 first ups (`failed to load checkpoint: EOF`).
`FIRST_UPS=200` runs two hundred, some three seconds each.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e.conftest import World, delete_projects

pytestmark = pytest.mark.e2e

FIRST_UPS = int(os.environ.get("FIRST_UPS", "8"))
AT_ONCE = 5
"""Projects that are there at the same time: each has a database that runs."""


def first_up(world: World, stack: str, *arguments: str) -> str:
    """Bring up a stack that is new, with projects of its own; return what pulumi up printed."""
    world.stack_file(stack).write_text(world.stack_file("dev").read_text())
    world.edit(stack, project={"name": stack})
    world.select(stack)
    return world.up(stack, *arguments)


def test_no_first_up_fails(bare: World) -> None:
    for count in range(1, FIRST_UPS + 1):
        first_up(bare, f"new-{count}")
        if count % AT_ONCE == 0:
            delete_projects(bare.cloud)


def test_a_stack_does_not_read_its_own_outputs(bare: World) -> None:
    told = first_up(bare, "alone", "--logtostderr", "-v=5")
    assert "RegisterResource received" in told
    assert "readStackOutputs" not in told
