"""The cutover's finer promises: rotation, protection, fences before and after, computes that shrink."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import World
from tests.e2e.visitors import Visitors

pytestmark = pytest.mark.e2e


def test_cutovers_keep_their_finer_promises_one_after_the_other(world: World) -> None:
    a_rotation_leaves_no_request_unanswered_and_the_old_login_dead(world)
    a_rotation_that_skips_a_generation_is_refused(world)
    the_branch_that_was_left_shrinks_and_suspends_and_grows_again_before_it_serves(world)
    a_fence_after_the_move_pauses_nothing_and_tells_what_stayed(world)
    a_branch_whose_writes_can_not_be_stopped_is_not_left_and_takes_writes_as_before(world)
    a_protected_deployment_is_probed_with_the_bypass_secret_and_else_refused_with_the_remedy(world)
    a_deployment_that_uses_another_database_never_gets_the_domain(world)
    a_copy_of_the_branch_that_serves_leaves_only_behind_what_was_written_since_the_fork(world)
    a_project_with_automatic_domains_is_staged_all_the_same(world)
    a_git_connected_project_deploys_what_it_has_in_production_anew(world)


def a_rotation_leaves_no_request_unanswered_and_the_old_login_dead(world: World) -> None:
    old = world.app_url("prod", "prod-v1")
    with psycopg.connect(old) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("app_prod_1",)
    world.edit("prod", credentials=2)
    visitors = Visitors(world.cloud.vercel_edge_url, world.outputs("prod")["domain"])
    with visitors.visiting():
        world.up("prod")
    assert set(visitors.answers) == {"200"}, visitors.answers
    assert "//app_prod_2:" in world.app_url("prod", "prod-v1")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        psycopg.connect(old)
    assert world.serving()["ok"]
    world.up("prod", "--expect-no-changes")


def a_rotation_that_skips_a_generation_is_refused(world: World) -> None:
    world.edit("prod", credentials=4)
    with pytest.raises(CommandError, match="rotate one step at a time"):
        world.preview("prod")
    world.edit("prod", credentials=2)


def the_branch_that_was_left_shrinks_and_suspends_and_grows_again_before_it_serves(world: World) -> None:
    world.promote("prod-v2")
    assert size(world, "prod-v2") == (1, 4, -1)
    assert size(world, "prod-v1") == (0.25, 0.25, 300)
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    assert size(world, "prod-v1") == (1, 4, -1)
    assert size(world, "prod-v2") == (0.25, 0.25, 300)
    world.up("prod", "--expect-no-changes")


def a_fence_after_the_move_pauses_nothing_and_tells_what_stayed(world: World) -> None:
    world.edit("prod", safety={"fence": "after"})
    said = world.promote("prod-v3")
    assert "prod-v3 serves. prod-v1 is read-only now. 0 rows exist only there." in said
    assert world.post("/orders", world.deployed_on("prod-v1")) == 503
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    world.edit("prod", safety=None, accept={"branch": "prod-v3", "rows": 2}, serve="prod-v1")
    world.up("prod")


def a_branch_whose_writes_can_not_be_stopped_is_not_left_and_takes_writes_as_before(world: World) -> None:
    world.sql("prod", "prod-v1", "CREATE FUNCTION sneak() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT'")
    world.edit("prod", serve="prod-v2")
    with pytest.raises(CommandError, match=r"after the move public\.sneak\(\) could still write to prod-v1"):
        world.up("prod")
    world.edit("prod", serve="prod-v1")
    assert world.serving()["branch"] == "prod-v1"
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    world.sql("prod", "prod-v1", "DROP FUNCTION sneak()")
    world.up("prod")


def a_protected_deployment_is_probed_with_the_bypass_secret_and_else_refused_with_the_remedy(world: World) -> None:
    project = world.outputs("prod")["projects"]["vercel"]
    vercel(world, "PATCH", f"/v9/projects/{project}", {"ssoProtection": {"deploymentType": "all"}})
    handler = world.folder / "app" / "api" / "index.js"
    handler.write_text(handler.read_text() + "\n// another build\n")
    before = world.serving_deployment()
    with pytest.raises(CommandError, match="VERCEL_AUTOMATION_BYPASS_SECRET"):
        world.up("prod")
    assert world.serving_deployment() == before
    made = vercel(world, "PATCH", f"/v1/projects/{project}/protection-bypass", {"generate": {}})
    secret = next(iter(made["protectionBypass"]))
    said = world.run(
        *("pulumi", "up", "-s", "prod", "--yes", "--skip-preview", "--non-interactive"),
        env={"VERCEL_AUTOMATION_BYPASS_SECRET": secret},
    )
    assert secret not in said
    assert world.serving_deployment() != before
    vercel(world, "PATCH", f"/v9/projects/{project}", {"ssoProtection": None})


def a_deployment_that_uses_another_database_never_gets_the_domain(world: World) -> None:
    handler = world.folder / "app" / "api" / "index.js"
    right = handler.read_text()
    handler.write_text('export default (request, response) => response.end(\'{"branch": "br-x"}\');\n')
    before = world.serving_deployment()
    with pytest.raises(CommandError, match="answers from another branch than br-"):
        world.up("prod")
    assert world.serving_deployment() == before
    handler.write_text(right)
    world.up("prod")


def size(world: World, branch: str) -> tuple[float, float, int]:
    outputs = world.outputs("prod")
    path = f"projects/{outputs['projects']['neon']}/branches/{outputs['branches'][branch]}/endpoints"
    answer = httpx.get(
        f"{world.cloud.neon_api_host}/{path}", headers={"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    )
    (found,) = answer.raise_for_status().json()["endpoints"]
    return found["autoscaling_limit_min_cu"], found["autoscaling_limit_max_cu"], found["suspend_timeout_seconds"]


def vercel(world: World, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {world.cloud.vercel_api_token}"}
    answer = httpx.request(method, f"{world.cloud.vercel_api_url}{path}", headers=headers, json=body)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def a_copy_of_the_branch_that_serves_leaves_only_behind_what_was_written_since_the_fork(world: World) -> None:
    branches = world.setting("prod", "branches") | {"copy": {"from": {"branch": "prod-v1"}}}
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    world.edit("prod", branches=branches, serve="copy", accept=None)
    assert "nothing: no row was written to prod-v1 since" in world.preview("prod")
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    world.edit("prod", serve="copy")
    with pytest.raises(CommandError, match="2 rows"):
        world.preview("prod")
    world.edit("prod", serve="copy", accept={"branch": "prod-v1", "rows": 2})
    world.up("prod")
    assert world.serving()["branch"] == "copy"


def a_project_with_automatic_domains_is_staged_all_the_same(world: World) -> None:
    project = world.outputs("prod")["projects"]["vercel"]
    vercel(world, "PATCH", f"/v9/projects/{project}", {"autoAssignCustomDomains": True})
    handler = world.folder / "app" / "api" / "index.js"
    right = handler.read_text()
    handler.write_text("export default (request, response) => { response.statusCode = 500; response.end(); };\n")
    before = world.serving_deployment()
    with pytest.raises(CommandError, match="answers status 500"):
        world.up("prod")
    assert world.serving_deployment() == before
    handler.write_text(right)
    world.up("prod")
    vercel(world, "PATCH", f"/v9/projects/{project}", {"autoAssignCustomDomains": False})


def a_git_connected_project_deploys_what_it_has_in_production_anew(world: World) -> None:
    world.edit("prod", app={"redeploy": True}, serve="prod-v2", accept={"branch": "copy", "rows": "any"})
    before = world.serving_deployment()
    world.up("prod")
    assert world.serving()["branch"] == "prod-v2"
    assert world.serving_deployment() != before
    world.up("prod", "--expect-no-changes")
