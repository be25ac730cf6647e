"""Projects, their domains, and the API's manners."""

import logging
from typing import Any

import pytest


async def test_a_new_project_gets_a_domain_of_vercels(client: Any) -> None:
    project = await client.project("my_shop.v2")
    domains = (await client.call("GET", f"/v9/projects/{project}/domains"))["domains"]
    assert [domain["name"] for domain in domains] == ["my-shop-v2.vercel.app"]


@pytest.mark.parametrize("name", ["", "Shop", "a---b", "a" * 101, "shop/x", "sh op"])
async def test_a_name_that_vercel_refuses_is_refused_with_the_rule(client: Any, name: str) -> None:
    answer = await client.call("POST", "/v11/projects", {"name": name}, status=400)
    assert "up to 100 characters long and must be lowercase" in answer["error"]["message"]


async def test_a_name_is_given_once(client: Any) -> None:
    await client.project("shop")
    answer = await client.call("POST", "/v11/projects", {"name": "shop"}, status=409)
    assert answer["error"]["code"] == "conflict"


async def test_a_project_is_found_by_id_and_by_name_under_any_version_and_team(client: Any) -> None:
    project = await client.project("shop", framework=None, buildCommand="true")
    for path in (f"/v8/projects/{project}", "/v10/projects/shop?teamId=team_1", "/v9/projects/shop?rollbackInfo=true"):
        found = await client.call("GET", path)
        assert (found["id"], found["name"], found["buildCommand"]) == (project, "shop", "true")


async def test_renaming_keeps_the_id_and_the_domain(client: Any) -> None:
    project = await client.project("shop")
    renamed = await client.call("PATCH", f"/v9/projects/{project}", {"name": "store", "autoAssignCustomDomains": False})
    assert (renamed["id"], renamed["name"], renamed["autoAssignCustomDomains"]) == (project, "store", False)
    domains = (await client.call("GET", "/v9/projects/store/domains"))["domains"]
    assert [domain["name"] for domain in domains] == ["shop.vercel.app"]


async def test_a_deleted_project_takes_its_deployments_and_hosts_along(client: Any) -> None:
    project = await client.project()
    deployment = await client.deploy(project)
    assert (await client.visit("shop.vercel.app")).status_code == 200
    await client.call("DELETE", f"/v8/projects/{project}", status=204)
    await client.call("GET", f"/v9/projects/{project}", status=404)
    await client.call("GET", f"/v13/deployments/{deployment['id']}", status=404)
    assert (await client.visit("shop.vercel.app")).status_code == 404
    assert (await client.visit(deployment["url"])).status_code == 404


async def test_a_domain_serves_at_once_what_production_serves_and_belongs_to_one_project(client: Any) -> None:
    project = await client.project()
    deployment = await client.deploy(project)
    await client.call("POST", f"/v10/projects/{project}/domains", {"name": "shop.example.com"})
    assert await client.serving("shop.example.com") == deployment["id"]
    other = await client.project("other")
    taken = await client.call("POST", f"/v10/projects/{other}/domains", {"name": "shop.example.com"}, status=409)
    assert taken["error"]["code"] == "domain_already_in_use"
    await client.call("DELETE", f"/v9/projects/{project}/domains/shop.example.com")
    assert (await client.visit("shop.example.com")).status_code == 404


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic dDp0"])
async def test_no_call_is_answered_without_the_token(client: Any, header: str | None) -> None:
    del client.api.headers["authorization"]
    if header:
        client.api.headers["authorization"] = header
    answer = await client.call("GET", "/v9/projects", status=403)
    assert answer["error"]["code"] == "forbidden"


async def test_an_unknown_route_is_answered_501_and_logged_loudly(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.call("GET", "/v1/edge-config", status=501)
    assert answer["error"]["code"] == "not_implemented"
    assert [record.levelno for record in caplog.records if "/v1/edge-config" in record.getMessage()] == [logging.ERROR]


async def test_a_body_that_is_no_json_is_a_bad_request(client: Any) -> None:
    answer = await client.api.post("/v11/projects", content=b"{")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid JSON")
