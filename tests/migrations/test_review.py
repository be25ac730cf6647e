"""The review of migrations: bounded, readable, without passwords, as data and as a terminal shows it."""

from environments.ids import BranchKey
from environments.migrations.checks.judge import JudgeOptions, Verdict, judge
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.review import review_of
from environments.review.model import MigrationReview
from environments.review.terminal import WIDTH
from tests.migrations.folders import QUIET, shown, verdict


def review(found: Verdict) -> MigrationReview:
    return review_of(BranchKey("prod-v1"), found)


def sql(found: Verdict) -> list[tuple[str, str]]:
    return [(each.tag, each.sql) for each in review(found).pending]


def test_the_block_shows_what_is_pending_and_what_to_know() -> None:
    found = verdict(
        'ALTER TABLE "orders" ADD COLUMN "stamp" timestamp;\n--> statement-breakpoint\nDROP INDEX "i";',
        'DROP TABLE "orders";',
        options=JudgeOptions(level="error"),
    )
    assert (
        shown(found)
        == """\
pending: 2 migrations, in one transaction (drizzle-kit with a journal)
    0001_m  0001_m.sql
    | ALTER TABLE "orders" ADD COLUMN "stamp" timestamp;
    | DROP INDEX "i";
    0002_m  0002_m.sql
    | DROP TABLE "orders";
    to know:
      - 0001_m.sql:1 When Postgres stores a datetime in a `timestamp` field, Postgres drops the
        UTC offset. This means 2019-10-11 21:11:24+02 and 2019-10-11 21:11:24-06 will both be
        stored as 2019-10-11 21:11:24 in the database, even though they are eight hours apart in
        time. Use `timestamptz` instead of `timestamp` for your column type. (prefer-timestamp-tz)
      - 0001_m.sql:3 A normal `DROP INDEX` acquires an `ACCESS EXCLUSIVE` lock on the table,
        blocking other accesses until the index drop can complete. On a busy table drop it by hand
        with CONCURRENTLY first, and write IF EXISTS here (require-concurrent-index-deletion)"""
    )


def test_the_review_names_its_branch_and_holds_each_warning_as_it_is() -> None:
    found = review(verdict("SET ROLE other", "SET ROLE other"))
    assert found.branch == "prod-v1"
    assert [(each.tag, each.file, each.sql, each.more_lines) for each in found.pending] == [
        ("0001_m", "0001_m.sql", "SET ROLE other", 0),
        ("0002_m", "0002_m.sql", "SET ROLE other", 0),
    ]
    assert [each.partition(" ")[0] for each in found.warnings] == ["0001_m.sql:1", "0002_m.sql:1"]


def test_nothing_pending_is_one_line() -> None:
    assert shown(judge((), (), DrizzleJournal(), QUIET)) == "pending: no migration (drizzle-kit with a journal)"


def test_long_files_are_cut_and_wide_lines_wrapped() -> None:
    wide = f"SELECT {', '.join(f'column_{n}' for n in range(60))};\n"
    lines = shown(verdict(wide, *("SELECT 1;\n" * 200 for _ in range(8)))).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "    | … 161 more lines in 0002_m.sql" in lines
    assert len(lines) < 230


def test_a_huge_file_is_cut_in_the_review_and_counted_whole_in_the_block() -> None:
    found = verdict("SELECT 1;\n" * 5000)
    [pending] = review(found).pending
    assert len(pending.sql) == 20_001
    assert pending.more_lines == 2999
    assert "    | … 4961 more lines in 0001_m.sql" in shown(found).splitlines()


def test_a_password_is_not_shown() -> None:
    secrets = (
        "CREATE ROLE reader LOGIN PASSWORD 'hunter2'",
        "DO $$ BEGIN CREATE ROLE reader PASSWORD 'hunter2'; END $$",
        "SELECT dblink_connect('postgresql://reader:hunter2@db/x')",
        "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'a', password 'hunter2')",
        "CREATE ROLE reader PASSWORD 'hunter2' PASWORD",
        "CREATE ROLE reader PASSWORD PASSWORD 'hunter2'",
        "CREATE ROLE reader LOGIN 'hunter2' PASSWORD",
    )
    for secret in secrets:
        found = verdict(f"SELECT 1;\n{secret};\nSELECT 2", options=JudgeOptions(level="error"))
        assert "hunter2" not in str(review(found)), secret
        assert "hunter2" not in str([str(each) for each in found.refusals]), secret


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    text = shown(verdict("SELECT 1; -- \x1b[2J \u202e drop\r"))
    assert not {"\x1b", "\u202e", "\r"} & set(text)


def test_the_sql_is_the_files_without_what_only_the_tool_reads() -> None:
    found = verdict("SELECT 1;\n--> statement-breakpoint\nSELECT 2;", "", "SELECT 3;")
    assert sql(found) == [("0001_m", "SELECT 1;\n\nSELECT 2;"), ("0002_m", ""), ("0003_m", "SELECT 3;")]
    assert "    0002_m  0002_m.sql\n    | (no SQL)\n    0003_m" in shown(found)


def test_sql_that_looks_like_the_block_stands_behind_the_bar() -> None:
    sneaky = "    0009_x  0009_x.sql\n        SELECT 1;\n    to know:\npending: 0 migrations\nerror: gone"
    shown_sql = shown(verdict(f"/*\n{sneaky}\n*/ SELECT 1")).splitlines()[2:]
    assert len(shown_sql) == 7
    assert [line for line in shown_sql if not line.startswith("    | ")] == []
