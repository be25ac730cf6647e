"""Which creates were cut short, and which of them were carried out all the same: found by parent and name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from environments.clients.http import NotFoundError
from environments.clients.vercel import overlapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.clients.neon import Neon
    from environments.clients.vercel import Vercel


_CLOCK_SKEW = timedelta(minutes=1)


class AmbiguousError(Exception):
    """More than one thing could be the one whose making was cut short."""


@dataclass(frozen=True)
class PendingCreate:
    """A create that the engine started and did not see the end of."""

    urn: str
    type: str
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[1]


def pending_creates(checkpoint: Mapping[str, Any]) -> list[PendingCreate]:
    """Return the creates that an exported stack says are under way."""
    operations = checkpoint["deployment"].get("pending_operations") or []
    return [
        PendingCreate(found["resource"]["urn"], found["resource"]["type"], found["resource"].get("inputs", {}))
        for found in operations
        if found["type"] == "creating"
    ]


def begun_at(checkpoint: Mapping[str, Any]) -> datetime:
    """Return when the engine last wrote the state: right before the creates that it didn't see the end of."""
    return datetime.fromisoformat(checkpoint["deployment"]["manifest"]["time"])


def made(create: PendingCreate, neon: Neon, vercel: Vercel, begun: datetime) -> str | None:
    """Return the id of what `create` made, or None if it made nothing.

    Our own resources take over what they find when they are made again, so for them the answer is always None.
    Raises AmbiguousError where two things fit, or a project of the name is older than the create, which `begun`.
    """
    inputs = create.inputs
    match create.type:
        case "neon:index/project:Project":
            projects = neon.projects(inputs["name"])
            for project in projects:
                _refuse_older(create, project.id, project.created_at, begun)
            return _only([project.id for project in projects], create)
        case "neon:index/branch:Branch":
            return _only(_branch(neon, create), create)
        case "neon:index/endpoint:Endpoint":
            computes = neon.endpoints(inputs["projectId"], inputs["branchId"])
            return _only([found.id for found in computes], create)
        case "vercel:index/project:Project":
            return _vercel_project(vercel, create, begun)
        case "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable":
            return _only(_variable(vercel, inputs), create)
        case _:
            return None


def _branch(neon: Neon, create: PendingCreate) -> list[str]:
    inputs = create.inputs
    return [
        found.id
        for found in neon.branches(inputs["projectId"])
        if found.name == inputs["name"] and inputs.get("parentId") in (None, found.parent_id)
    ]


def _variable(vercel: Vercel, inputs: Mapping[str, Any]) -> list[str]:
    found = overlapping(
        vercel.variables(inputs["projectId"]),
        key=inputs["key"],
        targets=inputs["targets"],
        git_branch=inputs.get("gitBranch") or "",
    )
    return [variable.id for variable in found]


def _vercel_project(vercel: Vercel, create: PendingCreate, begun: datetime) -> str | None:
    try:
        project = vercel.project(create.inputs["name"])
    except NotFoundError:
        return None
    _refuse_older(create, project.id, project.created_at, begun)
    return str(project.id)


def _refuse_older(create: PendingCreate, found: str, created: datetime, begun: datetime) -> None:
    if created < begun - _CLOCK_SKEW:
        raise AmbiguousError(
            f"{create.name} ({create.type}) was cut short while it was made, and {found} bears its name but is older, "
            f"from {created:%Y-%m-%d %H:%M}: rename it, or give dev another project.name"
        )


def _only(found: list[str], create: PendingCreate) -> str | None:
    if len(found) > 1:
        raise AmbiguousError(
            f"{create.name} ({create.type}) was cut short while it was made, and {len(found)} fit it: "
            f"{', '.join(found)}. Delete the ones that nothing uses, then run this again"
        )
    return found[0] if found else None
