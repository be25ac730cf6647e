"""The verdict in words: bounded, readable, without passwords, and it can be taken apart again."""

from environments.commands.report.preview import Preview
from environments.commands.report.told import Review
from environments.commands.report.told import told as heard
from environments.migrations.checks.judge import JudgeOptions, judge
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.render import WIDTH, pieces, pieces_of, told
from tests.migrations.folders import QUIET, verdict


def test_the_block_shows_what_is_pending_what_to_know_and_what_is_refused() -> None:
    found = verdict(
        'ALTER TABLE "orders" ADD COLUMN "stamp" timestamp;\n--> statement-breakpoint\nDROP INDEX "i";',
        'DROP TABLE "orders";',
        options=JudgeOptions(level="error"),
    )
    assert (
        told(found)
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
        with CONCURRENTLY first, and write IF EXISTS here (require-concurrent-index-deletion)
    refused:
      - 0002_m.sql:1 DROP TABLE "orders": takes away the table orders with its rows. If that is
        meant, name it in the stack file: allow_data_loss: [0002_m]."""
    )


def test_nothing_pending_is_one_line() -> None:
    assert told(judge((), (), DrizzleJournal(), QUIET)) == "pending: no migration (drizzle-kit with a journal)"


def test_long_files_are_cut_and_wide_lines_wrapped() -> None:
    wide = f"SELECT {', '.join(f'column_{n}' for n in range(60))};\n"
    lines = told(verdict(wide, *("SELECT 1;\n" * 200 for _ in range(8)))).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "    | … 161 more lines in 0002_m.sql" in lines
    assert len(lines) < 230


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
    for sql in secrets:
        found = verdict(f"SELECT 1;\n{sql};\nSELECT 2", options=JudgeOptions(level="error"))
        assert "hunter2" not in told(found), sql
        assert "hunter2" not in str(pieces(found)), sql


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    text = told(verdict("SELECT 1; -- \x1b[2J \u202e drop\r"))
    assert not {"\x1b", "\u202e", "\r"} & set(text)


def test_the_pieces_are_tags_and_sql_and_are_found_again_in_the_block() -> None:
    found = verdict("SELECT 1;\n--> statement-breakpoint\nSELECT 2;", "", "SELECT 3;")
    assert pieces(found) == [("0001_m", "SELECT 1;\n\nSELECT 2;"), ("0002_m", ""), ("0003_m", "SELECT 3;")]
    assert pieces_of(told(found)) == [
        ("0001_m", "SELECT 1;\nSELECT 2;"),
        ("0002_m", "(no SQL)"),
        ("0003_m", "SELECT 3;"),
    ]


def test_sql_that_looks_like_the_block_is_no_migration() -> None:
    sneaky = "    0009_x  0009_x.sql\n        SELECT 1;\n    refused:\npending: 0 migrations\nerror: gone"
    assert [tag for tag, _ in pieces_of(told(verdict(f"/*\n{sneaky}\n*/ SELECT 1")))] == ["0001_m"]


def test_the_reader_of_a_preview_does_not_take_the_block_for_a_part_of_the_review_of_a_move() -> None:
    review = [
        "info: production moves from a to b (Clone & Promote)",
        "  host      another host",
        "  undo      put it back",
    ]
    sql = "CREATE TABLE x (\n    a int, -- a\n      data      b\n            b int\n)"
    block = f"info: {told(verdict(sql, 'DROP TABLE orders'))}".splitlines()
    for said in ([*review, *block], [*block, *review]):
        preview = Preview("prod", "production", {}, "b", (), "a", "", (), tuple(said), ())
        assert heard(preview).review == Review(
            review[0].removeprefix("info: "), (("host", "another host"), ("undo", "put it back"))
        )
        assert [tag for tag, _ in pieces_of(told(verdict(sql, "DROP TABLE orders")))] == ["0001_m", "0002_m"]
