"""What an environment serves: a branch of its own, or one of another stack, with a login of its own there."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from environments.cutover.pointer import CopiedFrom
from environments.database.marker import Claim
from environments.ids import BranchId, BranchKey, DatabaseName, NeonProject, RoleName, StackName, Transaction
from environments.plan.topology import ForeignBranch, Topology
from environments.program.own import AppLogin, ExternalLogin, later_id
from environments.resources import external_login


@dataclass(frozen=True, kw_only=True)
class Served:
    """What is served: a branch, over its compute, with the environment's own login."""

    project: pulumi.Input[str]
    branch: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    login: AppLogin | ExternalLogin
    fork: pulumi.Output[Transaction | None] | None = None
    copied_from: CopiedFrom | None = None


def make_external_login(
    topology: Topology, project: pulumi.Input[str], parent: pulumi.Resource
) -> ExternalLogin | None:
    """Make what remembers the logins on other stacks' branches; None if the pointer can't lead to one."""
    if "development" in topology.vercel_targets:
        return None
    serve, (first, second) = topology.served, topology.app_roles
    inputs = external_login.Inputs(
        project=later_id(project, NeonProject),
        serve=_external_branch(serve) if isinstance(serve, ForeignBranch) else None,
        may_swap=topology.guard is None or topology.guard.moves == "any",
        needs=needs(topology),
        database=DatabaseName(topology.database),
        owner=RoleName(topology.owner),
        role=RoleName(topology.app_role),
        roles=(RoleName(first), RoleName(second)),
        generation=topology.credentials,
    )
    return ExternalLogin("external", inputs, pulumi.ResourceOptions(parent=parent, protect=not topology.disposable))


def needs(topology: Topology) -> Claim:
    """Return what the environment needs of a branch that it serves and doesn't own."""
    compute = topology.compute
    sizes = float(compute.min_cu), float(compute.max_cu), compute.suspend_seconds
    return Claim(StackName(topology.stack), *sizes, topology.protected)


def _external_branch(served: ForeignBranch) -> external_login.ExternalBranch:
    return external_login.ExternalBranch(
        stack=StackName(served.stack),
        name=BranchKey(served.name),
        exported=BranchId(served.id) if served.id else None,
    )
