"""A preview environment per pull request, end to end: five lines, an expiry, its git branch's database, no trace."""

from __future__ import annotations

import psycopg
import pytest

from tests.e2e.conftest import World
from tests.e2e.previews import (
    branches,
    bring_up,
    computes,
    expire,
    neon,
    push,
    seconds_until,
    variables,
)

pytestmark = pytest.mark.e2e

DAY = 86_400
FEATURE = "feature/basket"


def id_of(world: World, stack: str) -> str:
    return str(world.outputs(stack)["branches"][stack])


def test_a_preview_environment_lives_from_its_five_lines_to_its_destruction(world: World) -> None:
    a_file_of_five_lines_is_an_environment_with_an_expiry_that_touches_no_other(world)
    a_deployment_of_its_git_branch_gets_its_database_and_any_other_one_gets_devs(world)
    devs_login_does_not_open_it(world)
    an_edited_lifetime_counts_from_the_edit_and_a_name_changes_in_place(world)
    an_expiry_that_somebody_took_away_comes_back(world)
    a_temporary_branch_can_not_become_one_that_stays(world)
    an_expired_environment_comes_back_with_a_refresh(world)
    destroying_it_needs_no_unprotect_and_leaves_nothing_behind(world)


def a_file_of_five_lines_is_an_environment_with_an_expiry_that_touches_no_other(world: World) -> None:
    stack = bring_up(world, 7, FEATURE)
    expiry = world.outputs(stack)["expires"][stack]
    assert 7 * DAY - 60 < seconds_until(expiry) <= 7 * DAY
    found = branches(world)
    assert found[stack]["expires_at"] == expiry
    assert found[stack]["parent_id"] == found["dev"]["id"]
    assert world.orders(stack, stack) == world.orders("dev", "dev") > 0
    world.up(stack, "--expect-no-changes")
    world.up(stack, "--refresh", "--expect-no-changes")
    for other in ("dev", "prod"):
        world.preview(other, "--expect-no-changes")
        assert "expires" not in world.outputs(other)


def a_deployment_of_its_git_branch_gets_its_database_and_any_other_one_gets_devs(world: World) -> None:
    assert push(world, FEATURE) == id_of(world, "pr-7")
    assert push(world, "feature/other") == world.outputs("dev")["branches"]["dev"]


def devs_login_does_not_open_it(world: World) -> None:
    dev, own = world.app_url("dev", "dev"), world.app_url("pr-7", "pr-7")
    with psycopg.connect(own) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("app_pr_7_1",)
    login = dev.split("@")[0]
    with pytest.raises(psycopg.OperationalError, match=r"authentication failed|not permitted to log in"):
        psycopg.connect(f"{login}@{own.split('@')[1]}")


def an_edited_lifetime_counts_from_the_edit_and_a_name_changes_in_place(world: World) -> None:
    id_, edited = id_of(world, "pr-7"), world.setting("pr-7", "branches")["pr-7"]
    world.edit("pr-7", branches={"pr-7": edited | {"expires": "2d", "name": "basket"}})
    world.up("pr-7")
    assert 2 * DAY - 60 < seconds_until(world.outputs("pr-7")["expires"]["pr-7"]) <= 2 * DAY
    assert branches(world)["basket"]["id"] == id_ == id_of(world, "pr-7")
    world.edit("pr-7", branches={"pr-7": edited | {"expires": "2d"}})
    world.up("pr-7")
    assert branches(world)["pr-7"]["id"] == id_
    world.up("pr-7", "--expect-no-changes")


def an_expiry_that_somebody_took_away_comes_back(world: World) -> None:
    neon(world, "PATCH", f"/branches/{id_of(world, 'pr-7')}", branch={"expires_at": None}).raise_for_status()
    world.up("pr-7", "--refresh")
    assert branches(world)["pr-7"]["expires_at"] == world.outputs("pr-7")["expires"]["pr-7"]


def a_temporary_branch_can_not_become_one_that_stays(world: World) -> None:
    written = world.setting("pr-7", "branches")
    world.edit("pr-7", branches={"pr-7": {"from": {"stack": "dev", "branch": "dev"}}})
    said = world.refused("up", "-s", "pr-7", "--yes", "--skip-preview")
    assert "a copy of dev of stack dev that expires and can't become one of dev of stack dev that stays" in said
    assert "pr-7" in branches(world)
    world.edit("pr-7", branches=written)
    world.up("pr-7", "--expect-no-changes")


def an_expired_environment_comes_back_with_a_refresh(world: World) -> None:
    before = id_of(world, "pr-7")
    world.add_orders("dev", "dev", 3)
    expire(world, "pr-7")
    world.up("pr-7", "--refresh")
    assert id_of(world, "pr-7") != before
    assert world.orders("pr-7", "pr-7") == world.orders("dev", "dev"), "a copy of dev as it is by now"
    assert push(world, FEATURE) == id_of(world, "pr-7")
    world.up("pr-7", "--refresh", "--expect-no-changes")


def destroying_it_needs_no_unprotect_and_leaves_nothing_behind(world: World) -> None:
    there, running = set(branches(world)) - {"pr-7"}, len(computes(world))
    world.pulumi("destroy", "-s", "pr-7", "--yes")
    assert set(branches(world)) == there
    assert len(computes(world)) == running - 1
    assert {branch for _, branch in variables(world)} == {None}
    world.pulumi("stack", "rm", "-s", "pr-7", "--yes")
    for other in ("dev", "prod"):
        world.up(other, "--refresh", "--expect-no-changes")
    assert push(world, FEATURE) == world.outputs("dev")["branches"]["dev"]


def test_an_expired_environment_can_be_destroyed_and_the_file_may_be_a_fresh_one(world: World) -> None:
    stack = bring_up(world, 8, "feature/8")
    expire(world, stack)
    world.stack_file(stack).unlink()  # the next run of a workflow begins without what this one wrote into it
    world.pulumi("destroy", "-s", stack, "--yes")
    assert "feature/8" not in {branch for _, branch in variables(world)}
    world.pulumi("stack", "rm", "-s", stack, "--yes")


def test_without_rows_it_has_the_tables_and_an_app_that_can_write(world: World) -> None:
    stack = bring_up(world, 9, "feature/9", schema_only=True)
    assert "parent_id" not in branches(world)[stack]
    assert branches(world)[stack]["expires_at"]
    assert world.orders(stack, stack) == 0 < world.orders("dev", "dev")
    with psycopg.connect(world.app_url(stack, stack)) as connection:
        connection.execute("INSERT INTO customers (name, email) VALUES ('Ada', 'ada@example.org')")
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (1,)
    assert push(world, "feature/9") == id_of(world, stack)
    world.up(stack, "--refresh", "--expect-no-changes")
    world.pulumi("destroy", "-s", stack, "--yes")
    assert stack not in branches(world)


def test_a_name_that_another_stack_uses_is_refused_and_that_stack_keeps_its_branch(world: World) -> None:
    first = bring_up(world, 10, "feature/10")
    written = world.stack_file(first).read_text()
    world.stack_file("pr-11").write_text(written.replace("feature/10", "feature/11"))
    world.select("pr-11")
    said = world.refused("up", "-s", "pr-11", "--yes", "--skip-preview")
    assert "the project has a branch called pr-10 already" in said
    world.pulumi("destroy", "-s", "pr-11", "--yes")
    world.up(first, "--refresh", "--expect-no-changes")
    world.pulumi("destroy", "-s", first, "--yes")
