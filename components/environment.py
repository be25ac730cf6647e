"""From topology to resources: the one place that says what waits for what.

The graph is the same for every strategy, and every name in it comes from the domain: changing strategy renames,
replaces and deletes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pulumi
import pulumiverse_vercel as vercel

from components.branch import Branch, BranchArgs
from components.projects import make_projects
from components.served import Served, make_external_login, needs
from components.variables import make_variable
from environments.clients.neon import Address
from environments.cutover.pointer import BranchToServe, HealthCheck, Lineage, Pointer, StagedDeployment
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    EndpointId,
    Fingerprint,
    Lsn,
    NeonProject,
    RoleName,
    Transaction,
    VariableId,
    VercelProject,
)
from environments.plan.topology import (
    BranchPlan,
    DefaultBranch,
    ForeignBranch,
    NoBranch,
    OwnBranch,
    Topology,
)
from environments.program import existing, kept
from environments.program.own import (
    AppLogin,
    Cutover,
    Deployment,
    Inventory,
    Migration,
    Ready,
    TemporaryBranch,
    VariableDrift,
    later,
    later_id,
)
from environments.resources import deployment, inventory, migration, ready, variable_drift


class Environment(pulumi.ComponentResource):
    """One environment: its branches, and the pointer to the one that it serves."""

    def __init__(
        self, name: str, topology: Topology, team: str | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make what the topology says, in the order that environments.plan.topology draws.

        The computes of the branches that don't serve come after the cutover: the one that served until now shrinks.
        `team` is the id of the Vercel team that the project belongs to.
        """
        super().__init__("environments:index:Environment", name, None, opts)
        self._topology = topology
        # Not the default provider, so that the plugin starts at once and not when the variables come, last of all.
        # Neon's stays the default: an explicit provider of a parameterized package changes its version with every up.
        self._vercel = vercel.Provider("vercel", team=team)
        self._existing = existing.Existing()
        self._projects = make_projects(topology.projects, self, self._vercel, self._existing)
        self._external = make_external_login(topology, self._projects.neon_project, self)
        self._kept = kept.kept_branch()
        self.branches: dict[str, Branch] = {}
        for plan in topology.branches:
            self.branches[plan.key] = self._branch(plan)
        self._served = self._open()
        self.migration = self._migration()
        ready = self._ready()
        deployment = self._deployment(ready)
        self.cutover = self._cutover(ready, deployment)
        variables = self._variables()
        for key, branch in self.branches.items():
            if topology.served != OwnBranch(key):
                branch.open(after=[self.cutover])
        self._inventory(after=[self.cutover, *self.branches.values(), *variables, *filter(None, [self._external])])
        self.register_outputs({})

    @property
    def exports(self) -> dict[str, pulumi.Input[Any]]:
        """What this stack exports. Other stacks read `projects` and `branches`; the rest is for people."""
        return {
            "projects": {"neon": self._projects.neon_project, "vercel": self._projects.vercel_project},
            "branches": {key: branch.branch.id for key, branch in self.branches.items()},
            "expires": self._expiries() or None,
            "served": self.cutover.served,
            "way_back": self.migration.way_back,
            "domain": self.cutover.domain,
        }

    def _expiries(self) -> dict[str, pulumi.Output[str]]:
        """Return when Neon deletes each branch that is temporary, by its key, in RFC 3339."""
        made = {key: branch.branch for key, branch in self.branches.items()}
        return {key: branch.expires_at for key, branch in made.items() if isinstance(branch, TemporaryBranch)}

    def _inventory(self, after: Sequence[pulumi.Resource]) -> Inventory:
        """Note what the next update has to know of this one, once it is certain that this one is not refused.

        A destroy goes the other way: the inventory refuses it before the engine deletes anything else.
        """
        branches = {BranchKey(plan.key): plan.deletion for plan in self._topology.branches}
        listed = {BranchKey(key): branch.listed for key, branch in self.branches.items()}
        # An earlier version called it by its stack, which may be renamed: the old one would be deleted, and refuse.
        opts = pulumi.ResourceOptions(
            parent=self,
            depends_on=after,
            aliases=[pulumi.Alias(name=self._topology.stack)],
        )
        return Inventory("inventory", inventory.Inputs(branches=branches, listed=listed), opts)

    def _branch(self, plan: BranchPlan) -> Branch:
        topology = self._topology
        home: pulumi.Input[str] = self._projects.neon_project
        stack, parent = topology.stack, self._parent(plan)
        match plan.parent:
            case OwnBranch(name):
                home = self.branches[name].project
            case ForeignBranch(stack, name):
                pass
            case DefaultBranch():
                name = "the default branch"
            case NoBranch():
                name = ""
        args = BranchArgs(
            project=plan.project or self._projects.neon_project,
            source_project=home,
            parent=parent,
            parent_stack=stack,
            parent_name=name,
            parent_is_own=isinstance(plan.parent, OwnBranch),
            plan=plan,
            shareable=topology.guard is None,
            external_logins=later(self._external.kept) if self._external and isinstance(plan.parent, NoBranch) else {},
            database=topology.database,
            owner=topology.owner,
            role=topology.app_role,
            roles=topology.app_roles,
            generation=topology.credentials,
            serves=topology.served == OwnBranch(plan.key),
            adopted=isinstance(plan.parent, NoBranch),
            existing=self._existing,
            kept=self._kept,
        )
        return Branch(plan.key, args, pulumi.ResourceOptions(parent=self))

    def _parent(self, plan: BranchPlan) -> pulumi.Input[str] | None:
        match plan.parent:
            case OwnBranch(name):
                own: pulumi.Output[str] = self.branches[name].branch.id
                return own
            case ForeignBranch(id=id_):
                return id_
            case DefaultBranch():
                return self._projects.default_branch
            case NoBranch():
                return None

    def _open(self) -> Served:
        """Give the served branch its compute and its login, before anything else gets one; return it."""
        match self._topology.served:
            case OwnBranch(name):
                branch = self.branches[name]
                branch.open(after=[])
                return Served(
                    project=branch.project,
                    branch=branch.branch.id,
                    endpoint=branch.endpoint.id,
                    login=branch.login,
                    fork=branch.source.fork,
                    copied_from=branch.copied_from,
                )
            case ForeignBranch():
                if self._external is None:
                    raise AssertionError("the plan lets no environment of developers serve another stack's branch")
                login = self._external
                project = self._projects.neon_project
                return Served(project=project, branch=login.branch, endpoint=login.endpoint, login=login)

    def _migration(self) -> Migration:
        """Bring the served branch's schema up to date, before anything is proven or built with it."""
        topology = self._topology
        inputs = migration.Inputs(
            key=BranchKey(topology.served_name),
            project=later_id(self._served.project, NeonProject),
            branch=later_id(self._served.branch, BranchId),
            endpoint=later_id(self._served.endpoint, EndpointId),
            database=DatabaseName(topology.database),
            owner=RoleName(topology.owner),
            migrations=topology.migration,
            source=BranchKey(topology.own_source),
            at=topology.served_at,
            roles=(RoleName(topology.app_roles[0]), RoleName(topology.app_roles[1])),
        )
        return Migration("served", inputs, pulumi.ResourceOptions(parent=self, depends_on=[self._served.login]))

    def _ready(self) -> Ready:
        login = self._served.login
        return Ready(
            "served",
            ready.Inputs(
                name=BranchKey(self._topology.served_name),
                address=Address(
                    later_id(self._served.project, NeonProject),
                    later_id(self._served.branch, BranchId),
                    later_id(self._served.endpoint, EndpointId),
                    DatabaseName(self._topology.database),
                    RoleName(self._topology.owner),
                ),
                pooled_url=later(login.pooled_url),
                direct_url=later(login.direct_url),
                fingerprint=later(login.fingerprint),
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[self.migration]),
        )

    def _deployment(self, ready: Ready) -> Deployment | None:
        app, login = self._topology.app, self._served.login
        if app is None:
            return None
        return Deployment(
            "served",
            deployment.Inputs(
                project=later_id(self._projects.vercel_project, VercelProject),
                neon_project=later_id(self._served.project, NeonProject),
                path=app.path,
                digest=app.digest,
                branch=later_id(self._served.branch, BranchId),
                pooled_url=later(login.pooled_url),
                direct_url=later(login.direct_url),
                fingerprint=later_id(login.fingerprint, Fingerprint),
                waiting=cast("tuple[str, ...]", later(self.migration.pending)) if self._waits() else (),
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[ready]),
        )

    def _waits(self) -> bool:
        """Tell whether migrations are rehearsed and not run."""
        plan = self._topology.migration
        return bool(plan and plan.settings.stop_after_rehearsal)

    def _cutover(self, ready: Ready, deployment: Deployment | None) -> Cutover:
        topology, login, served = self._topology, self._served.login, self._served
        own, app = isinstance(topology.served, OwnBranch), topology.app
        branch = BranchToServe(
            key=BranchKey(topology.served_name),
            project=later_id(served.project, NeonProject),
            id=later_id(served.branch, BranchId),
            endpoint=later_id(served.endpoint, EndpointId),
            database=DatabaseName(topology.database),
            owner=RoleName(topology.owner),
            role=RoleName(topology.app_role),
            roles=(RoleName(topology.app_roles[0]), RoleName(topology.app_roles[1])),
            fingerprint=later_id(login.fingerprint, Fingerprint),
            baseline=later_id(login.baseline, Transaction),
            claim=None if own else needs(topology),
            keeps_logins=topology.keeps_logins,
            shut_out=later(login.shut_out) if isinstance(login, AppLogin) else (),
        )
        staged = (
            StagedDeployment(
                id=later_id(deployment.deployment, DeploymentId),
                url=later(deployment.url),
                redeploys=not app.path,
                health=HealthCheck(path=app.health_path, status=app.health_status, database=app.health_database),
            )
            if deployment and app
            else None
        )
        pointer = Pointer(
            vercel=later_id(self._projects.vercel_project, VercelProject),
            serve=topology.pointer,
            branch=branch,
            lineage=Lineage(
                source=BranchKey(topology.own_source) if topology.own_source else None,
                fork=None if served.fork is None else later(served.fork),
                lsn=Lsn(topology.served_lsn) if topology.served_lsn else None,
                copy=served.copied_from,
            ),
            restore_point=later(self.migration.restore_point),
            app_url=later(login.pooled_url),
            deployment=staged,
            shuts_logins=topology.shuts_logins,
            visited=later(self._external.visited) if self._external else {},
            summary=topology.summary,
            guard=topology.guard,
        )
        held = pulumi.ResourceOptions(parent=self, depends_on=[ready], protect=not topology.disposable)
        return Cutover("served", pointer, held)

    def _variables(self) -> list[pulumi.Resource]:
        """Make the target's variables, and what watches them."""
        login, topology = self._served.login, self._topology
        values = {"DATABASE_URL": login.pooled_url, "DATABASE_URL_UNPOOLED": login.direct_url}
        hooks, made = self._existing.variable, {}
        for key, value in values.items():
            made[key] = make_variable(
                key,
                value,
                project=self._projects.vercel_project,
                targets=topology.vercel_targets,
                git_branch=topology.git_branch,
                sensitive=topology.sensitive,
                protect=not topology.disposable,
                opts=pulumi.ResourceOptions(parent=self, provider=self._vercel, depends_on=[self.cutover], hooks=hooks),
            )
        if topology.sensitive:
            urls = {key: later(value) for key, value in values.items()}
            VariableDrift(
                "served",
                variable_drift.Inputs(
                    project=later_id(self._projects.vercel_project, VercelProject),
                    variables={key: later_id(variable.id, VariableId) for key, variable in made.items()},
                    values=urls,
                    fingerprint=later(login.fingerprint),
                ),
                pulumi.ResourceOptions(parent=self, protect=not topology.disposable),
            )
        return list(made.values())
