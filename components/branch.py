"""One owned branch: where it comes from, its rows, its compute and its app's login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_neon as neon

from environments.branches.dropped import Listed
from environments.branches.source import Kind, Source, WantedBranch
from environments.clients.neon import Address
from environments.cutover.pointer import CopiedFrom
from environments.database.login import KeptLogin
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    EndpointId,
    Lsn,
    NeonProject,
    RoleName,
    StackName,
)
from environments.plan.topology import BranchPlan, NoBranch
from environments.program.existing import Existing
from environments.program.own import AppLogin, BranchSource, TemporaryBranch, Transfer, later, later_id
from environments.resources import app_login, branch_source, temporary_branch, transfer


@dataclass(frozen=True, kw_only=True)
class BranchArgs:
    """What one branch is made from, and what the app uses of it."""

    project: pulumi.Input[str]
    source_project: pulumi.Input[str]
    parent: pulumi.Input[str] | None
    parent_stack: str
    parent_name: str
    parent_is_own: bool
    plan: BranchPlan
    shareable: bool
    external_logins: Mapping[BranchId, KeptLogin]
    database: str
    owner: str
    role: str
    roles: tuple[str, str]
    generation: int
    serves: bool
    adopted: bool
    existing: Existing
    kept: pulumi.ResourceHookBinding


class Branch(pulumi.ComponentResource):
    """One owned branch: where it comes from, its rows, its compute and its app's login."""

    source: BranchSource
    branch: neon.Branch | TemporaryBranch
    endpoint: neon.Endpoint
    transfer: Transfer | None = None
    login: AppLogin

    def __init__(self, name: str, args: BranchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the branch; nothing in it is replaced or deleted by any edit but dropping it."""
        super().__init__("environments:neon:Branch", name, None, opts)
        self._name, self._args = name, args
        self.project = args.project
        self.source = self._settle()
        temporary = args.plan.lifetime is not None
        self.branch = _temporary(self, name, args) if temporary else _permanent(self, name, args)

    @property
    def copied_from(self) -> CopiedFrom | None:
        """What a cutover has to know of a branch that was filled by dump and restore; None for a clone."""
        if self.transfer is None:
            return None
        source = cast("BranchId | None", self._args.parent)
        return CopiedFrom(source_branch=source, seconds=later(self.transfer.seconds))

    @property
    def address(self) -> Address:
        """Where the branch's database is, once the branch has its compute."""
        return Address(
            later_id(self.project, NeonProject),
            later_id(self.branch.id, BranchId),
            later_id(self.endpoint.id, EndpointId),
            DatabaseName(self._args.database),
            RoleName(self._args.owner),
        )

    def open(self, after: list[pulumi.Resource]) -> None:
        """Give the branch its compute and its login.

        A branch that no longer serves shrinks and suspends, which restarts its compute: `after` is what has to be done
        before that, the cutover to the one that serves.
        """
        args = self._args
        self.endpoint = _endpoint(self._name, args, self.branch, self, after)
        if args.plan.copied:
            self.transfer = self._fill(self.endpoint)
        self.login = AppLogin(
            self._name,
            app_login.Inputs(
                address=self.address,
                role=RoleName(args.role),
                roles=(RoleName(args.roles[0]), RoleName(args.roles[1])),
                generation=args.generation,
                serves=args.serves,
                keep_logins=args.plan.keep_logins,
                adopted=isinstance(args.plan.parent, NoBranch),
                deletion=args.plan.deletion,
                external_logins=args.external_logins,
                key=BranchKey(self._name),
            ),
            pulumi.ResourceOptions.merge(
                _held(self, args),
                pulumi.ResourceOptions(depends_on=[self.transfer] if self.transfer is not None else []),
            ),
        )
        self.register_outputs({})

    @property
    def listed(self) -> Listed:
        """What the environment's inventory keeps of the branch."""
        return Listed(
            project=later_id(self.project, NeonProject),
            id=later_id(self.branch.id, BranchId),
            source=_source(self._args),
            wanted=_wanted(self._args.plan),
        )

    def _settle(self) -> BranchSource:
        args, plan = self._args, self._args.plan
        inputs = branch_source.Inputs(
            name=BranchKey(self._name),
            project=later_id(args.project, NeonProject),
            source=_source(args),
            parent=_parent(args),
            own=args.parent_is_own and not plan.copied,
            wanted=_wanted(plan),
            shareable=args.shareable,
            serves=args.serves,
            database=DatabaseName(args.database),
            owner=RoleName(args.owner),
        )
        return BranchSource(self._name, inputs, pulumi.ResourceOptions(parent=self))

    def _fill(self, endpoint: neon.Endpoint) -> Transfer:
        args = self._args
        source = transfer.Source(
            name=BranchKey(args.parent_name),
            project=later_id(args.source_project, NeonProject),
            branch=_parent(args),
        )
        target = transfer.Target(
            name=BranchKey(self._name),
            project=later_id(args.project, NeonProject),
            branch=later_id(self.branch.id, BranchId),
            endpoint=later_id(endpoint.id, EndpointId),
        )
        inputs = transfer.Inputs(
            source=source, target=target, database=DatabaseName(args.database), owner=RoleName(args.owner)
        )
        return Transfer(self._name, inputs, pulumi.ResourceOptions(parent=self))


def _held(parent: pulumi.Resource, args: BranchArgs) -> pulumi.ResourceOptions:
    """Return how the engine holds on to what a branch is made of, when its line is dropped."""
    kept, released = args.plan.deletion == "retain", args.plan.deletion == "orphan"
    return pulumi.ResourceOptions(
        parent=parent, protect=kept, retain_on_delete=released, hooks=args.kept if kept else None
    )


def _source(args: BranchArgs) -> Source:
    timestamp, lsn = args.plan.at
    return Source(
        stack=StackName(args.parent_stack),
        branch=BranchKey(args.parent_name),
        at=str(timestamp or lsn or ""),
        kind=_kind(args.plan),
    )


def _wanted(plan: BranchPlan) -> WantedBranch:
    return WantedBranch(
        name=plan.name,
        min_cu=plan.compute.min_cu,
        max_cu=plan.compute.max_cu,
        suspend_seconds=plan.compute.suspend_seconds,
        protected=plan.protected,
        deletion=plan.deletion,
    )


def _kind(plan: BranchPlan) -> Kind:
    if isinstance(plan.parent, NoBranch):
        return "adopted"
    if plan.lifetime is None:
        return "dump" if plan.copied else "clone"
    return "schema-only" if plan.schema_only else "temporary"


def _parent(args: BranchArgs) -> BranchId | None:
    return None if args.parent is None else later_id(args.parent, BranchId)


def _permanent(parent: Branch, name: str, args: BranchArgs) -> neon.Branch:
    plan, (timestamp, lsn) = args.plan, args.plan.at
    settled = ["parentId", "parentLsn", "parentTimestamp"]
    hooks = args.existing.adopted_branch if args.adopted else args.existing.branch
    return neon.Branch(
        name,
        project_id=args.project,
        name=plan.name,
        parent_id=neon.get_project_output(id=args.project).default_branch_id if plan.copied else args.parent,
        parent_timestamp=timestamp,
        parent_lsn=lsn,
        protected="yes" if plan.protected else None,
        opts=pulumi.ResourceOptions.merge(
            _held(parent, args),
            pulumi.ResourceOptions(depends_on=[parent.source], ignore_changes=settled, hooks=hooks),
        ),
    )


def _temporary(parent: Branch, name: str, args: BranchArgs) -> TemporaryBranch:
    plan, (timestamp, lsn) = args.plan, args.plan.at
    inputs = temporary_branch.Inputs(
        project=later_id(args.project, NeonProject),
        name=plan.name,
        source=temporary_branch.Source(
            description=f"{args.parent_name} (stack {args.parent_stack})",
            parent=_parent(args),
            timestamp=timestamp,
            lsn=None if lsn is None else Lsn(lsn),
            schema_only=plan.schema_only,
        ),
        lifetime=plan.lifetime or 0,
        database=DatabaseName(args.database),
        owner=RoleName(args.owner),
    )
    options = pulumi.ResourceOptions(depends_on=[parent.source])
    return TemporaryBranch(name, inputs, pulumi.ResourceOptions.merge(_held(parent, args), options))


def _endpoint(
    name: str, args: BranchArgs, branch: neon.Branch | TemporaryBranch, parent: Branch, after: list[pulumi.Resource]
) -> neon.Endpoint:
    compute = args.plan.compute
    # Neon deletes the compute of a branch that has expired, and the provider fails to delete what is gone.
    with_it = None if args.plan.lifetime is None else branch
    options = pulumi.ResourceOptions(depends_on=after, deleted_with=with_it, hooks=args.existing.compute)
    return neon.Endpoint(
        name,
        project_id=args.project,
        branch_id=branch.id,
        type="read_write",
        autoscaling_limit_min_cu=compute.min_cu,
        autoscaling_limit_max_cu=compute.max_cu,
        suspend_timeout_seconds=compute.suspend_seconds,
        opts=pulumi.ResourceOptions.merge(_held(parent, args), options),
    )
