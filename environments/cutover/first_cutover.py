"""The first cutover takes the domain from what serves it already, if anything does: what that means for its rows.

Which database a deployment uses can't be asked of Vercel. A deployment of this program bears its branch in its `meta`,
and an app may name it in the answer to the health check; of any other a person has to say that it may go.
"""

from __future__ import annotations

from dataclasses import dataclass

from environments.clients.vercel import Vercel, visit
from environments.cutover.deployment_marks import DeploymentMarks
from environments.cutover.pointer import Pointer
from environments.ids import BranchId, DeploymentId
from environments.plan.topology import ANY_ROWS
from environments.props import Unknown


@dataclass(frozen=True)
class DomainHolder:
    """The deployment that has the domain, and the id of the branch that it uses, None if that isn't known.

    One that is not `ours` connects with a login that was there before.
    """

    deployment: DeploymentId
    domain: str
    branch: BranchId | None
    ours: bool


def domain_holder(new: Pointer) -> DomainHolder | None:
    """Return what has the domain of a pointer that leads nowhere yet, or None."""
    if isinstance(new.vercel, Unknown):
        return None
    with Vercel() as vercel:
        domain = vercel.domain(new.vercel)
        serving = vercel.serving(domain)
        if serving is None:
            return None
        ours = DeploymentMarks.of(vercel.deployment(serving).meta).branch
    path = new.deployment.health.path if new.deployment else ""
    branch = ours or (visit(domain, path).branch if path else None)
    return DomainHolder(serving, domain, branch, ours is not None)


def first_refusal(new: Pointer, holder: DomainHolder | None) -> str:
    """Return why the domain may not be taken from what has it, or nothing."""
    if holder is None:
        return ""
    now, who = new.branch.key, f"{holder.deployment}, which serves {holder.domain} now,"
    if not holder.ours and holder.branch in (None, new.branch.id) and new.shuts_logins:
        return (
            f"{who} would lose its login before the domain has moved: write logins: keep at "
            f"environments:branches.{now}, and take that out again once {now} serves"
        )
    if holder.branch == new.branch.id or _is_accepted(new, holder):
        return ""
    accept = f'pulumi config set accept \'{{"branch": "{holder.deployment}", "rows": "any"}}\''
    if holder.branch:
        # Only what we noted at Vercel ourselves is repeated; an app may answer with anything.
        which = f"branch {holder.branch}" if holder.ours else f"another branch than {now}, by its health check"
        return (
            f"{who} uses {which}: the rows that visitors wrote to it would be left behind, and how "
            f"many those are isn't known here. To take the domain all the same: {accept}"
        )
    return (
        f"{who} doesn't tell which database it uses. If that is {now}, nothing is left behind; of any other one the "
        f"rows that visitors wrote would be. To take the domain: {accept}"
    )


def _is_accepted(new: Pointer, holder: DomainHolder) -> bool:
    accepted = new.guard.accepted if new.guard else None
    return accepted is not None and accepted.branch == holder.deployment and accepted.rows == ANY_ROWS
