"""Which of the creates that were cut short were carried out all the same: found by parent and name."""

from __future__ import annotations

from datetime import datetime, timedelta

from environments.clients import providers
from environments.clients.http import NotFoundError
from environments.clients.neon import Neon
from environments.clients.pulumi import Resource
from environments.clients.vercel import Vercel, overlapping
from environments.errors import RefusedError
from environments.props import known

_CLOCK_SKEW = timedelta(minutes=1)


class AmbiguousError(RefusedError):
    """Nobody can tell which thing is the one that a create made."""


def carried_out(create: Resource, neon: Neon, vercel: Vercel, begun: datetime) -> str | None:
    """Return the id of what `create`, which `begun` then, has made, or None if it made nothing.

    For our own resources the answer is always None: a second create of theirs finds what the first one made.
    Raises AmbiguousError where two things fit, or where a project of that name is older than the create.
    """
    match create.token:
        case providers.NEON_PROJECT:
            projects = neon.projects(create.inputs(providers.ProjectInputs).name)
            for project in projects:
                _refuse_older(create, project.id, project.created_at, begun)
            return _only(create, [project.id for project in projects])
        case providers.NEON_BRANCH:
            return _only(create, _branches(neon, create.inputs(providers.BranchInputs)))
        case providers.NEON_ENDPOINT:
            endpoint = create.inputs(providers.EndpointInputs)
            computes = neon.endpoints(known(endpoint.project_id), known(endpoint.branch_id))
            return _only(create, [found.id for found in computes if found.type == endpoint.type])
        case providers.VERCEL_PROJECT:
            return _vercel_project(vercel, create, begun)
        case providers.VERCEL_VARIABLE:
            return _only(create, _variables(vercel, create.inputs(providers.VariableInputs)))
        case _:
            return None


def _branches(neon: Neon, wanted: providers.BranchInputs) -> list[str]:
    return [
        found.id
        for found in neon.branches(known(wanted.project_id))
        if found.name == wanted.name and wanted.parent_id in (None, found.parent_id)
    ]


def _variables(vercel: Vercel, wanted: providers.VariableInputs) -> list[str]:
    variables = vercel.variables(known(wanted.project_id))
    found = overlapping(variables, key=wanted.key, targets=wanted.targets, git_branch=wanted.git_branch)
    return [variable.id for variable in found]


def _vercel_project(vercel: Vercel, create: Resource, begun: datetime) -> str | None:
    try:
        project = vercel.project(create.inputs(providers.ProjectInputs).name)
    except NotFoundError:
        return None
    _refuse_older(create, project.id, project.created_at, begun)
    return project.id


def _refuse_older(create: Resource, found: str, created: datetime, begun: datetime) -> None:
    if created < begun - _CLOCK_SKEW:
        raise AmbiguousError(
            f"the create of {create.name} ({create.token}) was cut short. {found} has the same name, but it is older: "
            f"somebody made it at {created:%Y-%m-%d %H:%M}. Rename it, or give dev another project.name"
        )


def _only(create: Resource, found: list[str]) -> str | None:
    if len(found) > 1:
        raise AmbiguousError(
            f"the create of {create.name} ({create.token}) was cut short, and {len(found)} things may be what it made: "
            f"{', '.join(found)}. Delete those that nothing uses, then run this again"
        )
    return found[0] if found else None
