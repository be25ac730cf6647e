"""Which of the things that a stack would create exist already and may be adopted, and what is in the way of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from environments.clients import providers
from environments.clients.neon import Branch
from environments.clients.pulumi import Resource, Urn
from environments.clients.vercel import Variable
from environments.commands.comparison.candidates import Candidate, Clouds, candidates, variable_in_the_way
from environments.errors import RefusedError
from environments.ids import BranchId
from environments.props import Unknown


class InTheWayError(RefusedError):
    """Something that exists can't be taken over as it is; nothing was changed."""

    def __init__(self, *reasons: str) -> None:
        """Collect every reason, so that one run names them all."""
        super().__init__("nothing was taken over.\n" + "\n".join(f"  - {reason}" for reason in reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Existing:
    """What is adopted, and what a user should know of it."""

    candidate: Candidate
    note: str = ""


def existing(creates: Sequence[Resource], clouds: Clouds) -> list[Existing]:
    """Return what exists of `creates`. Raises InTheWayError for what doesn't fit."""
    found: list[Existing] = []
    reasons: list[str] = []
    branches: dict[Urn, BranchId] = {}
    for create in creates:
        if not _adoptable(create):
            continue
        fitting = candidates(create, clouds, branches)
        if isinstance(fitting, Unknown) or not fitting:
            continue
        if reason := _in_the_way(create, fitting):
            reasons.append(reason)
            continue
        found.append(Existing(fitting[0], _note(fitting[0])))
        if create.token == providers.NEON_BRANCH:
            branches[create.parent] = BranchId(fitting[0].id)
    if reasons:
        raise InTheWayError(*reasons)
    return found


def _adoptable(create: Resource) -> bool:
    """Tell whether `create` is of a kind that a stack adopts; a branch whose line names its source is not."""
    if create.token == providers.NEON_BRANCH:
        return create.inputs(providers.BranchInputs).parent_id is None
    return create.token in (providers.NEON_ENDPOINT, providers.VERCEL_VARIABLE)


def _in_the_way(create: Resource, fitting: tuple[Candidate, ...]) -> str:
    variables = tuple(one.thing for one in fitting if isinstance(one.thing, Variable))
    return variable_in_the_way(create, variables) if variables else ""


def _note(one: Candidate) -> str:
    """Return that an adopted branch would lose its protection, if it would."""
    if not isinstance(one.thing, Branch) or not one.thing.protected:
        return ""
    if one.create.inputs(providers.BranchInputs).protected == "yes":
        return ""
    return (
        f"Neon protects {one.thing.name}, and the stack file doesn't: pulumi up would end the protection. "
        f"To keep it, write protected: true at environments:branches.{one.create.name}"
    )
