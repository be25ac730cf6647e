"""What an environment serves: a branch of its own, or one of another stack on which it is a guest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components.branch import size
from environments.ids import Transaction
from environments.plan.topology import ForeignBranch, Topology
from environments.resources.app_login import AppLogin
from environments.resources.external_login import ExternalLogin


@dataclass(frozen=True, kw_only=True)
class Served:
    """What is served: a branch, over its compute, with the environment's own login."""

    project: pulumi.Input[str]
    branch: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    login: AppLogin | ExternalLogin
    fork: pulumi.Output[Transaction | None] | str = ""
    copied_from: dict[str, pulumi.Input[Any]] | None = None


def make_guest(topology: Topology, project: pulumi.Input[str], parent: pulumi.Resource) -> ExternalLogin | None:
    """Make what remembers the branches of other stacks that the pointer led to; None where it leads to none."""
    if "development" in topology.vercel_targets:
        return None
    served = topology.served
    foreign = served if isinstance(served, ForeignBranch) else ForeignBranch("", "", None)
    props: dict[str, pulumi.Input[Any]] = {
        "project": project,
        "stack": foreign.stack,
        "name": foreign.name,
        "asked": foreign.id or "",
        "swaps": topology.guard is None or topology.guard.moves == "any",
        "needs": needs(topology),
        "database": topology.database,
        "owner": topology.owner,
        "role": topology.app_role,
        "roles": list(topology.app_roles),
        "generation": topology.credentials,
    }
    return ExternalLogin("guest", props, pulumi.ResourceOptions(parent=parent, protect=not topology.disposable))


def needs(topology: Topology) -> dict[str, Any]:
    """Return what the environment needs of a branch that it serves and doesn't own."""
    return {"stack": topology.stack, "protected": topology.protected, **size(topology.compute)}
