"""From topology to resources: the one place that says what waits for what.

The graph is the same for every strategy, and every name in it comes from the domain: changing strategy renames,
replaces and deletes nothing.
"""

from __future__ import annotations

import pulumi
import pulumi_neon as neon
import pulumiverse_vercel as vercel

from components import neon as neon_side
from components import vercel as vercel_side
from components.topology import BranchPlan, DefaultBranch, ExistingProjects, ForeignBranch, OwnBranch, Topology
from resources.cutover import Cutover
from resources.deployment import Deployment
from resources.ready import Ready


class Environment(pulumi.ComponentResource):
    """One environment: its branches, and the pointer to the one that it serves."""

    def __init__(
        self, name: str, topology: Topology, team: str | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make what the topology says, in the order Branch -> Ready -> Deployment -> Cutover -> variables.

        The computes of the branches that don't serve come after the cutover: the one that served until now shrinks.
        `team` is the id of the Vercel team that the project belongs to.
        """
        super().__init__("environments:index:Environment", name, None, opts)
        self._topology = topology
        # Not the default provider, so that the plugin starts at once and not when the variables come, last of all.
        # Neon's stays the default: an explicit provider of a parameterized package changes its version with every up.
        self._vercel = vercel.Provider("vercel", team=team)
        self.neon_project, self.vercel_project, self._default_branch = self._projects()
        self.branches: dict[str, neon_side.Branch] = {}
        for plan in topology.branches:
            self.branches[plan.name] = self._branch(plan)
        self._served = self.branches[topology.served]
        self._served.open(after=[])
        ready = self._ready()
        deployment = self._deployment(ready)
        self.cutover = self._cutover(ready, deployment)
        self._variables()
        for branch in self.branches.values():
            if branch is not self._served:
                branch.open(after=[self.cutover])
        self.register_outputs({})

    def _projects(self) -> tuple[pulumi.Input[str], pulumi.Input[str], pulumi.Input[str] | None]:
        projects = self._topology.projects
        if isinstance(projects, ExistingProjects):
            return projects.neon, projects.vercel, None
        made = neon_side.make_project(projects, self)
        hosted = vercel_side.make_project(projects, self, self._vercel)
        return made.id, hosted.id, made.default_branch_id

    def _branch(self, plan: BranchPlan) -> neon_side.Branch:
        stack = self._topology.stack
        parent: pulumi.Input[str | None]
        home = self.neon_project
        match plan.parent:
            case OwnBranch(name):
                parent, home = self.branches[name].branch.id, self.branches[name].project
            case ForeignBranch(stack, name, id):
                parent = id
            case DefaultBranch():
                name, parent = "the default branch", self._default()
        args = neon_side.BranchArgs(
            project=plan.project or self.neon_project,
            source_project=home,
            parent=parent,
            parent_stack=stack,
            parent_name=name,
            parent_is_own=isinstance(plan.parent, OwnBranch),
            plan=plan,
            database=self._topology.database,
            owner=self._topology.owner,
            role=self._topology.app_role,
            roles=self._topology.app_roles,
            generation=self._topology.credentials,
            serves=plan.name == self._topology.served,
        )
        return neon_side.Branch(plan.name, args, pulumi.ResourceOptions(parent=self))

    def _default(self) -> pulumi.Input[str]:
        return self._default_branch or neon.get_project_output(id=self.neon_project).default_branch_id

    def _ready(self) -> Ready:
        access = self._served.access
        return Ready(
            "served",
            project=self._served.project,
            served_name=self._topology.served,
            branch=self._served.branch.id,
            endpoint=self._served.endpoint.id,
            database=self._topology.database,
            owner=self._topology.owner,
            pooled_url=access.pooled_url,
            direct_url=access.direct_url,
            fingerprint=access.fingerprint,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _deployment(self, ready: Ready) -> Deployment | None:
        app, access = self._topology.app, self._served.access
        if app is None:
            return None
        return Deployment(
            "served",
            project=self.vercel_project,
            neon=self._served.project,
            path=app.path,
            digest=app.digest,
            branch=self._served.branch.id,
            pooled_url=access.pooled_url,
            direct_url=access.direct_url,
            fingerprint=access.fingerprint,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[ready]),
        )

    def _cutover(self, ready: Ready, deployment: Deployment | None) -> Cutover:
        topology, access = self._topology, self._served.access
        app, guard = topology.app, topology.guard
        accepted = (guard and guard.accepted) or ("", 0)
        return Cutover(
            "served",
            {
                "neon": self._served.project,
                "vercel": self.vercel_project,
                "served_name": topology.served,
                "branch": self._served.branch.id,
                "endpoint": self._served.endpoint.id,
                "source": topology.own_source,
                "fork": self._served.origin.fork,
                "copy": self._served.copied_from,
                "database": topology.database,
                "owner": topology.owner,
                "role": topology.app_role,
                "roles": list(topology.app_roles),
                "fingerprint": access.fingerprint,
                "app_url": access.pooled_url,
                "baseline": access.baseline,
                "deployment": deployment.deployment if deployment else "",
                "deployment_url": deployment.url if deployment else "",
                "redeploys": bool(app and not app.path),
                "health_path": app.health_path if app else "",
                "health_status": app.health_status if app else 0,
                "facts": dict(topology.facts),
                "guard": guard
                and {
                    "live": guard.live,
                    "rows": guard.rows_left_behind,
                    "fence_first": guard.fence_first,
                    "accepted_branch": accepted[0],
                    "accepted_rows": accepted[1],
                },
            },
            pulumi.ResourceOptions(parent=self, depends_on=[ready], protect=True),
        )

    def _variables(self) -> None:
        access, topology = self._served.access, self._topology
        for key, value in (("DATABASE_URL", access.pooled_url), ("DATABASE_URL_UNPOOLED", access.direct_url)):
            vercel_side.make_variable(
                key,
                value,
                project=self.vercel_project,
                targets=topology.vercel_targets,
                sensitive=topology.sensitive,
                opts=pulumi.ResourceOptions(parent=self, provider=self._vercel, depends_on=[self.cutover]),
            )
