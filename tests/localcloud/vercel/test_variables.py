"""The rules of environment variables, and what a deployment sees of them."""

from typing import Any

import pytest

pytestmark = pytest.mark.slow


async def _create(client: Any, project: str, status: int = 201, **body: Any) -> Any:
    body = {"key": "KEY", "value": "value", "target": ["production"], "type": "encrypted", **body}
    return await client.call("POST", f"/v10/projects/{project}/env", body, status=status)


async def test_a_sensitive_value_is_never_told(client: Any) -> None:
    project = await client.project()
    created = (await _create(client, project, type="sensitive", value="hush-hush"))["created"]
    texts = [
        str(created),
        (await client.api.get(f"/v10/projects/{project}/env/{created['id']}")).text,
        (await client.api.get(f"/v8/projects/{project}/env?decrypt=true&limit=100")).text,
        (await client.api.get(f"/v9/projects/{project}")).text,
        (await client.api.get(f"/v3/env/pull/{project}/production")).text,
        (await client.api.patch(f"/v9/projects/{project}/env/{created['id']}", json={"value": "hush-more"})).text,
    ]
    assert not [text for text in texts if "hush" in text]


async def test_an_encrypted_value_is_told_to_who_asks_for_it(client: Any) -> None:
    project = await client.project()
    created = (await _create(client, project))["created"]
    assert (await client.call("GET", f"/v10/projects/{project}/env/{created['id']}"))["value"] == "value"
    assert (await client.call("GET", f"/v8/projects/{project}/env?decrypt=true"))["envs"][0]["value"] == "value"
    assert (await client.call("GET", f"/v8/projects/{project}/env"))["envs"][0]["value"] == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"type": "sensitive", "target": ["development", "preview"]}, "Sensitive"),
        ({"key": "1KEY"}, "invalid characters"),
        ({"key": "MY-KEY"}, "invalid characters"),
        ({"key": ""}, "invalid characters"),
        ({"value": 5}, "value must be a string"),
        ({"value": "x" * 65_537}, "64 KB"),
        ({"target": []}, "needs a target"),
        ({"target": ["staging"]}, "is not one of"),
        ({"type": "open"}, "choose one of"),
        ({"gitBranch": "main"}, "gitBranch"),
    ],
)
async def test_a_variable_that_breaks_a_rule_is_refused(client: Any, body: dict[str, Any], said: str) -> None:
    project = await client.project()
    answer = await _create(client, project, status=400, **body)
    assert said in answer["error"]["message"]
    assert (await client.call("GET", f"/v8/projects/{project}/env"))["envs"] == []


async def test_a_conflict_is_the_same_key_target_and_branch(client: Any) -> None:
    project = await client.project()
    await _create(client, project, target=["preview", "production"])
    answer = await _create(client, project, status=400, target=["preview"])
    assert answer["error"]["code"] == "ENV_CONFLICT"
    await _create(client, project, target=["development"])
    await _create(client, project, target=["preview"], gitBranch="feature")
    answer = await _create(client, project, status=400, target=["preview"], gitBranch="feature")
    assert answer["error"]["gitBranch"] == "feature"


async def test_a_list_is_created_as_far_as_it_goes(client: Any) -> None:
    project = await client.project()
    bodies = [
        {"key": key, "value": "1", "target": ["production"], "type": "plain"} for key in ("GOOD", "not good", "BETTER")
    ]
    answer = await client.call("POST", f"/v10/projects/{project}/env", bodies, status=201)
    assert [variable["key"] for variable in answer["created"]] == ["GOOD", "BETTER"]
    assert [failure["error"]["key"] for failure in answer["failed"]] == ["not good"]


async def test_an_upsert_changes_the_very_variable_and_no_other(client: Any) -> None:
    project = await client.project()
    first = await client.variable(project, "KEY", "old", "preview")
    branch = await client.variable(project, "KEY", "branch", "preview", gitBranch="feature")
    body = {"key": "KEY", "value": "new", "target": ["preview"], "type": "encrypted"}
    answer = await client.call("POST", f"/v10/projects/{project}/env?upsert=true", body, status=201)
    assert answer["created"]["id"] == first["id"]
    envs = (await client.call("GET", f"/v8/projects/{project}/env?decrypt=true"))["envs"]
    assert {env["id"]: env["value"] for env in envs} == {first["id"]: "new", branch["id"]: "branch"}


