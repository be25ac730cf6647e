"""Neon's side of an environment: its project, and each owned branch with its compute and its credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_neon as neon

from components.topology import BranchPlan, Compute, NewProjects, NoBranch
from resources.access import Access
from resources.origin import Origin


@dataclass(frozen=True, kw_only=True)
class BranchArgs:
    """What one branch is made from, and what the app uses of it."""

    project: pulumi.Input[str]
    parent: pulumi.Input[str | None]
    parent_stack: str
    parent_name: str
    parent_is_own: bool
    plan: BranchPlan
    lends: bool
    guests: pulumi.Input[dict[str, Any]]
    database: str
    owner: str
    role: str
    roles: tuple[str, str]
    generation: int
    serves: bool
    hooks: pulumi.ResourceHookBinding | None


class Branch(pulumi.ComponentResource):
    """One owned branch: where it comes from, its rows, its compute and its app's login."""

    endpoint: neon.Endpoint
    access: Access

    def __init__(self, name: str, args: BranchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the branch; nothing in it is replaced or deleted by any edit but dropping it."""
        super().__init__("environments:neon:Branch", name, None, opts)
        self._name, self._args = name, args
        plan = args.plan
        timestamp, lsn = plan.at
        self.origin = Origin(
            name,
            project=args.project,
            stack=args.parent_stack,
            branch=args.parent_name,
            at=str(timestamp or lsn or ""),
            parent=args.parent,
            own=args.parent_is_own,
            kind=_kind(plan),
            lends=args.lends,
            wanted={"name": plan.name, "protected": plan.protected, "fate": plan.fate, **size(plan.compute)},
            database=args.database,
            owner=args.owner,
            serves=args.serves,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.branch = neon.Branch(
            name,
            project_id=args.project,
            name=plan.name,
            parent_id=args.parent,
            parent_timestamp=timestamp,
            parent_lsn=lsn,
            protected="yes" if plan.protected else None,
            opts=pulumi.ResourceOptions.merge(
                _held(self, plan),
                pulumi.ResourceOptions(
                    depends_on=[self.origin],
                    ignore_changes=["parentId", "parentLsn", "parentTimestamp"],
                    hooks=args.hooks,
                ),
            ),
        )

    def open(self, after: list[pulumi.Resource]) -> None:
        """Give the branch its compute and its login.

        A branch that no longer serves shrinks and suspends, which restarts its compute: `after` is what has to be done
        before that, the cutover to the one that serves.
        """
        args = self._args
        self.endpoint = _endpoint(self._name, args, self.branch.id, self, after)
        self.access = Access(
            self._name,
            project=args.project,
            branch=self.branch.id,
            endpoint=self.endpoint.id,
            database=args.database,
            owner=args.owner,
            role=args.role,
            roles=args.roles,
            generation=args.generation,
            serves=args.serves,
            keep=args.plan.keep_logins,
            adopted=isinstance(args.plan.parent, NoBranch),
            fate=args.plan.fate,
            guests=args.guests,
            opts=_held(self, args.plan),
        )
        self.register_outputs({})


def size(compute: Compute) -> dict[str, float]:
    """Return a compute's size as our own resources take it."""
    return {"min_cu": compute.min_cu, "max_cu": compute.max_cu, "suspend": compute.suspend_seconds}


def _held(parent: pulumi.Resource, plan: BranchPlan) -> pulumi.ResourceOptions:
    """Return how the engine holds on to what a branch is made of, when its line is dropped."""
    kept, released = plan.fate == "kept", plan.fate == "released"
    return pulumi.ResourceOptions(parent=parent, protect=kept, retain_on_delete=released)


def _kind(plan: BranchPlan) -> str:
    if isinstance(plan.parent, NoBranch):
        return "adopted"
    if plan.lifetime is None:
        return "clone"
    return "empty" if plan.schema_only else "temporary"


def make_project(plan: NewProjects, parent: pulumi.Resource) -> neon.Project:
    """Make the Neon project; its default branch stays as Neon makes it, since naming it could replace the project."""
    return neon.Project(
        plan.name,
        name=plan.name,
        region_id=plan.region,
        pg_version=plan.postgres,
        opts=pulumi.ResourceOptions(parent=parent, protect=True, retain_on_delete=True),
    )


def _endpoint(
    name: str, args: BranchArgs, branch: pulumi.Input[str], parent: pulumi.Resource, after: list[pulumi.Resource]
) -> neon.Endpoint:
    compute = args.plan.compute
    return neon.Endpoint(
        name,
        project_id=args.project,
        branch_id=branch,
        type="read_write",
        autoscaling_limit_min_cu=compute.min_cu,
        autoscaling_limit_max_cu=compute.max_cu,
        suspend_timeout_seconds=compute.suspend_seconds,
        opts=pulumi.ResourceOptions.merge(_held(parent, args.plan), pulumi.ResourceOptions(depends_on=after)),
    )
