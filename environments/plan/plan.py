"""From settings to topology: pure, so that wrong settings are refused before the engine is asked for anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from environments.ids import DeletionPolicy
from environments.plan.lineage import deletion_problems, home, lineage_problems, own_parent, parents_first
from environments.plan.review_summary import review_summary
from environments.plan.strategies import allowed_moves, pointer_problems
from environments.plan.topology import (
    ANY_ROWS,
    Accepted,
    AppPlan,
    BranchPlan,
    Compute,
    DefaultBranch,
    ExistingProjects,
    ForeignBranch,
    Guard,
    MigrationPlan,
    MigrationSettings,
    NewProjects,
    NoBranch,
    OwnBranch,
    Parent,
    StackExports,
    Topology,
)
from environments.settings import BranchSettings, ComputeSettings, Problem, Settings, SettingsError, StandardMigration
from environments.settings.branch import DEFAULT_SUSPEND, SMALLEST_CU

_VERCEL_TARGETS = {
    "production": ("production",),
    "preview": ("preview",),
    "development": ("development", "preview"),
}
_LONGEST_ROLE = 63

RESTING = Compute(SMALLEST_CU, SMALLEST_CU, DEFAULT_SUSPEND)
"""The compute of a branch that doesn't serve: it costs next to nothing, and is there when the pointer comes back."""


def foreign_stacks(settings: Settings, stack: str) -> set[str]:
    """Return the names of the other stacks that `settings` need."""
    sources = [branch.source for branch in settings.branches.values()] + [settings.serve]
    return {source.stack for source in sources if source and source.stack not in (None, stack)}


@dataclass(frozen=True)
class Digests:
    """What tells when files change: of the app's folder, and of its migrations'; None for one that isn't there."""

    app: str | None = None
    migrations: str | None = None


def folders(settings: Settings) -> dict[str, str]:
    """Return the folders of which a digest is needed, by the names that Digests has for them."""
    found = {"app": settings.app.path if settings.app else None}
    if isinstance(settings.strategy, StandardMigration):
        found["migrations"] = settings.strategy.migrations
    return {name: folder for name, folder in found.items() if folder}


