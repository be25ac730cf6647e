"""Plain SQL files: the second tool, without a journal, and which tool a folder is given to."""

import re
from pathlib import Path

import pytest

from environments.migrations.model import Applied, BrokenMigrationsError
from environments.migrations.plain import PlainSql
from environments.migrations.tools import tool_for
from tests.migrations.folders import folders, journal, plain


def test_files_are_read_by_number_and_parted_into_statements(tmp_path: Path) -> None:
    sql = "-- first; this\nCREATE TABLE a (n text DEFAULT ';');\n\nDO $$ BEGIN PERFORM 1; END $$; SELECT 'ö;'"
    second, tenth = PlainSql().read(plain(tmp_path, m0010_ten="SELECT 10", m0002_two=sql))
    assert second.statements == (
        "CREATE TABLE a (n text DEFAULT ';')",
        "DO $$ BEGIN PERFORM 1; END $$",
        "SELECT 'ö;'",
    )
    assert (second.tag, second.order, tenth.order) == ("0002_two", 2, 10)


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    found = PlainSql().read(plain(tmp_path, m10000_last="SELECT 1", m9999_first="SELECT 1"))
    assert [each.tag for each in found] == ["9999_first", "10000_last"]


def test_pending_is_whatever_has_no_row_of_its_name(tmp_path: Path) -> None:
    tool = PlainSql()
    first, second = tool.read(plain(tmp_path, m0001_one="SELECT 1", m0002_two="SELECT 1"))
    assert tool.pending((first, second), (Applied(first.hash, 1, "0001_one"),)) == (second,)


@pytest.mark.parametrize(
    ("name", "sql", "message"),
    [
        ("first", "SELECT 1", "first.sql: a migration's file is called NNNN_name.sql. Rename it, for example to"),
        ("0001_b", "SELECT 1", "0001_b.sql: it has the number of 0001_a.sql. Give the one that was merged later the"),
        (
            "0002_b",
            "SELECT 1;--> statement-breakpoint",
            "0002_b.sql: drizzle-kit made it, and the folder has no",
        ),
    ],
)
def test_a_broken_folder_is_refused_with_the_rule_and_the_remedy(
    name: str, sql: str, message: str, tmp_path: Path
) -> None:
    plain(tmp_path, m0001_a="SELECT 1")
    (tmp_path / f"{name}.sql").write_text(sql)
    with pytest.raises(BrokenMigrationsError, match=f"^{re.escape(message)}"):
        PlainSql().read(tmp_path)


def test_a_folder_says_by_what_lies_in_it_whose_it_is(tmp_path: Path) -> None:
    assert tool_for(journal(tmp_path / "old", "SELECT 1")).name == "drizzle-kit with a journal"
    assert tool_for(folders(tmp_path / "new", m20261124133406_a="SELECT 1")).name == "drizzle-kit 1.0"
    assert tool_for(plain(tmp_path / "plain", m0001_a="SELECT 1")).name == "plain SQL files"


def test_a_folder_that_was_converted_half_way_is_refused(tmp_path: Path) -> None:
    folder = journal(folders(tmp_path / "both", m20261124133406_a="SELECT 1"), "SELECT 1")
    with pytest.raises(BrokenMigrationsError, match=r"drizzle-kit 1\.0 refuses a folder that holds a journal of 0\.x"):
        tool_for(folder).read(folder)


def test_a_folder_that_no_tool_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenMigrationsError, match="missing: there is no such folder"):
        tool_for(tmp_path / "missing")
    with pytest.raises(
        BrokenMigrationsError, match=r"it holds neither meta/_journal\.json, nor folders with a migration"
    ):
        tool_for(tmp_path)
