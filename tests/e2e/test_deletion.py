"""No command deletes a branch that is neither retired nor released, also when the engine's protection was lifted.

Whatever is refused, the rows are looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from environments.program.kept import HOOK
from tests.e2e.by_hand import branches, compute, in_neon
from tests.e2e.conftest import FROM_DEV, World

pytestmark = pytest.mark.e2e

DOMAIN = "deletion.vercel.app"
V1 = "environments:index:AppLogin::prod-v1"
BRANCH = "neon:index/branch:Branch::prod-v1"
KEPT = "branch prod-v1 has neither retire: true nor release: true, so it is not deleted. Nothing of it was deleted."


@pytest.fixture(scope="module")
def two(world: World) -> World:
    """Production serves prod-v2; prod-v1 holds orders of its own, and the engine protects nothing any more."""
    world.promote("prod-v2")
    world.add_orders("prod", "prod-v1", 7)
    unprotect(world)
    return world


def unprotect(world: World) -> None:
    """Do what the engine tells people to do."""
    world.pulumi("state", "unprotect", "--all", "-s", "prod", "--yes")


def refused(world: World, *command: str) -> str:
    return world.refused(*command, "-s", "prod", *([] if command[0] == "preview" else ["--yes"]))


@contextmanager
def dropped(world: World, **more: Any) -> Iterator[None]:
    """The line of prod-v1 is gone, then back."""
    edited = world.setting("prod", "branches")
    world.edit("prod", branches={key: line for key, line in edited.items() if key != "prod-v1"} | more)
    try:
        yield
    finally:
        world.edit("prod", branches=edited)


@contextmanager
def nothing_lost(world: World) -> Iterator[None]:
    """What is done inside takes no branch, no compute, no row, and nothing from production."""
    before = held(world)
    yield
    assert held(world) == before


def held(world: World) -> dict[str, Any]:
    """What Neon holds of both branches and what production answers: a refused update changes the stack's outputs."""
    ids = branches(world)
    computes = {key: compute(world, key)["id"] for key in ("prod-v1", "prod-v2")}
    rows = {key: count(url(world, key)) for key in computes}
    return {"ids": ids, "computes": computes, "rows": rows, "serving": world.health(DOMAIN)}


def url(world: World, branch: str) -> str:
    asked = f"branch_id={branches(world)[branch]}&database_name=neondb&role_name=neondb_owner"
    return str(in_neon(world, "GET", f"/connection_uri?{asked}")["uri"])


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        (found,) = connection.execute("SELECT count(*) FROM orders").fetchone() or (0,)
    return int(found)


def urn(world: World, ending: str) -> str:
    return str(world.resource("prod", ending)["urn"])


def test_no_command_deletes_a_branch_before_it_is_released_or_retired(two: World) -> None:
    for command in (("preview",), ("up",), ("up", "--skip-preview")):
        a_dropped_line_is_refused_although_nothing_is_protected(two, command)
    going_on_after_errors_deletes_nothing_either(two)
    a_renamed_key_is_recognised(two)
    for arguments in ((), ("--skip-preview",), ("--run-program", "--skip-preview")):
        a_destroy_is_refused_before_it_deletes_anything(two, arguments)
    what_the_engine_is_told_to_do_to_one_resource_is_refused(two)
    a_branch_whose_login_and_inventory_are_not_in_the_state_is_kept_by_the_hook(two)
    a_login_alone_keeps_its_branch_where_neither_inventory_nor_hook_does(two)
    the_line_of_a_branch_that_somebody_deleted_may_go(two)
    a_released_branch_lives_on_and_a_retired_one_goes_with_its_rows(two)
    a_production_whose_branches_were_deleted_in_neon_can_be_destroyed(two)


def a_dropped_line_is_refused_although_nothing_is_protected(two: World, command: tuple[str, ...]) -> None:
    with nothing_lost(two), dropped(two):
        said = refused(two, *command)
        assert KEPT in said
        assert "unprotect" not in said, "nobody is told how to lift the guard"


def going_on_after_errors_deletes_nothing_either(two: World) -> None:
    with nothing_lost(two), dropped(two):
        assert KEPT in refused(two, "up", "--skip-preview", "--continue-on-error")
    two.up("prod")
    unprotect(two)


def a_renamed_key_is_recognised(two: World) -> None:
    edited = two.setting("prod", "branches")["prod-v1"]
    with nothing_lost(two), dropped(two, **{"prod-one": edited}):
        said = refused(two, "preview")
        assert "prod-v1 is dropped, and prod-one is new with the same source and settings" in said
        assert "keep its key and add its new name: prod-v1: {…, name: prod-one}" in said


