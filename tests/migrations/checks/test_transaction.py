"""What can't run inside a transaction is found before Postgres comes to it, and nothing else is."""

import pytest

from environments.migrations.checks.judge import JudgeOptions
from environments.migrations.plain import PlainSql
from tests.migrations.examples import EARLY, RUNNABLE, SETUP, UNRUNNABLE
from tests.migrations.folders import refused


@pytest.mark.parametrize("statement", UNRUNNABLE)
def test_a_statement_that_needs_to_stand_outside_is_refused(statement: str) -> None:
    found = [each for each in refused(statement, before=SETUP) if "transaction" in each]
    assert len(found) == 1
    assert found[0].startswith(f"0001_m.sql:1 {statement}"[:60])
    assert f": {UNRUNNABLE[statement]}" in found[0]
    assert "can't run inside drizzle's single transaction. " in found[0]


@pytest.mark.parametrize("statement", RUNNABLE)
def test_a_statement_that_runs_inside_is_not_refused(statement: str) -> None:
    assert refused(statement, before=SETUP) == []


@pytest.mark.parametrize("statement", ["BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK"])
def test_a_migration_may_not_end_the_transaction_that_it_runs_in(statement: str) -> None:
    [found] = refused(f"SELECT 1; {statement}; SELECT 2")
    assert found == (
        f"0001_m.sql:1 {statement}: BEGIN, COMMIT or ROLLBACK can't run inside drizzle's single transaction. Leave it "
        "out: it would end the transaction half-way, and what ran before couldn't be undone."
    )


def test_rows_that_nobody_sends_are_refused() -> None:
    [found] = refused("COPY orders FROM STDIN")
    assert found == (
        "0001_m.sql:1 COPY orders FROM STDIN: COPY FROM STDIN, whose rows no runner sends, can't run inside drizzle's "
        "single transaction. Write the rows as INSERT."
    )


def test_the_remedy_for_an_index_says_how_to_build_it_without_a_lock() -> None:
    [found] = refused('SELECT 1;\n-- for the list\nCREATE INDEX CONCURRENTLY "i" ON "orders" ("note");')
    assert found == (
        '0001_m.sql:3 CREATE INDEX CONCURRENTLY "i" ON "orders" ("note"): CREATE INDEX CONCURRENTLY can\'t run inside '
        "drizzle's single transaction. Run it by hand on the direct host first, and write CREATE INDEX IF NOT EXISTS "
        "without CONCURRENTLY here, which then finds it."
    )


@pytest.mark.parametrize(("added", "used"), EARLY)
def test_a_fresh_enum_value_is_not_used_in_the_same_transaction(added: str, used: str) -> None:
    found = [
        each for each in refused(f"{added}; {used}", before=SETUP) if "'sad'" in each and "adds to an enum" in each
    ]
    assert len(found) == 1
    assert found[0].endswith(
        "Run the migration of 0001_m.sql:1 first: put what uses it into a migration that is added after this one was "
        "run."
    )


def test_drizzle_runs_all_pending_ones_in_one_transaction_and_plain_files_each_in_its_own() -> None:
    added, used = EARLY[0]
    assert len(refused(added, used, before=SETUP)) == 1
    assert refused(added, used, before=SETUP, tool=PlainSql()) == []


def test_what_postgres_cannot_read_is_refused_with_its_line_and_once() -> None:
    assert refused("SELECT 1;\n\nALTER TABEL orders ADD x int;", options=JudgeOptions(level="warning")) == [
        '0001_m.sql:3: Postgres can\'t read it (syntax error at or near "TABEL"). Correct it.'
    ]
    assert refused("\\connect other\nSELECT 1") == [
        (
            '0001_m.sql:1: Postgres can\'t read it (syntax error at or near "\\"). Commands of psql (\\…) are no SQL: '
            "leave them out."
        )
    ]
