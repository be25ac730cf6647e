"""What stands in the local cloud now, as its two APIs tell any client: the source of `status` and of the page."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from localcloud.cloud import Cloud

TIMEOUT = 10.0
NEWEST_DEPLOYMENTS = 20

Json = dict[str, Any]


@dataclass(frozen=True)
class Compute:
    """An endpoint of a branch."""

    id: str
    min_cu: float
    max_cu: float
    state: str


@dataclass(frozen=True)
class Branch:
    """A branch with its computes."""

    id: str
    name: str
    parent_id: str | None
    default: bool
    protected: bool
    computes: tuple[Compute, ...]


@dataclass(frozen=True)
class Database:
    """A Neon project."""

    id: str
    name: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Deployment:
    """A deployment with the domains that point to it now."""

    id: str
    host: str
    state: str
    target: str
    domains: tuple[str, ...]
    meta: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Site:
    """A Vercel project."""

    id: str
    name: str
    deployments: tuple[Deployment, ...]


@dataclass(frozen=True)
class Survey:
    """Both halves at one moment."""

    databases: tuple[Database, ...]
    sites: tuple[Site, ...]


def children_by_parent(branches: tuple[Branch, ...]) -> dict[str | None, list[Branch]]:
    """The branches by parent, in the order of their names; one whose parent is gone stands at the root, None."""
    known = {branch.id for branch in branches}
    children: dict[str | None, list[Branch]] = {}
    for branch in sorted(branches, key=lambda branch: branch.name):
        children.setdefault(branch.parent_id if branch.parent_id in known else None, []).append(branch)
    return children


async def survey(cloud: Cloud) -> Survey:
    """Ask both APIs; httpx.HTTPError if one doesn't answer as it should."""
    # Proxy variables of the environment don't concern the loopback interface.
    async with (
        _client(cloud.neon_api_host, cloud.neon_api_key) as neon,
        _client(cloud.vercel_api_url, cloud.vercel_api_token) as vercel,
    ):
        databases, sites = await asyncio.gather(_databases(neon), _sites(vercel))
    return Survey(databases=databases, sites=sites)


def _client(base_url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, trust_env=False
    )


async def _get(client: httpx.AsyncClient, path: str, **parameters: str | int) -> Json:
    answer = (await client.get(path, params=parameters)).raise_for_status().json()
    if not isinstance(answer, dict):
        message = f"{path} answered no JSON object"
        raise httpx.DecodingError(message)
    return answer


async def _databases(neon: httpx.AsyncClient) -> tuple[Database, ...]:
    projects = (await _get(neon, "/projects", limit=100))["projects"]
    return tuple(await asyncio.gather(*(_database(neon, project) for project in projects)))


async def _database(neon: httpx.AsyncClient, project: Json) -> Database:
    path = f"/projects/{project['id']}"
    branches, endpoints = await asyncio.gather(
        _get(neon, f"{path}/branches", limit=1000), _get(neon, f"{path}/endpoints")
    )
    return Database(
        id=project["id"],
        name=project["name"],
        branches=tuple(
            Branch(
                id=branch["id"],
                name=branch["name"],
                parent_id=branch.get("parent_id"),
                default=bool(branch.get("default")),
                protected=bool(branch.get("protected")),
                computes=tuple(
                    _compute(endpoint) for endpoint in endpoints["endpoints"] if endpoint["branch_id"] == branch["id"]
                ),
            )
            for branch in branches["branches"]
        ),
    )


def _compute(endpoint: Json) -> Compute:
    return Compute(
        id=endpoint["id"],
        min_cu=float(endpoint["autoscaling_limit_min_cu"]),
        max_cu=float(endpoint["autoscaling_limit_max_cu"]),
        state="disabled" if endpoint.get("disabled") else endpoint["current_state"],
    )


async def _sites(vercel: httpx.AsyncClient) -> tuple[Site, ...]:
    projects, aliases = await asyncio.gather(
        _get(vercel, "/v9/projects", limit=100), _get(vercel, "/v4/aliases", limit=100)
    )
    domains: dict[str, list[str]] = {}
    for alias in aliases["aliases"]:
        domains.setdefault(alias.get("deploymentId") or "", []).append(alias["alias"])
    return tuple(await asyncio.gather(*(_site(vercel, project, domains) for project in projects["projects"])))


async def _site(vercel: httpx.AsyncClient, project: Json, domains: dict[str, list[str]]) -> Site:
    answer = await _get(vercel, "/v6/deployments", projectId=project["id"], limit=NEWEST_DEPLOYMENTS)
    return Site(
        id=project["id"],
        name=project["name"],
        deployments=tuple(_deployment(item, domains) for item in answer["deployments"]),
    )


def _deployment(item: Json, domains: dict[str, list[str]]) -> Deployment:
    # The list names the id `uid` and the state `state`, a single deployment `id` and `readyState`.
    identifier = item.get("uid") or item["id"]
    host = item["url"]
    return Deployment(
        id=identifier,
        host=host,
        state=item.get("state") or item["readyState"],
        target=item.get("target") or "preview",
        domains=tuple(sorted(domain for domain in domains.get(identifier, []) if domain != host)),
        meta=tuple(sorted((str(key), str(value)) for key, value in (item.get("meta") or {}).items())),
    )
