"""Preview environments as the tests look at them: their stack files, what Neon and Vercel hold, what is deployed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from environments.clients.app_files import app_files
from environments.settings.pull_request import stack_file
from tests.e2e.conftest import World
from tests.localcloud.neon.hosting import wait_until

PATIENCE = 20.0


def bring_up(world: World, number: int, git_branch: str, **options: Any) -> str:
    """Write the stack file of a pull request and bring it up; return the stack's name."""
    stack = f"pr-{number}"
    world.stack_file(stack).write_text(stack_file(number, git_branch, **options))
    world.select(stack)
    world.up(stack)
    return stack


def neon(world: World, method: str, path: str, **body: Any) -> httpx.Response:
    """Ask Neon's API about the world's project."""
    url = f"{world.cloud.neon_api_host}/projects/{projects(world)['neon']}{path}"
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    return httpx.request(method, url, headers=headers, json=body or None, timeout=60)


def vercel(world: World, method: str, path: str, **body: Any) -> Any:
    """Ask Vercel's API; return its answer's JSON."""
    url, headers = f"{world.cloud.vercel_api_url}{path}", {"Authorization": f"Bearer {world.cloud.vercel_api_token}"}
    return httpx.request(method, url, headers=headers, json=body or None, timeout=60).raise_for_status().json()


def projects(world: World) -> dict[str, str]:
    """Return the ids of both projects."""
    return dict(world.outputs("dev")["projects"])


def branches(world: World) -> dict[str, dict[str, Any]]:
    """Return Neon's branches by name."""
    return {branch["name"]: branch for branch in neon(world, "GET", "/branches").json()["branches"]}


def computes(world: World) -> dict[str, str]:
    """Return Neon's computes by id, each with the branch that it serves."""
    return {compute["id"]: compute["branch_id"] for compute in neon(world, "GET", "/endpoints").json()["endpoints"]}


def variables(world: World) -> set[tuple[str, str | None]]:
    """Return the keys of Vercel's variables, each with its git branch."""
    found = vercel(world, "GET", f"/v10/projects/{projects(world)['vercel']}/env")["envs"]
    return {(variable["key"], variable.get("gitBranch")) for variable in found}


def push(world: World, git_branch: str) -> str:
    """Deploy the app as a push to `git_branch` does; return the id of the Neon branch that answers."""
    files = [
        {"file": file.path, "data": base64.b64encode(file.content).decode(), "encoding": "base64"}
        for file in app_files(world.folder / "app")
    ]
    body = {"project": projects(world)["vercel"], "files": files, "gitMetadata": {"commitRef": git_branch}}
    made = vercel(world, "POST", "/v13/deployments", **body)
    wait_until(lambda: vercel(world, "GET", f"/v13/deployments/{made['id']}")["readyState"] == "READY", PATIENCE)
    return str(world.health(made["url"])["branch"])


def expire(world: World, name: str) -> None:
    """Let a branch's time be over, and wait until Neon has deleted it."""
    id_ = branches(world)[name]["id"]
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat(timespec="seconds").replace("+00:00", "Z")
    neon(world, "PATCH", f"/branches/{id_}", branch={"expires_at": soon}).raise_for_status()
    wait_until(lambda: name not in branches(world), PATIENCE)


def seconds_until(moment: str) -> float:
    """Return how far away an RFC 3339 time is."""
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
