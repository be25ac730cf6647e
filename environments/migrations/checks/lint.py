"""squawk: what experience says about migrations of tables that are in use.

squawk itself calls every finding a warning, so the grade is ours: an `error` blocks readers or writers for as long as a
table takes to be read, or breaks the app that is running; everything else is a `warning`. Its binary comes inside the
PyPI package squawk-cli; nothing is downloaded when it runs (seen with 2.70.0).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from environments.errors import FailedError
from environments.migrations.model import Migration

Level = Literal["off", "warning", "error"]

ERRORS = frozenset({
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-required-field",
    "adding-serial-primary-key-field",
    "ban-alter-domain-with-add-constraint",
    "ban-set-schema",
    "changing-column-type",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "renaming-column",
    "renaming-object",
    "renaming-table",
})  # fmt: skip
"""Rules whose breach refuses a migration at level `error`."""

HANDLED_ELSEWHERE = (
    "ban-concurrent-index-creation-in-transaction",  # transaction.py, with a remedy
    "transaction-nesting",  # the same
    "ban-uncommitted-transaction",  # the same
    "ban-drop-column",  # data_loss.py, until the settings name the migration
    "ban-drop-database",  # the same
    "ban-drop-schema",  # the same
    "ban-drop-table",  # the same
    "ban-truncate-cascade",  # the same
    "prefer-robust-stmts",  # a migration is one transaction: it never fails part way through
    "require-lock-timeout",  # the run sets it
    "require-statement-timeout",  # the same
    "require-timeout-settings",  # the same
)
"""Rules that are never asked for, since something else sees to them."""

_SECONDS = 60
_EXPAND = "Make the new one beside it, let the app use that, and drop the old one in a later migration"
_ADVICE = {
    "require-concurrent-index-creation": "On a large table build it by hand with CONCURRENTLY first, and write IF NOT "
    "EXISTS here",
    "require-concurrent-index-deletion": "On a busy table drop it by hand with CONCURRENTLY first, and write IF EXISTS "
    "here",
    "require-concurrent-partition-detach": "On a busy table detach it by hand with CONCURRENTLY",
    "require-concurrent-reindex": "Run it by hand with CONCURRENTLY; it changes no schema",
    "renaming-column": _EXPAND,
    "renaming-table": _EXPAND,
    "renaming-object": _EXPAND,
    "ban-set-schema": _EXPAND,
    "changing-column-type": "Add a column of the new type, copy, let the app use it, and drop the old one later",
}
"""Where squawk gives no advice, or says CONCURRENTLY, which no migration's transaction takes."""

_FILE_IGNORE = "squawk-ignore-file"
"""A comment that switches squawk off for all that it reads in one go."""


class LintError(FailedError):
    """squawk could not be asked, so nothing is known; that is no pass."""


@dataclass(frozen=True)
class Finding:
    """One breach of a rule: where, how bad, and what squawk says about it."""

    rule: str
    level: Literal["warning", "error"]
    tag: str
    file: str
    line: int
    message: str
    help: str

    def __str__(self) -> str:
        """Say it in one line."""
        advice = f" {self.help}" if self.help else ""
        return f"{self.file}:{self.line} {self.message}{advice} ({self.rule})"


def lint(migrations: tuple[Migration, ...], *, excluded: tuple[str, ...] = (), postgres: int = 18) -> list[Finding]:
    """Return what squawk finds in migrations that run one after the other.

    They are read as one text, so that a table that one of them makes is known to be empty in the next. `excluded` are
    rules that don't matter to the project. Raises LintError if squawk isn't installed or fails.
    """
    alone = [(each,) for each in migrations if _FILE_IGNORE in each.text]
    together = tuple(each for each in migrations if _FILE_IGNORE not in each.text)
    found = [each for group in (together, *alone) if group for each in _lint(group, excluded, postgres)]
    order = {each.tag: position for position, each in enumerate(migrations)}
    return sorted(found, key=lambda each: (order[each.tag], each.line))


def reaches(finding: Finding, level: Level) -> bool:
    """Tell whether a finding is at or above the level at which migrations are refused."""
    return level == "warning" or (level == "error" and finding.level == "error")


def _lint(migrations: tuple[Migration, ...], excluded: tuple[str, ...], postgres: int) -> Iterator[Finding]:
    text, starts = "", []
    for migration in migrations:
        starts.append(text.count("\n"))
        text += migration.text.rstrip().removesuffix(";") + "\n;\n"
    for breach in _ask(text, excluded, postgres):
        index = max(position for position, start in enumerate(starts) if start <= breach.line)
        owner = migrations[index]
        yield Finding(
            rule=breach.rule,
            level="error" if breach.rule in ERRORS else "warning",
            tag=owner.tag,
            file=owner.file,
            line=1 + breach.line - starts[index],
            message=breach.message,
            help=_ADVICE.get(breach.rule) or breach.help,
        )


@dataclass(frozen=True)
class _Breach:
    """One entry of squawk's report; `line` counts from zero."""

    rule: str
    line: int
    message: str
    help: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read one entry of the report."""
        return cls(found["rule_name"], found["line"], found["message"], found["help"] or "")


def _ask(text: str, excluded: tuple[str, ...], postgres: int) -> list[_Breach]:
    rules = ",".join([*HANDLED_ELSEWHERE, *excluded])
    command = [_binary(), "--reporter", "json", "--assume-in-transaction", "--pg-version", str(postgres), "-e", rules]
    try:
        # In the root folder, so that no .squawk.toml but the settings say what counts.
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=Path("/")
        )
    except subprocess.TimeoutExpired:
        raise LintError(
            f"squawk did not end within {_SECONDS} s: lint the migrations by hand, or set lint: off"
        ) from None
    except OSError as error:
        raise LintError(f"squawk can't be started ({error.strerror}): {_INSTALL}") from None
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        reason = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise LintError(f"squawk could not lint the migrations: {reason[0]}") from None
    return [_Breach.of(each) for each in found]


_INSTALL = "run pip install -r requirements.txt, or set the level to off"


def _binary() -> str:
    beside = Path(sysconfig.get_path("scripts")) / ("squawk.exe" if os.name == "nt" else "squawk")
    found = str(beside) if beside.exists() else shutil.which("squawk")
    if not found:
        raise LintError(f"squawk is not installed: {_INSTALL}")
    return found
