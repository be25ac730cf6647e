"""squawk is really asked: what it finds and where, from which level on that refuses; its silence is never guessed."""

import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from environments.migrations.checks import lint as module
from environments.migrations.checks.judge import JudgeOptions
from environments.migrations.checks.lint import LintError, lint
from tests.migrations.folders import migration, refused, verdict

LOCKS = 'ALTER TABLE "orders" ADD CONSTRAINT "c" CHECK ("id" > 0);'
STYLE = 'ALTER TABLE "orders" ADD COLUMN "stamp" timestamp;'


def test_a_finding_names_its_file_its_line_and_its_rule() -> None:
    first, second = migration("SELECT 1;\n\nSELECT 2", "0001_m"), migration(f"SELECT 3;\n\n{LOCKS}", "0002_m")
    [found] = lint((first, second))
    assert (found.rule, found.level, found.tag, found.file, found.line) == (
        "constraint-missing-not-valid",
        "error",
        "0002_m",
        "0002_m.sql",
        3,
    )


def test_a_table_that_an_earlier_pending_one_makes_is_known_to_be_empty() -> None:
    made = migration('CREATE TABLE "orders" ("id" bigint)', "0001_m")
    assert lint((made, migration(LOCKS, "0002_m"))) == []


@pytest.mark.parametrize(
    ("level", "statement", "expected"),
    [
        ("error", LOCKS, "constraint-missing-not-valid"),
        ("warning", LOCKS, "constraint-missing-not-valid"),
        ("warning", STYLE, "prefer-timestamp-tz"),
        ("error", STYLE, None),
        ("off", LOCKS, None),
    ],
)
def test_the_level_says_what_refuses(level: module.Level, statement: str, expected: str | None) -> None:
    found = refused(statement, options=JudgeOptions(level=level))
    assert [f"exclude the rule {expected}." in each for each in found] == ([] if expected is None else [True])


def test_a_finding_below_the_level_is_kept_for_the_review() -> None:
    found = verdict(STYLE, options=JudgeOptions(level="error"))
    assert not found.refusals
    assert [each.rule for each in found.findings] == ["prefer-timestamp-tz"]


def test_the_refusal_gives_the_place_the_rule_and_the_remedy() -> None:
    [found] = refused(LOCKS, options=JudgeOptions(level="error"))
    assert found == (
        "0001_m.sql:1: squawk: By default new constraints require a table scan and block writes to the table while "
        "that scan occurs (level error, refused from error on). Use `NOT VALID` with a later `VALIDATE CONSTRAINT` "
        "call; if it is harmless here, exclude the rule constraint-missing-not-valid."
    )


def test_a_rule_that_is_excluded_refuses_nothing() -> None:
    options = JudgeOptions(level="warning", excluded_rules=("constraint-missing-not-valid",))
    assert refused(LOCKS, options=options) == []


def test_a_change_of_type_that_leaves_the_rows_as_they_are_is_no_finding() -> None:
    options = JudgeOptions(level="error")
    assert refused("ALTER TABLE orders ALTER COLUMN note TYPE varchar(40)", options=options) == []
    [found] = refused("ALTER TABLE orders ALTER COLUMN id TYPE bigint", options=options)
    assert "exclude the rule changing-column-type" in found
    both = "ALTER TABLE orders ALTER COLUMN note TYPE text; ALTER TABLE orders ALTER COLUMN id TYPE bigint"
    assert any("exclude the rule changing-column-type" in each for each in refused(both, options=options))


def test_a_file_that_switches_squawk_off_does_so_for_itself_alone() -> None:
    silent = migration(f"-- squawk-ignore-file\n{LOCKS}", "0001_m")
    assert [each.tag for each in lint((silent, migration(LOCKS, "0002_m")))] == ["0002_m"]
    silent_of_one = migration(f"-- squawk-ignore-file renaming-table\n{LOCKS}", "0001_m")
    renames = migration("ALTER TABLE orders RENAME TO purchases", "0002_m")
    assert [(each.tag, each.rule) for each in lint((silent_of_one, renames))] == [
        ("0001_m", "constraint-missing-not-valid"),
        ("0002_m", "renaming-table"),
    ]


def test_a_squawk_file_nearby_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".squawk.toml").write_text("excluded_rules = [")
    monkeypatch.chdir(tmp_path)
    assert len(lint((migration(LOCKS),))) == 1


def test_a_rule_that_squawk_does_not_know_is_an_error_and_no_pass() -> None:
    with pytest.raises(LintError, match=r"squawk could not lint the migrations: .*invalid rule name no-such-rule"):
        lint((migration(LOCKS),), excluded=("no-such-rule",))


def test_a_missing_squawk_is_an_error_and_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LintError, match=r"squawk is not installed: run pip install -r requirements\.txt"):
        refused(LOCKS, options=JudgeOptions(level="error"))
    assert refused(LOCKS, options=JudgeOptions(level="off")) == []


def test_a_squawk_that_can_not_be_started_or_fails_is_an_error_and_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    program = tmp_path / "squawk"
    program.write_text("#!/bin/sh\necho 'out of order' >&2\nexit 3\n")
    with pytest.raises(LintError, match=r"squawk can't be started \(Permission denied\)"):
        lint((migration(LOCKS),))
    program.chmod(0o755)
    with pytest.raises(LintError, match="squawk could not lint the migrations: out of order"):
        lint((migration(LOCKS),))


def test_files_without_a_last_semicolon_do_not_run_into_each_other() -> None:
    cut = replace(migration("SELECT 1 -- the end", "0001_m"))
    assert lint((cut, migration("SELECT 2;-- done", "0002_m"), migration("", "0003_m"))) == []
