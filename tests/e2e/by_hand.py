"""What a person does in the consoles of Neon and Vercel, past the stack: the same HTTP that the consoles send."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from environments.clients.app_files import app_files
from tests.e2e.conftest import World

Json = dict[str, Any]


def in_neon(world: World, method: str, path: str, body: Json | None = None) -> Json:
    """Ask Neon for `path` of dev's and production's project."""
    project = world.outputs("dev")["projects"]["neon"]
    url = f"{world.cloud.neon_api_host}/projects/{project}{path}"
    return _sent(method, url, world.cloud.neon_api_key, body)


def in_vercel(world: World, method: str, path: str, body: Json | None = None) -> Json:
    """Ask Vercel for `path`, in which `{project}` is the project's id."""
    project = world.outputs("dev")["projects"]["vercel"]
    url = world.cloud.vercel_api_url + path.replace("{project}", project)
    return _sent(method, url, world.cloud.vercel_api_token, body)


def branches(world: World) -> dict[str, str]:
    """Return the ids of the branches that Neon has, by name."""
    return {found["name"]: found["id"] for found in in_neon(world, "GET", "/branches")["branches"]}


def compute(world: World, branch: str) -> Json:
    """Return the one compute of a branch."""
    (found,) = in_neon(world, "GET", f"/branches/{branches(world)[branch]}/endpoints")["endpoints"]
    return dict(found)


def variable(world: World, key: str, target: str) -> Json:
    """Return an environment variable as Vercel shows it."""
    envs = in_vercel(world, "GET", "/v10/projects/{project}/env")["envs"]
    return dict(next(found for found in envs if found["key"] == key and target in found["target"]))


def push(world: World) -> str:
    """Deploy the app as a push does, with the project's variables; return the deployment's host."""
    files = [
        {"file": file.path, "sha": file.sha, "size": len(file.content)} for file in app_files(world.folder / "app")
    ]
    project = in_vercel(world, "GET", "/v9/projects/{project}")
    body = {"name": project["name"], "project": project["id"], "target": "production", "files": files}
    made = in_vercel(world, "POST", "/v13/deployments", body)
    deadline = time.monotonic() + 20
    while (found := in_vercel(world, "GET", f"/v13/deployments/{made['id']}"))["readyState"] != "READY":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return str(found["url"])


def answers_from(world: World, host: str) -> str:
    """Return the id of the branch whose rows a deployment shows; empty if it reaches no database."""
    answer = httpx.get(f"{world.cloud.vercel_edge_url}/health", headers={"Host": host})
    return str(json.loads(answer.text).get("branch", "")) if answer.is_success else ""


def _sent(method: str, url: str, token: str, body: Json | None) -> Json:
    answer = httpx.request(method, url, headers={"Authorization": f"Bearer {token}"}, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json()) if answer.content else {}
