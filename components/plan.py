"""From settings to topology: pure, so that every refusal comes before the engine is asked for anything."""

from __future__ import annotations

import re
from collections.abc import Mapping

from components.facts import facts
from components.lineage import home, lineage_problems, own_parent, parents_first
from components.settings import BranchSettings, Problem, Settings, SettingsError
from components.settings.model import DEFAULT_SUSPEND, SMALLEST_CU
from components.strategies import pointer_problems
from components.topology import (
    ANY_ROWS,
    AppPlan,
    BranchPlan,
    Compute,
    DefaultBranch,
    ExistingProjects,
    ForeignBranch,
    Guard,
    NewProjects,
    OwnBranch,
    Parent,
    StackExports,
    Topology,
)

_VERCEL_TARGETS = {"production": ("production",), "development": ("development", "preview")}
_LONGEST_ROLE = 63

RESTING = Compute(SMALLEST_CU, SMALLEST_CU, DEFAULT_SUSPEND)
"""The compute of a branch that doesn't serve: it costs next to nothing, and is there when the pointer comes back."""


def foreign_stacks(settings: Settings, stack: str) -> set[str]:
    """Return the names of the other stacks that `settings` lean on."""
    sources = [branch.source for branch in settings.branches.values()] + [settings.serve]
    return {source.stack for source in sources if source and source.stack not in (None, stack)}


def plan(settings: Settings, stack: str, exports: Mapping[str, StackExports], digest: str | None) -> Topology:
    """Return what must exist for `stack`, given what the other stacks export and the digest of the app's files.

    Raises SettingsError where the settings are right one by one but not together.
    """
    problems = [
        *lineage_problems(settings, stack),
        *pointer_problems(settings, stack),
        *_app_problems(settings, digest),
        *_accept_problems(settings, stack),
    ]
    if problems:
        raise SettingsError(problems, stack)
    production = settings.target == "production"
    return Topology(
        stack=stack,
        vercel_targets=_VERCEL_TARGETS[settings.target],
        sensitive=production,
        projects=_projects(settings, stack, exports),
        branches=tuple(_branch(settings, name, stack, exports) for name in parents_first(settings, stack)),
        served=settings.serve.branch,
        facts=facts(settings, stack),
        database=settings.database.name,
        owner=settings.database.owner,
        credentials=settings.credentials,
        app_roles=app_roles(stack),
        app=_app(settings, digest),
        guard=_guard(settings) if production else None,
    )


def app_roles(stack: str) -> tuple[str, str]:
    """Return the names of the two roles that `stack`'s app connects with in turn, in Postgres' letters."""
    name = f"app_{re.sub(r'[^a-z0-9]+', '_', stack.lower())}"[: _LONGEST_ROLE - 2]
    return f"{name}_1", f"{name}_2"


def _projects(settings: Settings, stack: str, exports: Mapping[str, StackExports]) -> NewProjects | ExistingProjects:
    project = settings.project
    if project.neon and project.vercel:
        return ExistingProjects(project.neon, project.vercel)
    if project.name:
        return NewProjects(project.name, project.region, project.postgres)
    for found in exports.values():
        if found.neon and found.vercel:
            return ExistingProjects(found.neon, found.vercel)
    others = sorted(foreign_stacks(settings, stack))
    if not others:
        raise SettingsError(
            [Problem("environments:project", "", "no project is named", "Add project: {name: my-app}")], stack
        )
    rule = f"the projects come from stack {others[0]}, which is missing or was never brought up"
    remedy = f"Run pulumi up -s {others[0]} first, or pin project: {{neon: <id>, vercel: <id>}}"
    raise SettingsError([Problem("environments:project", "", rule, remedy)], stack)


def _branch(settings: Settings, name: str, stack: str, exports: Mapping[str, StackExports]) -> BranchPlan:
    branch, compute = settings.branches[name], settings.compute
    serving = Compute(compute.min_cu, compute.largest, compute.suspend)
    return BranchPlan(
        name=name,
        parent=_parent(branch, own_parent(settings, name, stack), exports),
        at=(branch.at.timestamp, branch.at.lsn) if branch.at else (None, None),
        compute=serving if name == settings.serve.branch else RESTING,
        project=home(settings, name, stack),
        copied=branch.copied_by is not None,
    )


def _parent(branch: BranchSettings, own: str | None, exports: Mapping[str, StackExports]) -> Parent:
    source = branch.source
    if own is not None:
        return OwnBranch(own)
    if source is None or source.stack is None:
        return DefaultBranch()
    found = exports.get(source.stack, StackExports())
    return ForeignBranch(source.stack, source.branch, found.branches.get(source.branch))


def _guard(settings: Settings) -> Guard:
    safety, accept = settings.safety, settings.accept
    rows = {"any": ANY_ROWS}.get(str(accept.rows), accept.rows) if accept else 0
    return Guard(
        live=safety.phase == "live",
        rows_left_behind=safety.rows_left_behind,
        fence_first=safety.fence == "before",
        accepted=(accept.branch, int(rows)) if accept else None,
    )


def _accept_problems(settings: Settings, stack: str) -> list[Problem]:
    accept = settings.accept
    if accept is None or accept.branch in settings.branches:
        return []
    remedy = f"Name one of: {', '.join(settings.branches)}; or remove accept"
    return [Problem("environments:accept.branch", repr(accept.branch), f"{stack} has no such branch", remedy)]


def _app_problems(settings: Settings, digest: str | None) -> list[Problem]:
    if settings.target == "development":
        rule = "development gets its deployments from pushes and from vercel dev, not from this stack"
        return [Problem("environments:app", "", rule, "Remove it")] if settings.app else []
    if settings.app is None:
        return [Problem("environments:app", "", "production deploys an app", "Add app: {path: app}")]
    if digest is None and not settings.app.redeploy:
        rule = "there is no such folder with files beside Pulumi.yaml"
        return [Problem("environments:app.path", repr(settings.app.path), rule, "Name the app's folder")]
    return []


def _app(settings: Settings, digest: str | None) -> AppPlan | None:
    if settings.app is None:
        return None
    return AppPlan(settings.app.path or "", digest or "", settings.app.health.path, settings.app.health.status)
