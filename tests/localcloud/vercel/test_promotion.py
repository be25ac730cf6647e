"""Which deployment the production domains point to: staged, promoted, rolled back, and without a lost request."""

import asyncio
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.slow

DOMAIN = "shop.vercel.app"
SLOW = """
export default async function (request, response) {
  response.write("begun ");
  await new Promise((resolve) => setTimeout(resolve, 400));
  response.end(process.env.VERCEL_DEPLOYMENT_ID);
}
"""


async def _promote(client: Any, project: str, deployment: Any, status: int = 201) -> Any:
    return await client.call("POST", f"/v10/projects/{project}/promote/{deployment['id']}", {}, status=status)


async def _rollback(client: Any, project: str, deployment: Any, status: int = 201) -> Any:
    return await client.call("POST", f"/v9/projects/{project}/rollback/{deployment['id']}", {}, status=status)


async def _production(client: Any, project: str) -> str | None:
    targets = (await client.call("GET", f"/v9/projects/{project}"))["targets"]
    return targets["production"]["id"] if targets else None


async def test_by_default_a_production_deployment_gets_the_domains_when_it_is_built(client: Any) -> None:
    project = await client.project()
    deployment = await client.deploy(project)
    assert (deployment["readySubstate"], deployment["alias"]) == ("PROMOTED", [DOMAIN])
    assert await client.serving(DOMAIN) == await _production(client, project) == deployment["id"]


async def test_a_staged_deployment_answers_on_its_own_host_only_until_it_is_promoted(client: Any) -> None:
    project = await client.project(autoAssignCustomDomains=False)
    deployment = await client.deploy(project)
    assert (deployment["readyState"], deployment["readySubstate"], deployment["alias"]) == ("READY", "STAGED", [])
    assert await client.serving(deployment["url"]) == deployment["id"]
    assert (await client.visit(DOMAIN)).status_code == 404
    assert await _production(client, project) is None
    await _promote(client, project, deployment)
    assert await client.serving(DOMAIN) == await _production(client, project) == deployment["id"]
    assert (await client.call("GET", f"/v13/deployments/{DOMAIN}"))["readySubstate"] == "PROMOTED"


async def test_promoting_builds_nothing_and_says_what_it_did(client: Any) -> None:
    project = await client.project(autoAssignCustomDomains=False)
    first, second = await client.deploy(project), await client.deploy(project)
    await _promote(client, project, first)
    await _promote(client, project, second)
    assert len((await client.call("GET", f"/v6/deployments?projectId={project}"))["deployments"]) == 2
    request = (await client.call("GET", f"/v9/projects/{project}?rollbackInfo=true"))["lastAliasRequest"]
    assert request["type"] == "promote"
    assert (request["fromDeploymentId"], request["toDeploymentId"]) == (first["id"], second["id"])
    aliases = (await client.call("GET", f"/v1/projects/{project}/promote/aliases"))["aliases"]
    assert [(alias["alias"], alias["status"]) for alias in aliases] == [(DOMAIN, "completed")]
    assert (await client.call("GET", f"/v4/aliases/{DOMAIN}"))["deploymentId"] == second["id"]


async def test_after_a_rollback_new_deployments_are_staged_until_a_promote(client: Any) -> None:
    project = await client.project()
    first, second = await client.deploy(project), await client.deploy(project)
    await _rollback(client, project, first)
    assert await client.serving(DOMAIN) == first["id"]
    third = await client.deploy(project)
    assert third["readySubstate"] == "STAGED"
    assert await client.serving(DOMAIN) == first["id"]
    await _promote(client, project, second)
    assert await client.serving(DOMAIN) == second["id"]
    fourth = await client.deploy(project)
    assert await client.serving(DOMAIN) == fourth["id"]


async def test_only_what_served_production_can_be_rolled_back_to(client: Any) -> None:
    project = await client.project(autoAssignCustomDomains=False)
    first, second = await client.deploy(project), await client.deploy(project)
    await _promote(client, project, first)
    answer = await _rollback(client, project, second, status=400)
    assert "never served production" in answer["error"]["message"]
    assert await client.serving(DOMAIN) == first["id"]


