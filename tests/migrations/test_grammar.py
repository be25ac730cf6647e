"""Postgres' grammar under our analysis: positions in texts with characters of several bytes, and its limits."""

import json
import subprocess
import sys
from typing import Any
from unittest.mock import Mock

import pytest

from environments.migrations import sql as statements
from environments.migrations.grammar import TooDeepError, UnreadableSqlError, parse_sql
from environments.migrations.sql import nodes, split, without_passwords
from tests.migrations.folders import refused, verdict

WIDE = "-- «é» 🙂\n"


def chain(terms: int) -> str:
    """A constant of so many parts; each part adds two levels to the tree."""
    return "SELECT " + " || ".join(["'é'"] * terms)


@pytest.mark.parametrize(
    ("sql", "line", "message"),
    [
        (f"{WIDE * 9}SELECT 'é' FORM t", 10, 'syntax error at or near "t"'),
        (f"SELECT '🙂';\n{WIDE}SELECT é é é", 3, 'syntax error at or near "é"'),
        (f"{WIDE}CREATE TABLE é (\n  é int,\n  é é é é\n);\n{WIDE * 9}", 4, 'syntax error at or near "é"'),
        (f"{WIDE}SELECT 1 +\n\n", 4, "syntax error at end of input"),
        (f"{WIDE}SELECT 1;\nSELECT\n '🙂é;\n\n", 4, "unterminated quoted string at or near \"'***'"),
        (f"{WIDE}SELECT 1;\n{WIDE}\0DROP TABLE orders", 4, "it holds a NUL character"),
    ],
)
def test_an_error_names_its_line(sql: str, line: int, message: str) -> None:
    assert refused(sql) == [f"0001_m.sql:{line}: Postgres can't read it ({message}). Correct it."]


def test_a_statement_begins_on_the_line_of_its_first_word() -> None:
    sql = f"{WIDE}SELECT 'é';\n{WIDE}SELECT '🙂'; SELECT\n'é';\n\n  -- é\n  DROP TABLE orders -- 🙂"
    found = verdict(sql).statements
    assert [(each.line, each.text) for each in found] == [
        (2, "SELECT 'é'"),
        (4, "SELECT '🙂'"),
        (4, "SELECT\n'é'"),
        (8, "DROP TABLE orders -- 🙂"),
    ]
    assert split("SELECT 'é;🙂'; -- ;\nSELECT 2;;") == ("SELECT 'é;🙂'", "SELECT 2")


@pytest.mark.parametrize("terms", [60, 300])
def test_we_judge_a_long_chain(terms: int) -> None:
    """protobuf, which postgast uses, ends at 100 levels, and Python's calls end at 1000."""
    [statement] = parse_sql(chain(terms))
    assert len(list(nodes(statement["stmt"], "A_Const"))) == terms
    assert refused(f"{chain(terms)}; DROP TABLE orders")[0].startswith("0001_m.sql:1 DROP TABLE orders")


def test_we_refuse_what_is_nested_too_deeply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", Mock(side_effect=RecursionError))
    with pytest.raises(TooDeepError):
        parse_sql("SELECT 1")
    assert refused("SELECT 1; SELECT 2") == [
        "0001_m.sql:1: it is nested too deeply to be judged. Split it into several statements."
    ]


@pytest.mark.parametrize("text", ["{}; DROP TABLE orders", "DO $$ BEGIN PERFORM 1; {}; END $$; DROP TABLE orders"])
def test_no_statement_is_too_deep_to_notice(text: str) -> None:
    """How deep JSON may be depends on the version of Python."""
    found = verdict(text.format(chain(20_000)))
    judged = [each for each in found.refusals if "takes away the table orders with its rows" in each.rule]
    assert bool(judged) or ["nested too deeply" in each.rule for each in found.refusals] == [True]


def test_a_block_with_something_too_deep_gets_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def shallow(text: str) -> list[Any]:
        if text.startswith("SELECT 'deep'"):
            raise TooDeepError
        return list(parse_sql(text))

    monkeypatch.setattr(statements, "parse_sql", shallow)
    [found] = verdict("DO $$ BEGIN PERFORM 'deep'; END $$").warnings
    assert found.endswith("its SQL is put together when it runs, so nobody can judge it before")


def test_a_block_without_a_body_does_not_end_the_process() -> None:
    """libpg_query aborts: this runs in a process of its own, so that the other tests go on."""
    code = (
        "from tests.migrations.folders import verdict\n"
        "[found] = verdict('DO LANGUAGE plpgsql').warnings\n"
        "print(found.partition(': ')[2])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "its SQL is put together when it runs, so nobody can judge it before",
    )


def test_strings_are_hidden_after_characters_of_several_bytes() -> None:
    sql = "/* é🙂 */ ALTER ROLE \"é\" PASSWORD 'gehéim' -- 'ü'\n; SELECT $é$geheim$é$, U&'geheim', E'gehe\\'im', 1"
    shown = without_passwords(sql)
    assert shown == "/* é🙂 */ ALTER ROLE \"é\" PASSWORD '***' -- 'ü'\n; SELECT '***', '***', '***', 1"


@pytest.mark.parametrize(
    "text", ["ALTER ROLE é PASSWORD 'geheim", "ALTER ROLE é PASSWORD $$geheim", "SELECT 'geheim\0'"]
)
def test_strings_without_an_end_are_hidden_too(text: str) -> None:
    assert "geheim" not in without_passwords(text)
    assert without_passwords(text).startswith(text.partition("'")[0].partition("$")[0])


def test_an_error_has_its_message_and_the_number_of_lines_before_it() -> None:
    with pytest.raises(UnreadableSqlError, match='near "é"') as caught:
        parse_sql("SELECT\n'é'\né é é")
    assert (caught.value.message, caught.value.line) == ('syntax error at or near "é"', 2)
