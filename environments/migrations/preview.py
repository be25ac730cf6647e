"""What a preview says of the migrations: what is pending on the served branch, or why none of it may run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from environments import log
from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, connected
from environments.migrations.checks.judge import JudgeOptions, Verdict, judge
from environments.migrations.checks.lint import LintError
from environments.migrations.checks.untracked_tables import untracked_tables
from environments.migrations.errors import MigrationFailedError
from environments.migrations.model import BrokenMigrationsError
from environments.migrations.restore_point import Copy, first_undone
from environments.migrations.review import review_of
from environments.migrations.run import applied
from environments.migrations.session import Limits
from environments.migrations.state import Inputs
from environments.migrations.tools import tool_for
from environments.plan.topology import MigrationPlan
from environments.props import Unknown
from environments.review.model import MigrationReview

_NO_VERDICT = (BrokenMigrationsError, LintError, MigrationFailedError, *UNREACHABLE)
"""What it raises to judge a folder against a database."""


@dataclass(frozen=True)
class Preview:
    """Why nothing may run, and what the reviewer reads otherwise; None where there is nothing to say."""

    refusals: tuple[str, ...] = ()
    review: MigrationReview | None = None


def preview(old: Inputs | None, new: Inputs, plan: MigrationPlan) -> Preview:
    """Judge what `plan` would run on the served branch of `new`; `old` are the inputs of the last update."""
    try:
        if refusal := _rerun_refusal(old, new, plan):
            return Preview((refusal,))
        if isinstance(new.branch, Unknown) or isinstance(new.endpoint, Unknown):
            return Preview(review=_not_judged_yet(new, plan))
        verdict = _verdict(new, plan)
    except _NO_VERDICT as error:
        return Preview((f"the migrations in {plan.folder} can't be judged: {error}",))
    if verdict.refusals:
        return Preview(tuple(f"migration refused: {refusal}" for refusal in verdict.refusals))
    return Preview(review=review_of(new.key, verdict) if verdict.pending or verdict.warnings else None)


def pending_tags(new: Inputs, plan: MigrationPlan) -> tuple[str, ...] | None:
    """Return what is pending on the served branch as it is; None, after a warning, where that can't be found out."""
    try:
        return tuple(each.tag for each in _verdict(new, plan).pending)
    except _NO_VERDICT as error:
        log.warn(f"can't find out which migrations are pending on {new.key}: {error}")
        return None


def _verdict(new: Inputs, plan: MigrationPlan) -> Verdict:
    """Return what is pending and what speaks against it, asked of the served branch as it is."""
    folder = Path(plan.folder)
    tool = tool_for(folder, plan.settings.table)
    migrations = tool.read(folder)
    with Neon() as neon:
        url = neon.uri(new.address, pooled=False)
    ran = applied(tool, url, Limits.of(plan.settings))
    verdict = judge(migrations, ran, tool, JudgeOptions.of(plan.settings))
    if ran or not verdict.pending:
        return verdict
    with connected(url) as connection:
        untracked = untracked_tables(connection, verdict.statements)
    return replace(verdict, refusals=(*untracked, *verdict.refusals))


def _not_judged_yet(new: Inputs, plan: MigrationPlan) -> MigrationReview:
    count = len(tool_for(Path(plan.folder), plan.settings.table).read(Path(plan.folder)))
    title = f"migrations: {new.key} isn't made yet. pulumi up makes it, then runs what is pending of {count} migrations"
    return MigrationReview(branch=new.key, title=title)


def _rerun_refusal(old: Inputs | None, new: Inputs, plan: MigrationPlan) -> str:
    """Return why this would run a migration again that it takes back, or nothing.

    So it is where the pointer goes back to the served branch as it was before the migration, and the folder still has
    it. Once that branch serves, the same files are pending on it like any others.
    """
    if old is None or isinstance(old.branch, Unknown) or isinstance(new.project, Unknown) or old.branch == new.branch:
        return ""
    back = new.source == old.key and bool(new.at)
    adopted = not isinstance(new.branch, Unknown) and not new.source
    if not (back or adopted):
        return ""
    folder = Path(plan.folder)
    tags = [migration.tag for migration in tool_for(folder, plan.settings.table).read(folder)]
    copy = Copy(id=None if isinstance(new.branch, Unknown) else new.branch, at=new.at if back else "")
    with Neon() as neon:
        tag = first_undone(neon, new.project, old.branch, copy, tags)
    if not tag:
        return ""
    return (
        f"{new.key} is {old.key} as it was before {tag}. {plan.folder} still holds {tag}, so this pulumi up would run "
        f"{tag} again on {new.key}. Take {tag} and the migrations after it out of the folder and its journal. Once "
        f"{new.key} serves, they may come back, corrected or unchanged"
    )
