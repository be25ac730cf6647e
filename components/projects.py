"""The two projects that an environment lies in: Neon's and Vercel's."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_neon as neon
import pulumiverse_vercel as vercel

from environments.plan.topology import ExistingProjects, NewProjects
from environments.program.existing import Existing


@dataclass(frozen=True, kw_only=True)
class Projects:
    """The ids of both projects, and of the branch that Neon made with its own, where this stack makes the projects."""

    neon_project: pulumi.Input[str]
    vercel_project: pulumi.Input[str]
    made_with: pulumi.Input[str] | None = None

    @property
    def default_branch(self) -> pulumi.Input[str]:
        """The id of the Neon project's default branch; Neon is asked for it where the project is not this stack's."""
        if self.made_with is not None:
            return self.made_with
        found: pulumi.Output[str] = neon.get_project_output(id=self.neon_project).default_branch_id
        return found


def make_projects(
    plan: NewProjects | ExistingProjects, parent: pulumi.Resource, provider: vercel.Provider, existing: Existing
) -> Projects:
    """Make both projects, or take the ones that exist."""
    if isinstance(plan, ExistingProjects):
        return Projects(neon_project=plan.neon, vercel_project=plan.vercel)
    made = _neon_project(plan, parent, existing.neon_project)
    hosted = _vercel_project(plan, parent, provider, existing.vercel_project)
    return Projects(neon_project=made.id, vercel_project=hosted.id, made_with=made.default_branch_id)


def _neon_project(plan: NewProjects, parent: pulumi.Resource, hooks: pulumi.ResourceHookBinding) -> neon.Project:
    """Make the Neon project; its default branch stays as Neon makes it, since naming it could replace the project."""
    return neon.Project(
        plan.name,
        name=plan.name,
        region_id=plan.region,
        pg_version=plan.postgres,
        opts=pulumi.ResourceOptions(parent=parent, protect=True, retain_on_delete=True, hooks=hooks),
    )


def _vercel_project(
    plan: NewProjects, parent: pulumi.Resource, provider: vercel.Provider, hooks: pulumi.ResourceHookBinding
) -> vercel.Project:
    """Make the Vercel project, with production deployments staged until they are promoted."""
    return vercel.Project(
        plan.name,
        name=plan.name,
        auto_assign_custom_domains=False,
        opts=pulumi.ResourceOptions(parent=parent, provider=provider, protect=True, retain_on_delete=True, hooks=hooks),
    )
