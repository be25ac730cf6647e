"""Pointer Swap from end to end: production on dev's own branch, and what dev may no longer do to it."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.e2e.conftest import AS_PRODUCTION, DEVS, World

pytestmark = pytest.mark.e2e


def refused(world: World, stack: str, command: str = "preview") -> str:
    """Run pulumi, which must fail, and return what it said in one line."""
    return world.refused(command, "-s", stack, *(["--yes", "--skip-preview"] if command == "up" else []))


def devs_id(world: World) -> str:
    return str(world.outputs("dev")["branches"]["dev"])


def test_production_moves_to_devs_branch_and_back_and_dev_takes_nothing_away_from_it(world: World) -> None:
    clone_and_promote_does_not_point_to_another_stacks_branch(world)
    a_branch_that_is_too_small_for_production_is_refused_with_the_edit_that_mends_it(world)
    production_moves_to_devs_branch_and_nothing_of_devs_is_touched(world)
    dev_can_not_shrink_retire_or_replace_what_production_points_to(world)
    dev_rotates_its_own_login_and_production_keeps_its_own(world)
    the_branch_takes_its_production_name_in_place_and_does_not_lose_it_again(world)
    the_way_back_builds_nothing_and_counts_what_visitors_wrote(world)
    a_branch_that_serves_nobody_is_its_own_stacks_again(world)
    a_preview_environment_that_is_a_guest_takes_its_claim_back_when_it_is_destroyed(world)


def clone_and_promote_does_not_point_to_another_stacks_branch(world: World) -> None:
    world.edit("prod", serve=DEVS)
    assert "clone it under branches and serve the clone, or pulumi config set --path strategy.kind" in refused(
        world, "prod"
    )


def a_branch_that_is_too_small_for_production_is_refused_with_the_edit_that_mends_it(world: World) -> None:
    world.edit("prod", strategy={"kind": "pointer-swap"})
    said = refused(world, "prod")
    assert "can't carry prod: min_cu 0.25, needed at least 1; max_cu 1, needed at least 4; suspend 300 s" in said
    assert "In Pulumi.dev.yaml write dev: {compute: {min_cu: 1, max_cu: 4, suspend: never}} under branches" in said
    assert "Traceback" not in said


def production_moves_to_devs_branch_and_nothing_of_devs_is_touched(world: World) -> None:
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    owner, app = world.owner_url("dev", "dev"), world.app_url("dev", "dev")
    preview = world.preview("prod")
    assert "production moves from prod-v1 to dev/dev (Pointer Swap)" in preview
    assert "nothing is copied" in " ".join(preview.split())
    assert re.search(r"neon:index:\w+ +\S+ +(create|replace|delete)", preview) is None

    world.up("prod")
    assert world.served_id() == devs_id(world)
    assert world.outputs("prod")["served"]["branch"] == "dev/dev"
    assert world.owner_url("dev", "dev") == owner, "dev's owner keeps its password"
    for url in (owner, app):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone()
    roles = world.sql(
        "dev", "dev", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'app_%' AND rolcanlogin ORDER BY 1"
    )
    assert roles == [("app_dev_1",), ("app_prod_1",)], "production has a role of its own there"
    before = world.orders("dev", "dev")
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    assert world.orders("dev", "dev") == before + 1
    world.up("prod", "--expect-no-changes")


def dev_can_not_shrink_retire_or_replace_what_production_points_to(world: World) -> None:
    world.edit("dev", branches={"dev": {}})
    for command in ("preview", "up"):
        said = refused(world, "dev", command)
        assert "prod serves from dev, and this would leave it with min_cu 0.25, needed at least 1" in said
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}, "dev-2": {"from": {"branch": "dev"}}}, serve="dev-2")
    world.up("dev")
    assert world.served_id() == devs_id(world)
    world.preview("prod", "--expect-no-changes")
    assert world.serving()["ok"]

    branches = world.setting("dev", "branches")
    world.edit("dev", branches=branches | {"dev": {"compute": AS_PRODUCTION, "retire": True}})
    assert "dev-2 was cloned from dev" in refused(world, "dev")
    world.edit("dev", branches=branches)


def dev_rotates_its_own_login_and_production_keeps_its_own(world: World) -> None:
    world.edit("dev", credentials=2)
    world.up("dev")
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    world.preview("prod", "--expect-no-changes")


def the_branch_takes_its_production_name_in_place_and_does_not_lose_it_again(world: World) -> None:
    branches, id_ = world.setting("dev", "branches"), devs_id(world)
    renamed = branches | {"dev": {"compute": AS_PRODUCTION, "name": "prod-v2"}}
    world.edit("dev", branches=renamed)
    world.up("dev")
    assert devs_id(world) == id_
    world.preview("prod", "--expect-no-changes")
    world.edit("dev", branches=branches)
    assert "prod serves from dev, so that it can't be renamed to dev" in refused(world, "dev")
    world.edit("dev", branches=renamed)


def the_way_back_builds_nothing_and_counts_what_visitors_wrote(world: World) -> None:
    world.edit("prod", serve="prod-v1")
    said = refused(world, "prod")
    assert "were written to dev/dev since it began and would be left behind on it" in said
    rows = int(re.search(r'"rows": (\d+)', said)[1])  # type: ignore[index]
    world.edit("prod", accept={"branch": "dev/dev", "rows": rows})
    built = world.deployments()
    assert 'pulumi config set serve \'{"stack": "dev", "branch": "dev"}\'' in " ".join(world.preview("prod").split())
    world.up("prod")
    assert world.serving()["branch"] == "prod-v1"

    world.edit("prod", serve=DEVS)
    world.up("prod")
    assert world.served_id() == devs_id(world)
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    assert world.serving()["branch"] == "prod-v1"
    assert world.deployments() == built, "forth and back, nothing is built"


def a_branch_that_serves_nobody_is_its_own_stacks_again(world: World) -> None:
    world.edit("dev", branches={"dev": {"name": "anything"}, "dev-2": {"from": {"branch": "dev"}}})
    world.up("dev")
    with psycopg.connect(world.owner_url("dev", "dev")) as connection:
        told = connection.execute("SELECT shobj_description('app_prod_1'::regrole, 'pg_authid')").fetchone()
    assert told
    assert "claim" not in told[0]


def a_preview_environment_that_is_a_guest_takes_its_claim_back_when_it_is_destroyed(world: World) -> None:
    world.stack_file("pr-9").write_text("config:\n  environments:target: preview\n")
    world.select("pr-9")
    world.edit("pr-9", git_branch="basket", branches={}, serve=DEVS, strategy={"kind": "pointer-swap"})
    world.up("pr-9")
    assert claimed_by(world) == ["pr-9"]
    world.up("pr-9", "--expect-no-changes")
    world.pulumi("destroy", "-s", "pr-9", "--yes", "--skip-preview")
    assert claimed_by(world) == []


def claimed_by(world: World) -> list[str]:
    """Return the stacks that dev's branch says to serve."""
    told = "SELECT substring(shobj_description(oid, 'pg_authid') FROM '\"stack\": \"(.+?)\"') FROM pg_roles"
    return sorted(str(stack) for (stack,) in world.sql("dev", "dev", told) if stack)
