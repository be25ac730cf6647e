"""May what is pending run? Every reason against it, in plain words, before anything is asked of the database.

Refusals stop the run; findings of squawk do from the configured level on; warnings are for the reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from environments.migrations.checks.data_loss import losses
from environments.migrations.checks.history import history_refusals
from environments.migrations.checks.lint import Finding, Level, lint, reaches
from environments.migrations.checks.locks import held_locks
from environments.migrations.checks.transaction import early_enum_values, unrunnable
from environments.migrations.checks.warnings import Place, opaque, rewrites, warnings_of
from environments.migrations.model import Applied, Migration, Refusal, Tool
from environments.migrations.sql import Parsed, Statement, parse
from environments.plan.topology import MigrationSettings


@dataclass(frozen=True)
class JudgeOptions:
    """What the settings say: from which level on squawk refuses, which of its rules don't count, what may be lost.

    `allow_data_loss` are tags of migrations; `postgres` is the major version that serves.
    """

    level: Level = "error"
    excluded_rules: tuple[str, ...] = ()
    allow_data_loss: tuple[str, ...] = ()
    postgres: int = 18

    @classmethod
    def of(cls, settings: MigrationSettings) -> Self:
        """Return what the stack file says."""
        return cls(settings.level, settings.excluded_rules, settings.allow_data_loss, settings.postgres)


@dataclass(frozen=True)
class Verdict:
    """What the tool would run, and what speaks against it."""

    tool: Tool
    options: JudgeOptions
    pending: tuple[Migration, ...]
    refusals: tuple[Refusal, ...]
    findings: tuple[Finding, ...]
    """All that squawk found; those at or above the level are among the refusals too."""
    warnings: tuple[str, ...]
    statements: tuple[Statement, ...]


def judge(
    migrations: tuple[Migration, ...], applied: tuple[Applied, ...], tool: Tool, options: JudgeOptions
) -> Verdict:
    """Return what is pending and why it may not run. Raises LintError if squawk can't be asked."""
    pending = tool.pending(migrations, applied)
    refusals, warnings = history_refusals(migrations, applied, tool)
    parsed = [parse(each) for each in pending]
    tags = {each.tag for each in pending}
    ran = [each for each in migrations if pending and each.tag not in tags]
    before = tuple(each for other in ran for each in parse(other).statements)
    statements = tuple(each for every in parsed for each in every.statements)
    refusals += [each for every in parsed for each in every.refusals]
    for group in _transactions(parsed, tool):
        refusals += unrunnable(group, _whose(tool)) + early_enum_values(group, _whose(tool))
        warnings += held_locks(group)
    allowed = set(options.allow_data_loss)
    for loss in losses(before, statements):
        tag = loss.statement.migration.tag
        if tag in allowed:
            warnings.append(f"{loss.statement}: takes away {loss.what} (allowed in the stack file)")
        else:
            refusals.append(_lost(str(loss.statement), loss.what, tag))
    warnings += [
        f"allow_data_loss names {each}, which is no migration of this folder" for each in _unknown(allowed, migrations)
    ]
    rewritten, mistaken = rewrites(before, statements)
    unread = {each.tag for every in parsed for each in every.refusals}
    found = () if options.level == "off" else _findings(pending, options, mistaken, unread)
    refusals += [_found(each, options.level) for each in found if reaches(each, options.level)]
    warnings += rewritten + warnings_of(statements) + opaque(each for every in parsed for each in every.opaque)
    return Verdict(tool, options, pending, tuple(refusals), found, tuple(warnings), statements)


def _transactions(parsed: list[Parsed], tool: Tool) -> list[tuple[Statement, ...]]:
    if tool.single_transaction:
        return [tuple(each for every in parsed for each in every.statements)]
    return [every.statements for every in parsed]


def _whose(tool: Tool) -> str:
    return "drizzle's single" if tool.single_transaction else "the migration's own"


def _lost(where: str, what: str, tag: str) -> Refusal:
    remedy = f"If that is meant, name it in the stack file: allow_data_loss: [{tag}]"
    return Refusal(where, f"takes away {what}", remedy, tag)


def _unknown(allowed: set[str], migrations: tuple[Migration, ...]) -> list[str]:
    return sorted(allowed - {each.tag for each in migrations})


def _findings(
    pending: tuple[Migration, ...], options: JudgeOptions, mistaken: set[Place], unread: set[str]
) -> tuple[Finding, ...]:
    """Ask squawk; `mistaken` says where a rule doesn't hold, `unread` are tags that Postgres can't read."""
    found = lint(pending, excluded=options.excluded_rules, postgres=options.postgres)
    found = [each for each in found if (each.rule, each.file, each.line) not in mistaken]
    return tuple(each for each in found if not (each.rule == "syntax-error" and each.tag in unread))


def _found(finding: Finding, level: Level) -> Refusal:
    advice = finding.help.rstrip(".") or "Change it"
    remedy = f"{advice}; if it is harmless here, exclude the rule {finding.rule}"
    rule = f"squawk: {finding.message.rstrip('.')} (level {finding.level}, refused from {level} on)"
    return Refusal(f"{finding.file}:{finding.line}", rule, remedy, finding.tag)
