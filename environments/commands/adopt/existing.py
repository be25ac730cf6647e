"""Which of the things that a stack would create are there already: found by name, and refused if they don't fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from environments.clients.neon import Branch
from environments.clients.vercel import overlapping
from environments.ids import BranchId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from environments.clients.neon import Neon
    from environments.clients.vercel import Vercel

BRANCH = "neon:index/branch:Branch"
ENDPOINT = "neon:index/endpoint:Endpoint"
VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"


class InTheWayError(Exception):
    """Something that is there can't be taken over as it is; nothing was changed."""

    def __init__(self, reasons: Sequence[str]) -> None:
        """Collect every reason, so that one run tells them all."""
        super().__init__("nothing was taken over.\n" + "\n".join(f"  - {reason}" for reason in reasons))


@dataclass(frozen=True)
class Create:
    """A resource that the next `pulumi up` would create; `provider` is the URN of its provider, empty for none."""

    urn: str
    type: str
    custom: bool
    parent: str
    provider: str
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[1]


@dataclass(frozen=True)
class There:
    """A create whose thing is there already: in which project, under which id, and what a user should know of it.

    `state` is how it is, as its provider tells it; None where the provider is to read it.
    """

    create: Create
    project: str
    id: str
    note: str = ""
    state: Mapping[str, Any] | None = None


def creates(preview: Mapping[str, Any]) -> list[Create]:
    """Return what a preview, as JSON, would create, parents first."""
    states = [step["newState"] for step in preview.get("steps", []) if step["op"] == "create"]
    return [
        Create(
            state["urn"],
            state["type"],
            bool(state.get("custom")),
            state.get("parent", ""),
            state.get("provider", "").rpartition("::")[0],
            state.get("inputs", {}),
        )
        for state in states
    ]


def already_there(wanted: Sequence[Create], neon: Neon, vercel: Vercel) -> list[There]:
    """Return those of `wanted` that are there already. Raises InTheWayError for what doesn't fit."""
    found, reasons = [], []
    branches: dict[str, BranchId] = {}
    for create in wanted:
        there: There | str | None = None
        if create.type == BRANCH:
            there = _branch(create, neon)
        elif create.type == ENDPOINT:
            there = _compute(create, neon, branches.get(create.parent))
        elif create.type == VARIABLE:
            there = _variable(create, vercel)
        if isinstance(there, str):
            reasons.append(there)
        elif there:
            found.append(there)
            if create.type == BRANCH:
                branches[create.parent] = BranchId(there.id)
    if reasons:
        raise InTheWayError(reasons)
    return found


def _branch(create: Create, neon: Neon) -> There | None:
    """Return the branch that is to be adopted: one that says what it is cloned from is not."""
    project, name = create.inputs["projectId"], create.inputs["name"]
    if "parentId" in create.inputs:
        return None
    for branch in neon.branches(project):
        if branch.name == name:
            return There(create, project, branch.id, _protection(create, branch))
    return None


def _protection(create: Create, branch: Branch) -> str:
    if not branch.protected or create.inputs.get("protected") == "yes":
        return ""
    return (
        f"Neon protects {branch.name} and the stack file doesn't, so pulumi up would end that: "
        f"write protected: true at environments:branches.{create.name} to keep it"
    )


def _compute(create: Create, neon: Neon, branch: BranchId | None) -> There | None:
    """Return the compute of `branch`, whose id a preview doesn't know before it is taken over itself."""
    if branch is None:
        return None
    project = create.inputs["projectId"]
    for compute in neon.endpoints(project, branch):
        if compute.type == create.inputs["type"]:
            return There(create, project, compute.id)
    return None


def _variable(create: Create, vercel: Vercel) -> There | str | None:
    """Return the variable, or why it can't be taken over."""
    inputs = create.inputs
    found = overlapping(
        vercel.variables(inputs["projectId"]),
        key=inputs["key"],
        targets=inputs["targets"],
        git_branch=inputs.get("gitBranch") or "",
    )
    if not found:
        return None
    key, wanted = inputs["key"], sorted(inputs["targets"])
    if managed := [variable for variable in found if variable.managed]:
        return (
            f"{key} ({managed[0].id}) belongs to an integration, which alone may change it. Take it out of the "
            "integration, as docs/adoption.md says; pulumi up then makes it"
        )
    if [sorted(variable.targets) for variable in found] != [wanted]:
        told = "; ".join(f"{variable.id} for {', '.join(variable.targets)}" for variable in found)
        return (
            f"{key} is there as {told}, and this stack writes it for {', '.join(wanted)} alone. In Vercel's project "
            f"settings have one variable {key} for {', '.join(wanted)}, and another one for the rest"
        )
    sensitive = found[0].type == "sensitive"
    kept = {name: inputs[name] for name in ("key", "projectId", "targets", "gitBranch") if name in inputs}
    return There(create, inputs["projectId"], found[0].id, state=kept | {"sensitive": sensitive})
