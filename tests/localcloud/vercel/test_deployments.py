"""Files, builds, redeploys and lists."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.vercel import VercelCloud

pytestmark = pytest.mark.slow

TOKEN = "t" * 24
HELLO = b"export default (request, response) => response.end('hello');"


async def _events(client: Any, deployment: Any) -> list[str]:
    return [event["text"] for event in await client.call("GET", f"/v3/deployments/{deployment['id']}/events")]


async def test_missing_files_are_named_and_the_same_request_succeeds_after_their_upload(client: Any) -> None:
    project = await client.project()
    sha = hashlib.sha1(HELLO, usedforsecurity=False).hexdigest()
    body = {"name": "shop", "project": project, "files": [{"file": "api/index.mjs", "sha": sha, "size": len(HELLO)}]}
    answer = await client.call("POST", "/v12/now/deployments?skipAutoDetectionConfirmation=1", body, status=400)
    assert (answer["error"]["code"], answer["error"]["missing"]) == ("missing_files", [sha])
    assert (await client.call("GET", "/v6/deployments"))["deployments"] == []
    await client.api.post("/v2/now/files", content=HELLO, headers={"x-now-digest": sha})
    deployment = await client.built((await client.call("POST", "/v12/now/deployments", body))["id"])
    assert (await client.visit(deployment["url"], "/api")).text == "hello"


async def test_an_upload_that_is_not_what_its_digest_says_is_refused(client: Any) -> None:
    answer = await client.api.post("/v2/now/files", content=HELLO, headers={"x-vercel-digest": "0" * 40})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_digest")


async def test_files_may_come_inside_the_request(client: Any) -> None:
    project = await client.project()
    inlined = {"file": "api/index.mjs", "data": base64.b64encode(HELLO).decode(), "encoding": "base64"}
    page = {"file": "public/page.html", "data": "<p>page"}
    body = {"name": "shop", "project": project, "files": [inlined, page]}
    deployment = await client.built((await client.call("POST", "/v13/deployments", body))["id"])
    assert (await client.visit(deployment["url"], "/api")).text == "hello"
    assert (await client.visit(deployment["url"], "/page.html")).text == "<p>page"


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "a/../../outside"])
async def test_no_file_lies_outside_its_deployment(client: Any, path: str) -> None:
    body = {"name": "shop", "project": await client.project(), "files": [{"file": path, "data": "x"}]}
    answer = await client.call("POST", "/v13/deployments", body, status=400)
    assert "must lie inside the deployment" in answer["error"]["message"]


@pytest.mark.parametrize(
    "order", [{}, {"files": []}, {"files": [{"sha": "x"}]}, {"files": "all"}, {"gitSource": {"type": "github"}}]
)
async def test_an_order_without_usable_files_is_refused(client: Any, order: dict[str, Any]) -> None:
    body = {"name": "shop", "project": await client.project(), **order}
    await client.call("POST", "/v13/deployments", body, status=400)


async def test_a_redeploy_has_the_same_files_and_the_environment_of_now(client: Any) -> None:
    project = await client.project()
    variable = await client.variable(project, "COLOUR", "red")
    origin = await client.deploy(project, env={"ORDER": "first"})
    await client.call("PATCH", f"/v9/projects/{project}/env/{variable['id']}", {"value": "blue"})
    body = {
        "name": "shop",
        "deploymentId": origin["id"],
        "target": "production",
        "env": {"URL": "new"},
        "meta": {"a": "b"},
    }
    again = await client.built((await client.call("POST", "/v13/deployments?forceNew=1", body))["id"])
    seen = await client.seen_by(again["url"])
    assert (again["id"] != origin["id"], again["meta"], again["env"]) == (True, {"a": "b"}, ["URL"])
    assert (seen["COLOUR"], seen["URL"], seen.get("ORDER")) == ("blue", "new", None)


async def test_the_build_command_runs_with_the_environment_and_its_output_is_served(client: Any) -> None:
    project = await client.project()
    await client.variable(project, "COLOUR", "plain-red", type="plain")
    package = (
        '{"type": "module", "scripts": {"build": "mkdir public && echo $COLOUR $ONLY_BUILD $CI > public/built.txt"}}'
    )
    deployment = await client.deploy(
        project, files={"package.json": package}, build={"env": {"ONLY_BUILD": "at-build"}}
    )
    assert (await client.visit(deployment["url"], "/built.txt")).text == "plain-red at-build 1\n"
    assert "ONLY_BUILD" not in await client.seen_by(deployment["url"])
    assert deployment["build"]["env"] == ["ONLY_BUILD"]


async def test_secrets_stay_out_of_the_build_log(client: Any) -> None:
    url = "postgresql://app:p%40ssword-canary@127.0.0.1/db"
    project = await client.project(buildCommand="echo $URL $KEPT; printf 'p@ssword-%s\\n' $(printf can)ary; exit 1")
    await client.variable(project, "KEPT", "kept-canary", type="sensitive")
    failed = await client.deploy(project, env={"URL": url})
    log = "\n".join(await _events(client, failed))
    assert "[redacted] [redacted]\n[redacted]" in log
    assert "canary" not in log + failed["errorMessage"] + str(failed["env"])


async def test_a_build_passes_through_its_states_one_after_another(
    tmp_path: Path, connect: Callable[[int, int], Any]
) -> None:
    slow = VercelCloud(tmp_path / "slow", token=TOKEN, api_port=0, edge_port=0, build_delay=0.2)
    await slow.start()
    try:
        client = connect(slow.api_port, slow.edge_port)
        project = await client.project()
        body = {"name": "shop", "project": project, "files": [{"file": "api/index.mjs", "data": HELLO.decode()}]}
        deployment = await client.call("POST", "/v13/deployments", body)
        states = [deployment["readyState"]]
        while states[-1] != "READY":
            await asyncio.sleep(0.02)
            state = (await client.call("GET", f"/v13/deployments/{deployment['id']}"))["readyState"]
            states += [state] if state != states[-1] else []
        assert states == ["QUEUED", "BUILDING", "READY"]
    finally:
        await slow.stop()


async def test_a_build_can_be_followed_and_canceled(client: Any) -> None:
    project = await client.project(buildCommand="echo begun; sleep 30")
    body = {"name": "shop", "project": project, "files": [{"file": "api/index.mjs", "data": HELLO.decode()}]}
    deployment = await client.call("POST", "/v13/deployments", body)
    following = asyncio.create_task(
        client.api.get(f"/v3/now/deployments/{deployment['id']}/events", params={"follow": 1, "format": "lines"})
    )
    await asyncio.sleep(0.2)
    assert not following.done()
    canceled = await client.call("PATCH", f"/v12/deployments/{deployment['id']}/cancel")
    assert canceled["readyState"] == "CANCELED"
    assert '"begun"' in (await following).text
    assert (await client.call("GET", f"/v13/deployments/{deployment['id']}"))["readyState"] == "CANCELED"


async def test_a_list_is_filtered_by_project_target_state_and_metadata(client: Any) -> None:
    project, other = await client.project("shop"), await client.project("other", buildCommand="exit 1")
    first = await client.deploy(project, meta={"revision": "1"})
    second = await client.deploy(project, target=None, meta={"revision": "2"})
    failed = await client.deploy(other)

    async def found(query: str) -> list[str]:
        return [row["uid"] for row in (await client.call("GET", f"/v6/deployments?{query}"))["deployments"]]

    assert await found("") == [failed["id"], second["id"], first["id"]]
    assert await found("limit=1") == [failed["id"]]
    assert await found(f"projectId={project}") == [second["id"], first["id"]]
    assert await found("app=other") == [failed["id"]]
    assert await found("target=production&state=READY") == [first["id"]]
    assert await found("state=ERROR,CANCELED") == [failed["id"]]
    assert await found("meta-revision=2") == [second["id"]]
    assert await found("projectId=prj_none") == []


async def test_a_deleted_deployment_is_gone_with_its_hosts(client: Any) -> None:
    project = await client.project()
    deployment = await client.deploy(project)
    answer = await client.call("DELETE", f"/v13/deployments/{deployment['id']}")
    assert answer == {"uid": deployment["id"], "state": "DELETED"}
    await client.call("GET", f"/v13/deployments/{deployment['id']}", status=404)
    assert (await client.visit("shop.vercel.app")).status_code == 404