def plan(settings: Settings, stack: str, exports: Mapping[str, StackExports], digests: Digests) -> Topology:
    """Return what must exist for `stack`, given what the other stacks export and the digests of its folders.

    Raises SettingsError where the settings are right one by one but not together.
    """
    problems = [
        *lineage_problems(settings, stack),
        *deletion_problems(settings, stack),
        *pointer_problems(settings, stack),
        *_app_problems(settings, digests.app),
        *_migration_problems(settings, digests.migrations),
        *_git_branch_problems(settings),
    ]
    if problems:
        raise SettingsError(problems, stack)
    production = settings.target == "production"
    return Topology(
        stack=stack,
        vercel_targets=_VERCEL_TARGETS[settings.target],
        git_branch=settings.git_branch,
        sensitive=settings.target != "development",
        disposable=settings.target == "preview" and all(branch.expires for branch in settings.branches.values()),
        projects=_projects(settings, stack, exports),
        branches=tuple(_branch(settings, name, stack, exports) for name in parents_first(settings, stack)),
        served=_served(settings, stack, exports),
        compute=_size(settings.compute),
        protected=settings.safety.protected,
        summary=review_summary(settings, stack),
        database=settings.database.name,
        owner=settings.database.owner,
        credentials=settings.credentials,
        app_roles=app_roles(stack),
        app=_app(settings, digests.app),
        migration=_migration(settings, digests.migrations),
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


def _branch(settings: Settings, key: str, stack: str, exports: Mapping[str, StackExports]) -> BranchPlan:
    branch = settings.branches[key]
    serves = settings.serve.branch == key and settings.serve.stack in (None, stack)
    default = RESTING if not serves else _size(settings.compute)
    protected = settings.safety.protected and not branch.expires if branch.protected is None else branch.protected
    return BranchPlan(
        key=key,
        name=branch.name or key,
        parent=_parent(settings, key, stack, exports),
        at=(branch.at.timestamp, branch.at.lsn) if branch.at else (None, None),
        compute=_size(branch.compute) if branch.compute else default,
        protected=protected and not branch.retire,
        deletion=_deletion(branch),
        keep_logins=branch.logins == "keep",
        lifetime=branch.expires,
        schema_only=branch.schema_only,
        project=home(settings, key, stack),
        copied=branch.copied_by is not None,
    )


def _size(compute: ComputeSettings) -> Compute:
    return Compute(compute.min_cu, compute.largest, compute.suspend)


def _deletion(branch: BranchSettings) -> DeletionPolicy:
    if branch.retire:
        return "delete"
    if branch.release:
        return "orphan"
    return "expire" if branch.expires else "retain"


def _served(settings: Settings, stack: str, exports: Mapping[str, StackExports]) -> OwnBranch | ForeignBranch:
    serve = settings.serve
    if serve.stack in (None, stack):
        return OwnBranch(serve.branch)
    return ForeignBranch(serve.stack, serve.branch, exports.get(serve.stack, StackExports()).branches.get(serve.branch))


def _parent(settings: Settings, key: str, stack: str, exports: Mapping[str, StackExports]) -> Parent:
    branch, own = settings.branches[key], own_parent(settings, key, stack)
    source = branch.source
    if branch.adopt:
        return NoBranch()
    if own is not None:
        # One that this stack has released is settled in its copies, and nothing else can be cloned from it.
        return OwnBranch(own) if own in settings.branches else ForeignBranch(stack, own, None)
    if source is None or source.stack is None:
        return DefaultBranch()
    found = exports.get(source.stack, StackExports())
    return ForeignBranch(source.stack, source.branch, found.branches.get(source.branch))


def _guard(settings: Settings) -> Guard:
    safety, accept = settings.safety, settings.accept
    rows = {"any": ANY_ROWS}.get(str(accept.rows), accept.rows) if accept else 0
    return Guard(
        moves=allowed_moves(settings.strategy),
        live=safety.phase == "live",
        rows_left_behind=safety.rows_left_behind,
        fence_first=safety.fence == "before",
        write_pause=safety.write_pause,
        other_writers=safety.other_writers,
        accepted=Accepted(branch=accept.branch, rows=int(rows)) if accept else None,
        fewer_rights=safety.fewer_rights,
    )


def _git_branch_problems(settings: Settings) -> list[Problem]:
    if (settings.target == "preview") == bool(settings.git_branch):
        return []
    path, shown = "environments:git_branch", repr(settings.git_branch) if settings.git_branch else ""
    rule = "a preview environment belongs to one git branch, and no other target has one"
    return [Problem(path, shown, rule, "Remove it" if settings.git_branch else "Add git_branch: feature-x")]


def _app_problems(settings: Settings, digest: str | None) -> list[Problem]:
    if settings.target != "production":
        rule = f"{settings.target} gets its deployments from pushes and from vercel dev, not from this stack"
        return [Problem("environments:app", "", rule, "Remove it")] if settings.app else []
    if settings.app is None:
        return [Problem("environments:app", "", "production deploys an app", "Add app: {path: app}")]
    if digest is None and not settings.app.redeploy:
        rule = "beside Pulumi.yaml there is no such folder with files in it"
        return [Problem("environments:app.path", repr(settings.app.path), rule, "Name the app's folder")]
    return []


def _migration_problems(settings: Settings, digest: str | None) -> list[Problem]:
    strategy = settings.strategy
    if not isinstance(strategy, StandardMigration) or digest is not None:
        return []
    rule = "beside Pulumi.yaml there is no such folder with files in it"
    return [
        Problem("environments:strategy.migrations", repr(strategy.migrations), rule, "Name the folder of migrations")
    ]


def _migration(settings: Settings, digest: str | None) -> MigrationPlan | None:
    strategy = settings.strategy
    if not isinstance(strategy, StandardMigration):
        return None
    return MigrationPlan(
        folder=strategy.migrations,
        digest=digest or "",
        settings=MigrationSettings(
            level=strategy.lint,
            excluded_rules=strategy.lint_excluded,
            allow_data_loss=strategy.allow_data_loss,
            postgres=settings.project.postgres,
            lock_timeout=strategy.lock_timeout,
            statement_timeout=strategy.statement_timeout,
            run_timeout=strategy.run_timeout,
            rehearse=strategy.rehearse,
            stop_after_rehearsal=strategy.stop_after_rehearsal,
            restore_point_days=strategy.restore_point_days,
            table=strategy.table,
            fewer_rights=settings.safety.fewer_rights,
        ),
    )


def _app(settings: Settings, digest: str | None) -> AppPlan | None:
    if settings.app is None:
        return None
    health = settings.app.health
    return AppPlan(settings.app.path or "", digest or "", health.path, health.status, health.database)
