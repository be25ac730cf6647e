"""From topology to resources: the one place that says what waits for what.

The graph is the same for every strategy, and every name in it comes from the domain: changing strategy renames,
replaces and deletes nothing.
"""

from __future__ import annotations

import pulumi
import pulumi_neon as neon
import pulumiverse_vercel as vercel

from components import branch as neon_side
from components import variables as vercel_side
from components.served import Served, make_guest, needs
from environments.ids import BranchKey, Fingerprint, VariableId, VercelProject
from environments.plan.topology import (
    BranchPlan,
    DefaultBranch,
    ExistingProjects,
    ForeignBranch,
    MigrationPlan,
    NoBranch,
    OwnBranch,
    Topology,
)
from environments.program import existing as already_there
from environments.program.own import Inventory, TemporaryBranch, VariableDrift, later, later_id
from environments.resources import inventory, variable_drift
from environments.resources.cutover import Cutover
from environments.resources.deployment import Deployment
from environments.resources.migration import Migration
from environments.resources.ready import Ready


class Environment(pulumi.ComponentResource):
    """One environment: its branches, and the pointer to the one that it serves."""

    def __init__(
        self, name: str, topology: Topology, team: str | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make what the topology says: Branch -> Migration -> Ready -> Deployment -> Cutover -> variables -> VariableDrift.

        The computes of the branches that don't serve come after the cutover: the one that served until now shrinks.
        `team` is the id of the Vercel team that the project belongs to.
        """
        super().__init__("environments:index:Environment", name, None, opts)
        self._topology = topology
        # Not the default provider, so that the plugin starts at once and not when the variables come, last of all.
        # Neon's stays the default: an explicit provider of a parameterized package changes its version with every up.
        self._vercel = vercel.Provider("vercel", team=team)
        self.neon_project, self.vercel_project, self._default_branch = self._projects()
        self._guest = make_guest(topology, self.neon_project, self)
        self._adopted = already_there.adopted_branch(topology.stack)
        self.branches: dict[str, neon_side.Branch] = {}
        for plan in topology.branches:
            self.branches[plan.key] = self._branch(plan)
        self._served = self._open()
        self.migration = self._migration()
        ready = self._ready()
        deployment = self._deployment(ready)
        self.cutover = self._cutover(ready, deployment)
        self._variables()
        for key, branch in self.branches.items():
            if topology.served != OwnBranch(key):
                branch.open(after=[self.cutover])
        self._inventory()
        self.register_outputs({})

    @property
    def expiries(self) -> dict[str, pulumi.Output[str]]:
        """When Neon deletes each branch that is temporary, by its key, in RFC 3339."""
        temporary = {
            key: made.branch for key, made in self.branches.items() if isinstance(made.branch, TemporaryBranch)
        }
        return {key: branch.expires_at for key, branch in temporary.items()}

    def _inventory(self) -> Inventory:
        """Note what the next update has to know of this one, once it is certain that this one is not refused."""
        branches = {BranchKey(plan.key): plan.deletion for plan in self._topology.branches}
        opts = pulumi.ResourceOptions(parent=self, depends_on=[self.cutover, *self.branches.values()])
        return Inventory(self._topology.stack, inventory.Inputs(branches=branches), opts)

    def _projects(self) -> tuple[pulumi.Input[str], pulumi.Input[str], pulumi.Input[str] | None]:
        projects = self._topology.projects
        if isinstance(projects, ExistingProjects):
            return projects.neon, projects.vercel, None
        made = neon_side.make_project(projects, self)
        hosted = vercel_side.make_project(projects, self, self._vercel)
        return made.id, hosted.id, made.default_branch_id

    def _branch(self, plan: BranchPlan) -> neon_side.Branch:
        topology = self._topology
        home: pulumi.Input[str] = self.neon_project
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
        args = neon_side.BranchArgs(
            project=plan.project or self.neon_project,
            source_project=home,
            parent=parent,
            parent_stack=stack,
            parent_name=name,
            parent_is_own=isinstance(plan.parent, OwnBranch),
            plan=plan,
            shareable=topology.guard is None,
            guests=self._guest.kept if self._guest and isinstance(plan.parent, NoBranch) else {},
            database=topology.database,
            owner=topology.owner,
            role=topology.app_role,
            roles=topology.app_roles,
            generation=topology.credentials,
            serves=topology.served == OwnBranch(plan.key),
            hooks=self._adopted if isinstance(plan.parent, NoBranch) else None,
        )
        return neon_side.Branch(plan.key, args, pulumi.ResourceOptions(parent=self))

    def _parent(self, plan: BranchPlan) -> pulumi.Input[str] | None:
        match plan.parent:
            case OwnBranch(name):
                own: pulumi.Output[str] = self.branches[name].branch.id
                return own
            case ForeignBranch(id=id_):
                return id_
            case DefaultBranch():
                return self._default()
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
                    login=branch.access,
                    fork=branch.source.fork,
                    copied_from=branch.copied_from,
                )
            case ForeignBranch():
                if self._guest is None:
                    raise AssertionError("the plan lets no environment without a guest serve another stack's branch")
                guest = self._guest
                return Served(project=self.neon_project, branch=guest.branch, endpoint=guest.endpoint, login=guest)

    def _default(self) -> pulumi.Input[str]:
        if self._default_branch:
            return self._default_branch
        found: pulumi.Output[str] = neon.get_project_output(id=self.neon_project).default_branch_id
        return found

    def _migration(self) -> Migration:
        """Bring the served branch's schema up to date, before anything is proven or built with it."""
        plan = self._topology.migration or MigrationPlan("", "", {})
        return Migration(
            "served",
            project=self._served.project,
            served_name=self._topology.served_name,
            branch=self._served.branch,
            endpoint=self._served.endpoint,
            database=self._topology.database,
            owner=self._topology.owner,
            folder=plan.folder,
            digest=plan.digest,
            settings=dict(plan.settings),
            source=self._topology.own_source,
            at=self._topology.served_at,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._served.login]),
        )

    def _ready(self) -> Ready:
        login = self._served.login
        return Ready(
            "served",
            project=self._served.project,
            served_name=self._topology.served_name,
            branch=self._served.branch,
            endpoint=self._served.endpoint,
            database=self._topology.database,
            owner=self._topology.owner,
            pooled_url=login.pooled_url,
            direct_url=login.direct_url,
            fingerprint=login.fingerprint,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.migration]),
        )

    def _deployment(self, ready: Ready) -> Deployment | None:
        app, login = self._topology.app, self._served.login
        if app is None:
            return None
        return Deployment(
            "served",
            project=self.vercel_project,
            neon=self._served.project,
            path=app.path,
            digest=app.digest,
            branch=self._served.branch,
            pooled_url=login.pooled_url,
            direct_url=login.direct_url,
            fingerprint=login.fingerprint,
            waiting=self.migration.pending if self._waits() else [],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[ready]),
        )

    def _waits(self) -> bool:
        """Tell whether migrations are rehearsed and not run."""
        plan = self._topology.migration
        return bool(plan and plan.settings["stop_after_rehearsal"])

    def _cutover(self, ready: Ready, deployment: Deployment | None) -> Cutover:
        topology, login = self._topology, self._served.login
        app, guard = topology.app, topology.guard
        accepted = (guard and guard.accepted) or ("", 0)
        return Cutover(
            "served",
            {
                "neon": self._served.project,
                "vercel": self.vercel_project,
                "served_name": topology.served_name,
                "pointer": topology.pointer,
                "shuts_logins": topology.shuts_logins,
                "visited": self._guest.visited if self._guest else {},
                "claim": {} if isinstance(topology.served, OwnBranch) else needs(topology),
                "branch": self._served.branch,
                "endpoint": self._served.endpoint,
                "source": topology.own_source,
                "fork": self._served.fork,
                "copy": self._served.copied_from,
                "lsn": topology.served_lsn,
                "restore_point": self.migration.restore_point,
                "database": topology.database,
                "owner": topology.owner,
                "role": topology.app_role,
                "roles": list(topology.app_roles),
                "fingerprint": login.fingerprint,
                "app_url": login.pooled_url,
                "baseline": login.baseline,
                "deployment": deployment.deployment if deployment else "",
                "deployment_url": deployment.url if deployment else "",
                "redeploys": bool(app and not app.path),
                "health_path": app.health_path if app else "",
                "health_status": app.health_status if app else 0,
                "facts": dict(topology.facts),
                "guard": guard
                and {
                    "moves": guard.moves,
                    "live": guard.live,
                    "rows": guard.rows_left_behind,
                    "fence_first": guard.fence_first,
                    "accepted_branch": accepted[0],
                    "accepted_rows": accepted[1],
                },
            },
            pulumi.ResourceOptions(parent=self, depends_on=[ready], protect=not topology.disposable),
        )

    def _variables(self) -> None:
        login, topology = self._served.login, self._topology
        values = {"DATABASE_URL": login.pooled_url, "DATABASE_URL_UNPOOLED": login.direct_url}
        hooks, made = already_there.variable(topology.stack), {}
        for key, value in values.items():
            made[key] = vercel_side.make_variable(
                key,
                value,
                project=self.vercel_project,
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
                    project=later_id(self.vercel_project, VercelProject),
                    variables={key: later_id(variable.id, VariableId) for key, variable in made.items()},
                    values=urls,
                    fingerprint=later_id(login.fingerprint, Fingerprint),
                ),
                pulumi.ResourceOptions(parent=self, protect=not topology.disposable),
            )