async def test_a_change_meets_the_same_rules_as_a_creation(client: Any) -> None:
    project = await client.project()
    await client.variable(project, "TAKEN", "1")
    own = await client.variable(project, "OWN", "1")
    path = f"/v9/projects/{project}/env/{own['id']}"
    assert (await client.call("PATCH", path, {"key": "TAKEN"}, status=400))["error"]["code"] == "ENV_CONFLICT"
    await client.call("PATCH", path, {"type": "sensitive"})
    await client.call("PATCH", path, {"type": "encrypted"}, status=400)
    await client.call("DELETE", path)
    await client.call("GET", path, status=404)


async def test_a_deployment_keeps_the_environment_of_its_creation(client: Any) -> None:
    project = await client.project()
    variable = await client.variable(project, "COLOUR", "red")
    first = await client.deploy(project)
    await client.call("PATCH", f"/v9/projects/{project}/env/{variable['id']}", {"value": "blue"})
    assert (await client.seen_by("shop.vercel.app"))["COLOUR"] == "red"
    second = await client.deploy(project)
    assert (await client.seen_by("shop.vercel.app"))["COLOUR"] == "blue"
    assert (await client.seen_by(first["url"]))["COLOUR"] == "red"
    await client.call("POST", f"/v9/projects/{project}/rollback/{first['id']}", status=201)
    assert (await client.seen_by("shop.vercel.app"))["COLOUR"] == "red"
    assert first["id"] != second["id"]


async def test_the_layers_of_an_environment_go_from_the_project_to_the_system(client: Any) -> None:
    project = await client.project()
    await client.variable(project, "ONLY_PROJECT", "project", "preview")
    await client.variable(project, "BRANCH", "project", "preview")
    await client.variable(project, "BRANCH", "branch", "preview", gitBranch="feature")
    await client.variable(project, "OWN", "project", "preview")
    await client.variable(project, "VERCEL_ENV", "mine", "preview")
    await client.variable(project, "ELSEWHERE", "production", "production")
    preview = await client.deploy(project, target=None, env={"OWN": "own"}, meta={"githubCommitRef": "feature"})
    seen = await client.seen_by(preview["url"])
    assert [seen[key] for key in ("ONLY_PROJECT", "BRANCH", "OWN", "VERCEL_ENV")] == [
        "project",
        "branch",
        "own",
        "preview",
    ]
    assert "ELSEWHERE" not in seen
    assert seen["VERCEL_URL"] == preview["url"]
    assert seen["VERCEL_TARGET_ENV"] == "preview"
    assert seen["VERCEL_DEPLOYMENT_ID"] == preview["id"]
    assert seen["VERCEL_GIT_COMMIT_REF"] == "feature"
    assert seen["VERCEL_PROJECT_PRODUCTION_URL"] == "shop.vercel.app"
    assert await client.serving("shop-git-feature-local.vercel.app") == preview["id"]


async def test_a_deployment_sees_nothing_of_the_one_who_hosts_it(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEON_API_KEY", "VERCEL_API_TOKEN", "NODE_EXTRA_CA_CERTS", "HTTPS_PROXY", "npm_config_registry"):
        monkeypatch.setenv(name, "of-the-host")
    deployment = await client.deploy(await client.project())
    seen = await client.seen_by(deployment["url"])
    assert "of-the-host" not in seen.values()
    assert {name for name in seen if not name.startswith("VERCEL")} <= {"PATH", "HOME", "LANG", "NODE_ENV"}


@pytest.mark.parametrize(
    "owner",
    [{"configurationId": "icfg_1"}, {"contentHint": {"type": "integration-store-secret", "storeId": "store_1"}}],
)
async def test_a_variable_of_an_integration_says_so_and_is_changed_by_nobody_else(
    client: Any, owner: dict[str, Any]
) -> None:
    project = await client.project()
    created = (await _create(client, project, **owner))["created"]
    assert {key: created[key] for key in owner} == owner
    path = f"/v9/projects/{project}/env/{created['id']}"
    answer = await client.call("PATCH", path, {"value": "mine"}, status=403)
    assert "managed by an integration" in answer["error"]["message"]
    assert (await client.call("GET", path))["value"] == "value"
