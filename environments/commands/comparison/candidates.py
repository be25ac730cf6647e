"""What exists of what a create stands for: found by what tells it from others of its kind, whoever made it.

project     by its name
branch      by its name, which a Neon project gives only once
compute     by its branch: one may write to it
variable    by key, targets and git branch: Vercel takes no second one that overlaps
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from environments.clients import neon, providers, vercel
from environments.clients.http import NotFoundError
from environments.clients.neon import Neon
from environments.clients.pulumi import Resource, Urn
from environments.clients.vercel import Vercel, overlapping
from environments.ids import BranchId
from environments.props import UNKNOWN, Unknown

Thing = neon.Project | neon.Branch | neon.Endpoint | vercel.Project | vercel.Variable


@dataclass(frozen=True)
class Clouds:
    """Both clouds, to look things up."""

    neon: Neon
    vercel: Vercel


@dataclass(frozen=True)
class Candidate:
    """Something that exists and may be what `create` stands for; `project` is what it lies in, empty for a project."""

    create: Resource
    project: str
    thing: Thing

    @property
    def id(self) -> str:
        """Its id."""
        return self.thing.id

    @property
    def created_at(self) -> datetime:
        """When it was made, by its cloud's clock."""
        return self.thing.created_at

    @property
    def import_id(self) -> str:
        """What `pulumi import` calls it."""
        return f"{self.project}/{self.id}" if self.project else self.id

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"{self.create.name} ({self.create.token})"


def candidates(create: Resource, clouds: Clouds, branches: Mapping[Urn, BranchId]) -> tuple[Candidate, ...] | Unknown:
    """Return what may be what `create` stands for; Unknown while what it lies in isn't in the state.

    `branches` are those that are taken over in this run, by the component that holds each: a preview doesn't know the
    id of such a branch. Our own resources find what they made by themselves, so that there is nothing for them.
    """
    match create.token:
        case providers.NEON_PROJECT:
            found = clouds.neon.projects(create.inputs(providers.ProjectInputs).name)
            return tuple(Candidate(create, "", each) for each in found)
        case providers.VERCEL_PROJECT:
            return _hosted(create, clouds.vercel)
        case providers.NEON_BRANCH:
            return _branches(create, clouds.neon)
        case providers.NEON_ENDPOINT:
            return _computes(create, clouds.neon, branches)
        case providers.VERCEL_VARIABLE:
            return _variables(create, clouds.vercel)
        case _:
            return ()


def variable_in_the_way(create: Resource, found: tuple[vercel.Variable, ...]) -> str:
    """Return why the stack can't have the variables `found` as the one that it writes, or nothing if it can."""
    wanted = create.inputs(providers.VariableInputs)
    key, targets = wanted.key, ", ".join(sorted(wanted.targets))
    if managed := [variable for variable in found if variable.managed]:
        return (
            f"{key} ({managed[0].id}) belongs to an integration, and only the integration can change it. Remove it "
            "from the integration as docs/adoption.md describes; pulumi up then creates it"
        )
    if [sorted(variable.targets) for variable in found] != [sorted(wanted.targets)]:
        has = "; ".join(f"{variable.id} for {', '.join(variable.targets)}" for variable in found)
        return (
            f"{key} exists as {has}, but this stack writes it for {targets} only. In Vercel's project settings make "
            f"one variable {key} for {targets}, and another one for the rest"
        )
    return ""


def _hosted(create: Resource, clouds: Vercel) -> tuple[Candidate, ...]:
    try:
        return (Candidate(create, "", clouds.project(create.inputs(providers.ProjectInputs).name)),)
    except NotFoundError:
        return ()


def _branches(create: Resource, clouds: Neon) -> tuple[Candidate, ...] | Unknown:
    wanted = create.inputs(providers.BranchInputs)
    if isinstance(wanted.project_id, Unknown):
        return UNKNOWN
    found = [branch for branch in clouds.branches(wanted.project_id) if branch.name == wanted.name]
    return tuple(Candidate(create, wanted.project_id, branch) for branch in found)


def _computes(create: Resource, clouds: Neon, branches: Mapping[Urn, BranchId]) -> tuple[Candidate, ...] | Unknown:
    wanted = create.inputs(providers.EndpointInputs)
    branch = branches.get(create.parent) or wanted.branch_id
    if isinstance(wanted.project_id, Unknown) or isinstance(branch, Unknown):
        return UNKNOWN
    found = [compute for compute in clouds.endpoints(wanted.project_id, branch) if compute.type == wanted.type]
    return tuple(Candidate(create, wanted.project_id, compute) for compute in found)


def _variables(create: Resource, clouds: Vercel) -> tuple[Candidate, ...] | Unknown:
    wanted = create.inputs(providers.VariableInputs)
    if isinstance(wanted.project_id, Unknown):
        return UNKNOWN
    variables = clouds.variables(wanted.project_id)
    found = overlapping(variables, key=wanted.key, targets=wanted.targets, git_branch=wanted.git_branch)
    return tuple(Candidate(create, wanted.project_id, variable) for variable in found)
