"""What the two providers do wrong does this program no harm; that they do it is tested in tests/localcloud/plugins.

Between the program and the local Neon stands a wire that a test can cut, slow down or falsify.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from localcloud.program import CommandError
from tests.e2e.by_hand import branches, compute, in_neon, in_vercel, variable
from tests.e2e.conftest import FROM_DEV, World
from tests.localcloud.plugins.recorder import Answer, Recorder, Request, served

pytestmark = pytest.mark.e2e

VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
UP = ("pulumi", "up", "-s", "prod", "--yes", "--skip-preview", "--non-interactive", "--color=never")


@pytest.fixture
def wire(world: World) -> Iterator[Recorder]:
    """The local Neon behind an address of its own."""

    def forwarded(request: Request) -> Answer:
        headers = {"Authorization": f"Bearer {request.token}"}
        url = world.cloud.neon_api_host.removesuffix("/api/v2") + request.path
        answer = httpx.request(request.method, f"{url}?{request.query}", headers=headers, json=request.body, timeout=60)
        return answer.status_code, answer.json() if answer.content else None

    with served(Recorder(forwarded)) as recorder:
        yield recorder


def up(world: World, wire: Recorder, *arguments: str) -> str:
    return world.run(*UP, *arguments, env={"NEON_API_HOST": f"{wire.url}/api/v2"})


def plan_prod(world: World, branch: str) -> None:
    world.edit("prod", branches=world.setting("prod", "branches") | {branch: FROM_DEV}, serve=branch)


def give_up(world: World, branch: str) -> None:
    kept = {name: source for name, source in world.setting("prod", "branches").items() if name != branch}
    world.edit("prod", branches=kept, serve="prod-v1")


def test_a_throttled_promotion_makes_one_branch_and_one_compute(world: World, wire: Recorder) -> None:
    for pattern in ("POST .*/branches$", "POST .*/endpoints$", "POST .*/reset_password$", "GET .*/connection_uri$"):
        wire.fail(pattern, 429, times=1)
        wire.fail(pattern, 423, "project already has running conflicting operations", times=1)
    plan_prod(world, "throttled")
    up(world, wire)
    assert all(failure.times == 0 for failure in wire.failures), "each was met"
    names = [found["name"] for found in in_neon(world, "GET", "/branches")["branches"]]
    assert names.count("throttled") == 1
    owners = [found["branch_id"] for found in in_neon(world, "GET", "/endpoints")["endpoints"]]
    assert len(owners) == len(set(owners))
    assert world.serving()["branch"] == "throttled"
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    world.up("prod", "--expect-no-changes")


def test_a_project_that_the_provider_made_twice_is_told_with_the_one_that_nothing_uses(
    world: World, wire: Recorder
) -> None:
    wire.fail("GET .*/reveal_password$", 429, times=1)
    world.stack_file("twins").write_text(world.stack_file("dev").read_text())
    world.edit("twins", project={"name": "twins"})
    world.select("twins")
    up = ("pulumi", "up", "-s", "twins", "--yes", "--skip-preview", "--non-interactive", "--color=never")
    said = " ".join(world.run(*up, env={"NEON_API_HOST": f"{wire.url}/api/v2"}).split())
    assert "Neon project twins was made more than once" in said
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    found = httpx.get(f"{world.cloud.neon_api_host}/projects?limit=100", headers=headers).json()["projects"]
    used = world.outputs("twins")["projects"]["neon"]
    (unused,) = (project["id"] for project in found if project["name"] == "twins" and project["id"] != used)
    assert f"this stack uses {used}, and nothing uses {unused}" in said
    world.up("twins", "--expect-no-changes")


def test_a_branch_whose_operation_failed_never_gets_the_pointer(world: World, wire: Recorder) -> None:
    really = wire.answer

    def failing(request: Request) -> Answer:
        status, body = really(request)
        if request.method == "POST" and request.path.endswith("/branches"):
            really(Request("DELETE", f"{request.path}/{body['branch']['id']}", "", None, request.token))
            body["operations"] = [operation | {"status": "failed"} for operation in body["operations"]]
        return status, body

    wire.answer = failing
    before = world.serving()
    plan_prod(world, "failed")
    with pytest.raises(CommandError) as error:
        up(world, wire)  # the provider takes the failed operation for done
    assert "Traceback" not in str(error.value)
    wire.answer = really
    assert world.health("provider-traps.vercel.app")["branch"] == branches(world)["prod-v1"]
    give_up(world, "failed")
    world.up("prod", "--refresh")
    assert world.serving() == before
    world.preview("prod", "--refresh", "--expect-no-changes")


def test_a_branch_whose_making_was_refused_is_made_by_the_next_up_that_refreshes(world: World, wire: Recorder) -> None:
    wire.fail("POST .*/branches$", 422, "branches limit exceeded")
    plan_prod(world, "refused")
    with pytest.raises(CommandError, match="branches limit exceeded"):
        up(world, wire)
    assert "refused" not in branches(world)
    world.up("prod", "--refresh")
    assert world.serving()["branch"] == "refused"
    world.edit("prod", serve="prod-v1")
    world.up("prod")


def test_another_default_branch_replaces_no_project(world: World) -> None:
    in_neon(world, "POST", f"/branches/{branches(world)['dev']}/set_as_default")
    shown = world.preview("dev", "--refresh")
    assert "replace" not in shown
    world.up("dev", "--refresh")
    world.preview("dev", "--refresh", "--expect-no-changes")
    world.preview("prod", "--refresh", "--expect-no-changes")
    in_neon(world, "POST", f"/branches/{branches(world)['main']}/set_as_default")


def test_a_pooler_that_was_turned_on_by_hand_changes_no_url(world: World) -> None:
    before = world.app_url("prod", "prod-v1")
    in_neon(world, "PATCH", f"/endpoints/{compute(world, 'prod-v1')['id']}", {"endpoint": {"pooler_enabled": True}})
    world.up("prod", "--refresh")
    assert world.app_url("prod", "prod-v1") == before
    assert "-pooler" not in before
    world.preview("prod", "--refresh", "--expect-no-changes")


def test_a_default_branch_without_a_compute_breaks_devs_refresh_and_not_productions(world: World) -> None:
    root = compute(world, "main")["id"]
    in_neon(world, "PATCH", f"/endpoints/{root}", {"endpoint": {"disabled": True}})
    with pytest.raises(CommandError, match="has no enabled read-write endpoint"):
        world.preview("dev", "--refresh")
    world.preview("dev", "--expect-no-changes")
    world.preview("prod", "--refresh", "--expect-no-changes")
    in_neon(world, "PATCH", f"/endpoints/{root}", {"endpoint": {"disabled": False}})
    world.preview("dev", "--refresh", "--expect-no-changes")


def test_a_variable_that_has_to_be_replaced_goes_before_its_successor_comes_and_only_if_somebody_allows_it(
    world: World,
) -> None:
    found = variable(world, "DATABASE_URL", "development")
    in_vercel(
        world, "PATCH", f"/v9/projects/{{project}}/env/{found['id']}", {"target": ["preview"], "type": "sensitive"}
    )
    with pytest.raises(CommandError, match="marked for protection"):
        world.up("dev", "--refresh")
    assert variable(world, "DATABASE_URL", "preview")["id"] == found["id"]
    urn = world.resource("dev", f"{VARIABLE}::DATABASE_URL")["urn"]
    world.pulumi("state", "unprotect", urn, "-s", "dev", "--yes")
    world.up("dev", "--refresh")
    after = variable(world, "DATABASE_URL", "development")
    assert (after["id"] != found["id"], after["type"], set(after["target"])) == (
        True,
        "encrypted",
        set(found["target"]),
    )
    world.preview("dev", "--refresh", "--expect-no-changes")


def test_a_rollback_by_hand_leads_to_another_database_and_is_seen_and_put_right(world: World) -> None:
    before = world.serving_deployment()
    plan_prod(world, "prod-v2")
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})
    world.up("prod")
    in_vercel(world, "POST", f"/v9/projects/{{project}}/rollback/{before}")
    assert world.serving()["branch"] == "prod-v1", "its deployment has its old variables"
    world.edit("prod", accept=None)
    shown = world.preview("prod", "--refresh")
    assert "production moves from prod-v1 to prod-v2" in shown
    world.up("prod", "--refresh")
    assert world.serving()["branch"] == "prod-v2"
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    world.preview("prod", "--refresh", "--expect-no-changes")
    world.edit("prod", serve="prod-v1", accept={"branch": "prod-v2", "rows": "any"})
    world.up("prod")
    world.edit("prod", accept=None)
