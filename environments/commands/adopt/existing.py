"""Which of the things that a stack would create exist already: found by name, and refused where they don't fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from environments.clients import providers
from environments.clients.neon import Branch, Neon
from environments.clients.pulumi import Resource, Urn
from environments.clients.vercel import Vercel, overlapping
from environments.errors import RefusedError
from environments.ids import BranchId, VercelProject
from environments.props import Unknown


class InTheWayError(RefusedError):
    """Something that exists can't be taken over as it is; nothing was changed."""

    def __init__(self, *reasons: str) -> None:
        """Collect every reason, so that one run names them all."""
        super().__init__("nothing was taken over.\n" + "\n".join(f"  - {reason}" for reason in reasons))
        self.reasons = reasons


@dataclass(frozen=True, kw_only=True)
class VariableState:
    """A variable as the state is to hold it, without its value: `pulumi import` would write that as plain text."""

    project_id: VercelProject
    key: str
    targets: tuple[str, ...]
    git_branch: str | None
    sensitive: bool


@dataclass(frozen=True)
class Existing:
    """A create whose thing exists already: its project, its id, and what a user should know of it.

    `state` is how it is; None where its provider is to read that.
    """

    create: Resource
    project: str
    id: str
    note: str = ""
    state: VariableState | None = None


def existing(creates: Sequence[Resource], neon: Neon, vercel: Vercel) -> list[Existing]:
    """Return those of `creates` that exist already. Raises InTheWayError for what doesn't fit."""
    found: list[Existing] = []
    reasons: list[str] = []
    branches: dict[Urn, BranchId] = {}
    for create in creates:
        try:
            one = _existing(create, neon, vercel, branches)
        except InTheWayError as error:
            reasons += error.reasons
            continue
        if one:
            found.append(one)
            if create.token == providers.NEON_BRANCH:
                branches[create.parent] = BranchId(one.id)
    if reasons:
        raise InTheWayError(*reasons)
    return found


def _existing(create: Resource, neon: Neon, vercel: Vercel, branches: Mapping[Urn, BranchId]) -> Existing | None:
    match create.token:
        case providers.NEON_BRANCH:
            return _branch(create, neon)
        case providers.NEON_ENDPOINT:
            return _compute(create, neon, branches.get(create.parent))
        case providers.VERCEL_VARIABLE:
            return _variable(create, vercel)
        case _:
            return None


def _branch(create: Resource, neon: Neon) -> Existing | None:
    """Return the branch that is to be adopted; one whose line says what it is cloned from is not."""
    wanted = create.inputs(providers.BranchInputs)
    if wanted.parent_id is not None or isinstance(wanted.project_id, Unknown):
        return None
    for branch in neon.branches(wanted.project_id):
        if branch.name == wanted.name:
            return Existing(create, wanted.project_id, branch.id, _protection(create, wanted, branch))
    return None


def _protection(create: Resource, wanted: providers.BranchInputs, branch: Branch) -> str:
    if not branch.protected or wanted.protected == "yes":
        return ""
    return (
        f"Neon protects {branch.name}, and the stack file doesn't: pulumi up would end the protection. "
        f"To keep it, write protected: true at environments:branches.{create.name}"
    )


def _compute(create: Resource, neon: Neon, branch: BranchId | None) -> Existing | None:
    """Return the compute of `branch`, whose id a preview doesn't know before the branch itself is taken over."""
    wanted = create.inputs(providers.EndpointInputs)
    if branch is None or isinstance(wanted.project_id, Unknown):
        return None
    for compute in neon.endpoints(wanted.project_id, branch):
        if compute.type == wanted.type:
            return Existing(create, wanted.project_id, compute.id)
    return None


def _variable(create: Resource, vercel: Vercel) -> Existing | None:
    """Return the variable. Raises InTheWayError where it can't be taken over."""
    wanted = create.inputs(providers.VariableInputs)
    if isinstance(wanted.project_id, Unknown):
        return None
    variables = vercel.variables(wanted.project_id)
    found = overlapping(variables, key=wanted.key, targets=wanted.targets, git_branch=wanted.git_branch)
    if not found:
        return None
    key, targets = wanted.key, ", ".join(sorted(wanted.targets))
    if managed := [variable for variable in found if variable.managed]:
        raise InTheWayError(
            f"{key} ({managed[0].id}) belongs to an integration, and only the integration can change it. Remove it "
            "from the integration as docs/adoption.md describes; pulumi up then creates it"
        )
    if [sorted(variable.targets) for variable in found] != [sorted(wanted.targets)]:
        has = "; ".join(f"{variable.id} for {', '.join(variable.targets)}" for variable in found)
        raise InTheWayError(
            f"{key} exists as {has}, but this stack writes it for {targets} only. In Vercel's project settings make "
            f"one variable {key} for {targets}, and another one for the rest"
        )
    state = VariableState(
        project_id=wanted.project_id,
        key=key,
        targets=wanted.targets,
        git_branch=wanted.git_branch or None,
        sensitive=found[0].type == "sensitive",
    )
    return Existing(create, wanted.project_id, found[0].id, state=state)
