"""Statements that take data away are refused until the settings name their migration; nothing else is."""

import pytest

from environments.migrations.checks.judge import JudgeOptions
from tests.migrations.folders import refused, verdict

BEFORE = """
CREATE SCHEMA audit;
CREATE TYPE mood AS ENUM ('glad');
CREATE TABLE orders (id serial PRIMARY KEY, note varchar(20), price numeric(10, 2), at timestamptz, n int, tags text[],
                     code char(3), ratio float8, day date, doc json);
CREATE TABLE audit.log (id int);
ALTER TABLE orders RENAME COLUMN n TO amount;
"""

LOST = {
    "DROP TABLE orders": "the table orders with its rows",
    "DROP TABLE IF EXISTS audit.log CASCADE": "the table audit.log with its rows",
    "DROP SCHEMA audit CASCADE": "the schema audit with its tables",
    "ALTER TABLE orders DROP COLUMN note": "the column note of orders",
    'ALTER TABLE "public"."orders" DROP COLUMN IF EXISTS "note"': "the column note of orders",
    "TRUNCATE orders": "every row of orders",
    "TRUNCATE orders CASCADE": "every row of orders and every table that refers to it",
    "DELETE FROM orders": "every row of orders",
    "DELETE FROM orders WHERE true": "every row of orders",
    "WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone": "every row of orders",
    "UPDATE orders SET note = NULL": "what every row of orders had in note",
    "MERGE INTO orders o USING audit.log l ON o.id = l.id WHEN MATCHED THEN DELETE": "the rows that MERGE deletes",
    "DROP TYPE mood CASCADE": "every column of the type mood",
    "DROP EXTENSION citext CASCADE": "every column of the extension citext",
    "DROP OWNED BY somebody": "everything that a role owns",
    "ALTER TABLE orders ALTER COLUMN note TYPE varchar(10)": "values of orders.note that fit varchar(20) and not",
    'ALTER TABLE "orders" ALTER COLUMN "note" SET DATA TYPE varchar(5) USING "note"::varchar(5)': "fit varchar(20)",
    "ALTER TABLE orders ALTER COLUMN amount TYPE smallint": "values of orders.amount that fit int4 and not int2",
    "ALTER TABLE orders ALTER COLUMN price TYPE numeric(10, 1)": "fit numeric(10, 2) and not numeric(10, 1)",
    "ALTER TABLE orders ALTER COLUMN price TYPE numeric(10, 3)": "fit numeric(10, 2) and not numeric(10, 3)",
    "ALTER TABLE orders ALTER COLUMN price TYPE int": "fit numeric(10, 2) and not int4",
    "ALTER TABLE orders ALTER COLUMN at TYPE date": "values of orders.at that fit timestamptz and not date",
    "ALTER TABLE orders ALTER COLUMN ratio TYPE real": "values of orders.ratio that fit float8 and not float4",
    "ALTER TABLE orders ALTER COLUMN note TYPE text USING left(note, 3)": "what its USING leaves out of orders.note",
    "ALTER TABLE elsewhere ALTER COLUMN x TYPE int": "values of elsewhere.x that are no int4 (no migration tells which",
    "DO $$ BEGIN IF true THEN DROP TABLE orders; END IF; END $$": "the table orders with its rows",
    "DO $$ BEGIN EXECUTE 'TRUNCATE orders'; END $$": "every row of orders",
}

KEPT = (
    "ALTER TABLE orders ALTER COLUMN note TYPE varchar(40)",
    "ALTER TABLE orders ALTER COLUMN note TYPE text",
    "ALTER TABLE orders ALTER COLUMN amount TYPE bigint USING amount::bigint",
    "ALTER TABLE orders ALTER COLUMN id TYPE bigint",
    "ALTER TABLE orders ALTER COLUMN price TYPE numeric(12, 2)",
    "ALTER TABLE orders ALTER COLUMN price TYPE numeric",
    "ALTER TABLE orders ALTER COLUMN day TYPE timestamptz",
    "ALTER TABLE orders ALTER COLUMN tags TYPE text",
    "ALTER TABLE orders ALTER COLUMN doc TYPE jsonb",
    "DELETE FROM orders WHERE id = 1",
    "UPDATE orders SET note = '' WHERE note IS NULL",
    "ALTER TABLE orders ADD COLUMN short text; UPDATE orders SET short = left(note, 3)",
    "CREATE TABLE fresh (a int); INSERT INTO fresh VALUES (1); DELETE FROM fresh; TRUNCATE fresh; DROP TABLE fresh",
    "ALTER TABLE orders ADD COLUMN odd int; ALTER TABLE orders DROP COLUMN odd",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM orders; END",
    "CREATE RULE r AS ON UPDATE TO orders DO ALSO DELETE FROM audit.log",
    "DROP VIEW v; DROP INDEX i; DROP FUNCTION f; DROP TYPE mood; DROP SEQUENCE s",
    "ALTER TABLE orders DROP CONSTRAINT orders_pkey",
)


@pytest.mark.parametrize("statement", LOST)
def test_a_loss_is_refused_with_what_is_lost_and_how_to_allow_it(statement: str) -> None:
    found = refused(statement, before=BEFORE)
    assert len(found) == 1
    assert ": takes away " in found[0]
    assert LOST[statement] in found[0]
    assert found[0].endswith(". If that is meant, name it in the stack file: allow_data_loss: [0001_m].")


@pytest.mark.parametrize("statement", KEPT)
def test_what_keeps_all_data_is_not_refused(statement: str) -> None:
    assert refused(statement, before=BEFORE) == []


def test_a_loss_that_the_settings_name_is_a_warning_and_not_refused() -> None:
    options = JudgeOptions(level="error", allow_data_loss=("0001_m",))
    found = verdict("DROP TABLE orders", "DROP TABLE audit.log", before=BEFORE, options=options)
    assert [each.tag for each in found.refusals] == ["0002_m"]
    assert found.warnings == (
        "0001_m.sql:1 DROP TABLE orders: takes away the table orders with its rows (allowed in the stack file)",
    )


def test_a_table_that_may_have_been_there_before_is_not_taken_for_a_fresh_one() -> None:
    assert len(refused("CREATE TABLE IF NOT EXISTS orders (id int); DROP TABLE orders", before=BEFORE)) == 1


def test_a_name_in_allow_data_loss_that_is_no_migration_is_a_warning() -> None:
    found = verdict("SELECT 1", options=JudgeOptions(level="off", allow_data_loss=("0001_typo",)))
    assert found.warnings == ("allow_data_loss names 0001_typo, which is no migration of this folder",)