async def test_promoting_a_preview_rebuilds_it_with_the_environment_of_production(client: Any) -> None:
    project = await client.project()
    await client.variable(project, "WHERE", "preview", "preview")
    await client.variable(project, "WHERE", "production", "production")
    preview = await client.deploy(project, target=None)
    await _promote(client, project, preview, status=202)
    newest = (await client.call("GET", f"/v6/deployments?projectId={project}&limit=1"))["deployments"][0]
    await client.built(newest["uid"])
    assert newest["uid"] != preview["id"]
    seen = await client.seen_by(DOMAIN)
    assert (seen["VERCEL_DEPLOYMENT_ID"], seen["WHERE"]) == (newest["uid"], "production")
    assert (await client.seen_by(preview["url"]))["WHERE"] == "preview"


async def test_a_deployment_that_failed_or_is_another_projects_is_refused(client: Any) -> None:
    project = await client.project(buildCommand="exit 3")
    failed = await client.deploy(project)
    answer = await _promote(client, project, failed, status=409)
    assert answer["error"]["code"] == "deployment_not_ready"
    other = await client.project("other")
    await _promote(client, other, failed, status=404)
    await client.call("POST", f"/v10/projects/{project}/promote/dpl_none", {}, status=404)


async def test_a_failed_build_leaves_production_as_it_was(client: Any) -> None:
    project = await client.project()
    good = await client.deploy(project)
    await client.call("PATCH", f"/v9/projects/{project}", {"buildCommand": "echo working; exit 3"})
    failed = await client.deploy(project)
    assert (failed["readyState"], failed["errorCode"], failed["alias"]) == ("ERROR", "BUILD_FAILED", [])
    assert "exited with 3" in failed["errorMessage"]
    log = [event["text"] for event in await client.call("GET", f"/v3/deployments/{failed['id']}/events")]
    assert "working" in log
    assert await client.serving(DOMAIN) == await _production(client, project) == good["id"]
    assert (await client.visit(failed["url"])).status_code == 404


@pytest.mark.parametrize("path", ["/", "/some/page?q=1"])
async def test_a_request_under_way_ends_where_it_began(client: Any, path: str) -> None:
    project = await client.project()
    old = await client.deploy(project, SLOW)
    under_way = asyncio.create_task(client.visit(DOMAIN, path))
    await asyncio.sleep(0.15)
    new = await client.deploy(project)
    assert await client.serving(DOMAIN) == new["id"]
    assert (await under_way).text == f"begun {old['id']}"


async def test_a_client_loses_no_request_through_ten_promotes_and_rollbacks(client: Any) -> None:
    project = await client.project(autoAssignCustomDomains=False)
    pair = [await client.deploy(project), await client.deploy(project)]
    for deployment in pair:
        await _promote(client, project, deployment)
    answers: list[tuple[int, str]] = []
    done = asyncio.Event()

    async def ask() -> None:
        try:
            answer = await client.visit(DOMAIN)
            answers.append((answer.status_code, answer.json()["env"]["VERCEL_DEPLOYMENT_ID"]))
        except httpx.HTTPError as error:
            answers.append((0, repr(error)))

    async def visitor() -> None:
        async with asyncio.TaskGroup() as asking:
            while not done.is_set():
                asking.create_task(ask())
                await asyncio.sleep(1 / 50)

    visiting = asyncio.create_task(visitor())
    for turn in range(10):
        await asyncio.sleep(0.1)
        await _rollback(client, project, pair[0])
        await asyncio.sleep(0.1)
        await _promote(client, project, pair[1])
        assert await client.serving(DOMAIN) == pair[1]["id"], f"after turn {turn}"
    done.set()
    await visiting
    assert [answer for answer in answers if answer[0] != 200] == []
    assert {answer[1] for answer in answers} == {deployment["id"] for deployment in pair}
    assert len(answers) >= 50
