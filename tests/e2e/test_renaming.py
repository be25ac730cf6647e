"""Stacks get other names and another backend: nothing of their environments changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_stacks_are_renamed_and_moved_and_no_login_and_no_deployment_is_made_anew(world: World, tmp_path: Path) -> None:
    served = world.health(world.outputs("prod")["domain"])
    made = world.deployments()
    renamed_without_its_name_a_stack_is_refused_with_the_line_that_it_lacks(world)
    dev_is_renamed_and_production_still_finds_it(world)
    there = moved_to_another_backend_nothing_changes(world, tmp_path)
    assert there.health(there.outputs("production")["domain"]) == served
    assert {
        built["deployment"] for built in there.resource("production", ":Deployment::served")["outputs"]["built"]
    } == made
    there.edit(
        "production",
        branches=there.setting("production", "branches") | {"prod-v2": {"from": {"stack": "dev", "branch": "dev"}}},
        serve="prod-v2",
    )
    there.up("production")
    assert (
        there.health(there.outputs("production")["domain"])["branch"]
        == there.outputs("production")["branches"]["prod-v2"]
    )
    there.up("development", "--expect-no-changes")


def renamed_without_its_name_a_stack_is_refused_with_the_line_that_it_lacks(world: World) -> None:
    world.pulumi("stack", "rename", "production", "-s", "prod")
    assert not world.stack_file("prod").exists(), "the engine renames the stack file too"
    refused = world.refused("preview", "-s", "production")
    assert "the environment's logins are app_prod_1 and app_prod_2, and would be app_production_1" in refused
    assert "write environments:environment: <the name that the stack had>" in refused
    world.pulumi("config", "set", "environment", "prod", "-s", "production")
    world.up("production", "--expect-no-changes")


def dev_is_renamed_and_production_still_finds_it(world: World) -> None:
    world.pulumi("config", "set", "environment", "dev", "-s", "dev")
    world.pulumi("stack", "rename", "development", "-s", "dev")
    world.up("development", "--expect-no-changes")
    world.up("production", "--expect-no-changes")
    assert "development: settings and plan are right" in world.environments("check")
    assert "taken over" not in world.environments("recover", "-s", "development")


def moved_to_another_backend_nothing_changes(world: World, folder: Path) -> World:
    for stack in ("development", "production"):
        world.pulumi("stack", "export", "-s", stack, "--file", str(folder / f"{stack}.json"))
    (backend := folder / "backend").mkdir()
    there = replace(world, backend=backend)
    for stack in ("development", "production"):
        there.select(stack)
        there.pulumi("stack", "import", "-s", stack, "--file", str(folder / f"{stack}.json"))
    there.up("development", "--expect-no-changes")
    there.up("production", "--expect-no-changes")
    return there
