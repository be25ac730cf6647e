"""Retiring a branch: two edits on purpose, refused while anything needs it, and never a branch that is left over."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.conftest import FROM_DEV, World

pytestmark = pytest.mark.e2e


def refused(world: World, command: str = "preview") -> str:
    return world.refused(command, "-s", "prod", *(["--yes"] if command == "up" else []))


def neon(world: World, method: str, path: str, **body: Any) -> httpx.Response:
    """Ask Neon's API as a person does who has the project open in its console."""
    project = world.outputs("prod")["projects"]["neon"]
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    url = f"{world.cloud.neon_api_host}/projects/{project}{path}"
    return httpx.request(method, url, headers=headers, json=body or None, timeout=30)


def names(world: World) -> list[str]:
    return sorted(branch["name"] for branch in neon(world, "GET", "/branches").json()["branches"])


def test_a_branch_goes_by_two_edits_and_nothing_of_it_is_left_over(world: World) -> None:
    a_branch_that_is_dropped_at_once_is_refused(world)
    the_served_branch_can_not_be_retired(world)
    a_branch_is_retired_by_two_edits(world)
    a_branch_with_copies_that_this_stack_does_not_know_can_not_be_retired(world)
    a_deletion_that_neon_refuses_is_noticed_though_the_provider_reports_success(world)
    a_released_branch_leaves_the_stack_and_stays_in_neon(world)


def a_branch_that_is_dropped_at_once_is_refused(world: World) -> None:
    world.promote("prod-v2")
    branches = world.setting("prod", "branches")
    world.edit("prod", branches={"prod-v2": FROM_DEV})
    said = refused(world)
    assert "branch prod-v1 has neither retire: true nor release: true, so it is not deleted" in said
    assert "unprotect" not in said
    world.edit("prod", branches=branches)


def the_served_branch_can_not_be_retired(world: World) -> None:
    branches = world.setting("prod", "branches")
    world.edit("prod", branches=branches | {"prod-v2": {**FROM_DEV, "retire": True}})
    assert "prod-v2 serves. Serve another branch first" in refused(world)
    world.edit("prod", branches=branches)


def a_branch_is_retired_by_two_edits(world: World) -> None:
    world.edit("prod", branches={"prod-v1": {**FROM_DEV, "retire": True}, "prod-v2": FROM_DEV})
    warning = "prod-v1 is retired: nothing is deleted yet. Dropping its line then deletes it, with every row on it"
    assert warning in " ".join(world.preview("prod").split())
    world.up("prod")
    assert "prod-v1" in names(world), "the first edit only lets go of it"
    world.edit("prod", branches={"prod-v2": FROM_DEV})
    warning = "prod-v1 is dropped. It was retired: Neon deletes it in this update, with every row on it"
    assert warning in " ".join(world.preview("prod").split())
    world.up("prod")
    assert names(world) == ["dev", "main", "prod-v2"]
    assert world.serving()["branch"] == "prod-v2"
    world.up("prod", "--expect-no-changes")


def a_branch_with_copies_that_this_stack_does_not_know_can_not_be_retired(world: World) -> None:
    world.promote("prod-v3")
    parent = world.outputs("prod")["branches"]["prod-v2"]
    assert neon(world, "POST", "/branches", branch={"name": "by-hand", "parent_id": parent}).is_success
    world.edit("prod", branches={"prod-v2": {**FROM_DEV, "retire": True}, "prod-v3": FROM_DEV})
    assert "prod-v2 can't be retired: Neon keeps a branch as long as it has copies, here by-hand" in refused(world)


def a_deletion_that_neon_refuses_is_noticed_though_the_provider_reports_success(world: World) -> None:
    copy = next(
        found["id"] for found in neon(world, "GET", "/branches").json()["branches"] if found["name"] == "by-hand"
    )
    assert neon(world, "DELETE", f"/branches/{copy}").is_success
    world.up("prod")
    parent = world.outputs("prod")["branches"]["prod-v2"]
    assert neon(world, "POST", "/branches", branch={"name": "too-late", "parent_id": parent}).is_success

    world.edit("prod", branches={"prod-v3": FROM_DEV})
    said = refused(world, "up")
    assert f"Neon did not delete branch prod-v2 ({parent}), since too-late was cloned from it: drop that first" in said
    assert world.serving()["branch"] == "prod-v3"
    assert f"Neon did not delete branch prod-v2 ({parent})" in refused(world, "up"), "until it is gone"

    copy = next(
        found["id"] for found in neon(world, "GET", "/branches").json()["branches"] if found["name"] == "too-late"
    )
    for branch in (copy, parent):
        assert neon(world, "DELETE", f"/branches/{branch}").is_success
    world.up("prod")
    assert names(world) == ["dev", "main", "prod-v3"]
    world.up("prod", "--expect-no-changes")


def a_released_branch_leaves_the_stack_and_stays_in_neon(world: World) -> None:
    world.promote("prod-v4")
    id_ = world.outputs("prod")["branches"]["prod-v3"]
    world.edit("prod", branches={"prod-v3": {**FROM_DEV, "release": True}, "prod-v4": FROM_DEV})
    world.up("prod")
    world.edit("prod", branches={"prod-v4": FROM_DEV})
    world.up("prod")
    assert "prod-v3" not in world.outputs("prod")["branches"]
    assert neon(world, "GET", f"/branches/{id_}").json()["branch"]["name"] == "prod-v3"
    assert len(neon(world, "GET", f"/branches/{id_}/endpoints").json()["endpoints"]) == 1
