"""The one screen that `status` prints."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from localcloud.cloud import Cloud, CloudFileError
from localcloud.daemon import Phase, Record
from localcloud.ports import LOOPBACK
from localcloud.survey import Branch, Database, Deployment, Site, children_by_parent, survey


@dataclass(frozen=True)
class Status:
    """What runs, in lines; `running` is the exit code's ground."""

    running: bool
    lines: tuple[str, ...]


def status(state: Path) -> Status:
    """Ask the daemon's record and both APIs."""
    record = Record.of_living(state)
    if record is None:
        return Status(running=False, lines=(f"local cloud: not running ({state})",))
    try:
        cloud = Cloud.load(state)
    except CloudFileError as error:
        return Status(running=False, lines=(f"local cloud: {error}",))
    head = [f"local cloud: {record.phase}, pid {record.process.pid}, {state}", *addresses(cloud)]
    if record.phase is not Phase.READY:
        return Status(running=False, lines=tuple(head))
    try:
        now = asyncio.run(survey(cloud))
    except httpx.HTTPError as error:
        return Status(running=False, lines=(*head, f"an API does not answer: {error}"))
    body = [line for database in now.databases for line in _database(database)]
    body += [line for site in now.sites for line in _site(site)]
    return Status(running=True, lines=(*head, *(body or ["no Neon and no Vercel project yet"])))


def addresses(cloud: Cloud) -> list[str]:
    """What answers where."""
    return [
        f"  Neon API    {cloud.neon_api_host}",
        f"  Postgres    {LOOPBACK}:{cloud.ports.postgres}",
        f"  Vercel API  {cloud.vercel_api_url}",
        f"  edge        {cloud.vercel_edge_url}  (http://NAME.localhost:{cloud.ports.edge} for NAME.vercel.app)",
        f"  page        {cloud.page_url}",
    ]


def _database(database: Database) -> Iterator[str]:
    yield f"Neon project {database.name} ({database.id})"
    for depth, branch in lineage(database.branches):
        marks = [mark for mark, holds in (("default", branch.default), ("protected", branch.protected)) if holds]
        yield "  " + "  " * depth + "  ".join([branch.name, branch.id, *marks, *_computes(branch)])


def _computes(branch: Branch) -> list[str]:
    return [f"[{compute.id} {size(compute.min_cu, compute.max_cu)} {compute.state}]" for compute in branch.computes]


def _site(site: Site) -> Iterator[str]:
    yield f"Vercel project {site.name} ({site.id})"
    for deployment in site.deployments:
        yield "  " + "  ".join([deployment.id, deployment.target, deployment.state, *_domains(deployment)])


def _domains(deployment: Deployment) -> list[str]:
    return [f"<- {', '.join(deployment.domains)}"] if deployment.domains else []


def size(min_cu: float, max_cu: float) -> str:
    """A compute's range as Neon's console shows it."""
    return f"{min_cu:g} CU" if min_cu == max_cu else f"{min_cu:g}-{max_cu:g} CU"


def lineage(branches: tuple[Branch, ...]) -> list[tuple[int, Branch]]:
    """Every branch after its parent, with its depth."""
    children = children_by_parent(branches)

    def below(parent: str | None, depth: int) -> Iterator[tuple[int, Branch]]:
        for branch in children.get(parent, []):
            yield depth, branch
            yield from below(branch.id, depth + 1)

    return list(below(None, 0))