def a_destroy_is_refused_before_it_deletes_anything(two: World, arguments: tuple[str, ...]) -> None:
    before = two.state("prod")["deployment"]["resources"]
    with nothing_lost(two):
        said = refused(two, "destroy", *arguments)
        refusal = "branches prod-v1, prod-v2 have neither retire: true nor release: true, so this environment is not"
        assert (refusal if "--run-program" in arguments else f"Hooks: {HOOK}") in said
    left = {found["urn"] for found in two.state("prod")["deployment"]["resources"]}
    gone = {found["type"] for found in before if found["urn"] not in left}
    assert gone <= {"environments:index:VariableDrift"}, "which only watches"


def what_the_engine_is_told_to_do_to_one_resource_is_refused(two: World) -> None:
    branch = urn(two, BRANCH)
    with nothing_lost(two):
        said = refused(two, "destroy", "--skip-preview", "--run-program", "--target", branch, "--target-dependents")
        assert "neither retire: true nor release: true" in said
        said = refused(
            two, "destroy", "--skip-preview", "--run-program", "--target", urn(two, V1), "--target-dependents"
        )
        assert "neither retire: true nor release: true" in said
        with dropped(two):  # the engine goes on and keeps whatever something else depends on
            two.up("prod", "--target", branch, "--target-dependents")
            two.up("prod", "--target", urn(two, V1))
            two.up("prod", "--exclude", urn(two, "Inventory::inventory"))
    two.up("prod")
    unprotect(two)


def a_branch_whose_login_and_inventory_are_not_in_the_state_is_kept_by_the_hook(two: World) -> None:
    inventory, login = two.resource("prod", "Inventory::inventory"), two.resource("prod", V1)
    two.forget("Inventory::inventory")
    two.forget(V1)
    with nothing_lost(two), dropped(two):
        assert KEPT in refused(two, "preview")
        assert KEPT in refused(two, "up", "--skip-preview")
    assert login["inputs"]["key"] == "prod-v1"
    assert set(inventory["inputs"]["listed"]) == {"prod-v1", "prod-v2"}
    two.up("prod")
    unprotect(two)


def a_login_alone_keeps_its_branch_where_neither_inventory_nor_hook_does(two: World) -> None:
    """So is the state that an earlier version wrote."""
    without_guards(two)
    with nothing_lost(two), dropped(two):
        assert KEPT in refused(two, "up", "--skip-preview")
    without_guards(two)
    with nothing_lost(two):
        said = refused(two, "destroy", "--skip-preview", "--target", urn(two, BRANCH), "--target-dependents")
        assert KEPT in said
    two.up("prod")
    two.up("prod", "--expect-no-changes")


def without_guards(world: World) -> None:
    state = world.state("prod")
    resources = state["deployment"]["resources"]
    state["deployment"]["resources"] = [found for found in resources if not found["type"].endswith(":Inventory")]
    for found in resources:
        found.pop("resourceHooks", None)
        found.pop("protect", None)
    world.import_state("prod", state)


def the_line_of_a_branch_that_somebody_deleted_may_go(two: World) -> None:
    two.edit("prod", branches=two.setting("prod", "branches") | {"spare": FROM_DEV})
    two.up("prod")
    in_neon(two, "DELETE", f"/branches/{branches(two)['spare']}")
    edited = {key: line for key, line in two.setting("prod", "branches").items() if key != "spare"}
    two.edit("prod", branches=edited)
    two.up("prod", "--refresh")
    two.up("prod", "--expect-no-changes")


def a_released_branch_lives_on_and_a_retired_one_goes_with_its_rows(two: World) -> None:
    two.promote("prod-v3")
    lines = two.setting("prod", "branches")
    two.edit("prod", branches=lines | {"prod-v1": FROM_DEV | {"release": True}, "prod-v2": FROM_DEV | {"retire": True}})
    two.up("prod")
    rows = count(url(two, "prod-v1"))
    two.edit("prod", branches={"prod-v3": FROM_DEV})
    two.up("prod")
    assert set(branches(two)) == {"main", "dev", "prod-v1", "prod-v3"}
    assert count(url(two, "prod-v1")) == rows > two.orders("prod", "prod-v3")
    two.up("prod", "--expect-no-changes")


def a_production_whose_branches_were_deleted_in_neon_can_be_destroyed(two: World) -> None:
    in_neon(two, "PATCH", f"/branches/{branches(two)['prod-v3']}", {"branch": {"protected": False}})
    in_neon(two, "DELETE", f"/branches/{branches(two)['prod-v3']}")
    two.pulumi("refresh", "-s", "prod", "--yes", "--skip-preview")
    unprotect(two)
    two.pulumi("destroy", "-s", "prod", "--yes", "--skip-preview")
    assert set(branches(two)) == {"main", "dev", "prod-v1"}, "what was released isn't the stack's"
