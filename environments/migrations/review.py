"""The verdict on pending migrations as an entry of the review: bounded, without passwords or control characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from environments.ids import BranchKey
from environments.migrations.checks.judge import JudgeOptions, Verdict
from environments.migrations.checks.lint import Finding, reaches
from environments.migrations.files import BREAKPOINT
from environments.migrations.model import Migration
from environments.migrations.sql import Statement, parse, shown, tells_password
from environments.review.model import MigrationReview, PendingMigration

_LONGEST = 20_000
"""Characters of a migration's SQL that a review holds."""
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def review_of(branch: BranchKey, verdict: Verdict) -> MigrationReview:
    """Return what is pending on `branch`, with its SQL and what is worth knowing of it."""
    warnings = [*verdict.warnings, *_below_level(verdict.findings, verdict.options)]
    return MigrationReview(
        branch=branch,
        title=_title(verdict),
        pending=tuple(_pending(each, verdict.statements) for each in verdict.pending),
        warnings=tuple(dict.fromkeys(_safe(" ".join(each.split())) for each in warnings)),
    )


def _title(verdict: Verdict) -> str:
    count = len(verdict.pending)
    if not count:
        return f"pending: no migration ({verdict.tool.name})"
    how = "in one transaction" if verdict.tool.single_transaction or count == 1 else "each in its own transaction"
    return f"pending: {count} migration{'s' if count > 1 else ''}, {how} ({verdict.tool.name})"


def _pending(migration: Migration, statements: tuple[Statement, ...]) -> PendingMigration:
    sql = _safe(_sql(migration, statements))
    rest = sql[_LONGEST:]
    return PendingMigration(
        tag=_safe(migration.tag),
        sql=f"{sql[:_LONGEST]}…" if rest else sql,
        file=_safe(migration.file),
        more_lines=rest.count("\n"),
    )


def _sql(migration: Migration, statements: tuple[Statement, ...]) -> str:
    """Return the file's SQL without what may be a password."""
    text = migration.text.replace(BREAKPOINT, "").strip()
    if "password" in text.lower() and parse(migration).refusals:
        return "(not shown: it speaks of a password, and Postgres can't read it)"
    for each in statements:
        if each.migration is migration and tells_password(each):
            text = text.replace(each.text, shown(each))
    return text


def _below_level(findings: Iterable[Finding], options: JudgeOptions) -> list[str]:
    """Return the findings that refuse nothing, of each file and rule the first."""
    below = [each for each in findings if not reaches(each, options.level)]
    counts = Counter((each.tag, each.rule) for each in below)
    first = {(each.tag, each.rule): each for each in reversed(below)}
    alike = {key: f" — and {count - 1} more like it" if count > 1 else "" for key, count in counts.items()}
    return [f"{first[key]}{alike[key]}" for key in counts]


def _safe(text: str) -> str:
    """Return text without what a terminal would obey or that hides the order of the letters."""
    return _UNSAFE.sub("�", text.replace("\r\n", "\n"))
